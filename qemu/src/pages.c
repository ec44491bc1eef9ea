/*
 * User-dirty pages: RAM that user mode has written and the kernel has not since overwritten. Only
 * loads from them are inputs; everything else in RAM is the kernel's own work, or an event.
 *
 * A page becomes user-dirty when a vCPU in user mode gets to write it through its TLB. That takes
 * the token, so no kernel code runs meanwhile; each vCPU's kernel TLB learns of it before its
 * kernel code runs again (skein_pages_sync). A page becomes clean when the kernel has overwritten
 * it from its first byte to its last, in order, and no user TLB could write it in between. Replay
 * keeps the same pages by the same events.
 */
#include "accel/tcg/skein/state.h"

#include "exec/cputlb.h"
#include "exec/target_page.h"

#define NOT_COVERING UINT16_MAX

void skein_pages_free(void)
{
    g_free(skein_vm.pages);
    skein_vm.pages = NULL;
    skein_vm.page_count = 0;
}

void skein_pages_init(void)
{
    ram_addr_t end = 0;
    RAMBlock *block;

    RAMBLOCK_FOREACH(block) {
        end = MAX(end, block->offset + block->max_length);
    }
    skein_vm.page_count = end >> TARGET_PAGE_BITS;
    skein_vm.pages = g_new0(SkeinPage, skein_vm.page_count);
    skein_vm.pages_generation = 0;
}

static SkeinPage *page_of(ram_addr_t ram)
{
    uint64_t index = ram >> TARGET_PAGE_BITS;

    g_assert(index < skein_vm.page_count);
    return &skein_vm.pages[index];
}

bool skein_pages_cover(ram_addr_t ram, uint64_t bytes)
{
    RAMBlock *block;

    RAMBLOCK_FOREACH(block) {
        if (ram >= block->offset && bytes <= block->used_length &&
            ram - block->offset <= block->used_length - bytes) {
            return true;
        }
    }
    return false;
}

/* Its content can still become the kernel's: that which user mode has written cannot. */
bool skein_page_reaches_kernel(ram_addr_t ram)
{
    const SkeinPage *page = page_of(ram);

    return !page->dirty || page->covered != NOT_COVERING;
}

bool skein_page_dirty(ram_addr_t ram)
{
    return page_of(ram)->dirty;
}

void skein_page_mark_dirty(ram_addr_t ram)
{
    SkeinPage *page = page_of(ram);

    qatomic_set(&page->sole, false);
    qatomic_set(&page->dirty, true);
    page->covered = NOT_COVERING;
    if (page->unseen) {
        page->unseen = false;
        skein_vm.pages_generation++;
    }
    skein_changes_note(ram & TARGET_PAGE_MASK, TARGET_PAGE_SIZE);
}

bool skein_page_give_away(ram_addr_t ram)
{
    SkeinPage *page = page_of(ram);

    qatomic_set(&page->sole, false);
    if (page->dirty) {
        return false;
    }
    skein_page_mark_dirty(ram);
    return true;
}

/*
 * User-dirty, and nobody is about to make it clean: one more user mapping through which it can be
 * written changes nothing, so that it takes no token.
 */
bool skein_page_shared(const SkeinPage *page)
{
    return qatomic_read(&page->dirty) && !qatomic_read(&page->sole);
}

bool skein_page_is_shared(ram_addr_t ram)
{
    return skein_page_shared(page_of(ram));
}

static void user_may_write(SkeinCPU *c, ram_addr_t ram, int *prot)
{
    SkeinPage *page = page_of(ram);

    if (!c->held) {
        if (skein_page_shared(page)) {
            c->fill_shared = page;
            return;
        }
        if (!c->fill_stores) {
            /* The write, when it comes, fills the TLB again, with the token. */
            *prot &= ~PAGE_WRITE;
            return;
        }
        skein_fill_token(c);
    }
    if (skein_page_give_away(ram)) {
        uint64_t at = ram & TARGET_PAGE_MASK;

        skein_log(c, SKEIN_PAGE_DIRTY, SKEIN_F_USER, 0, &at, sizeof(at));
    }
}

void skein_tlb_fill(CPUState *cpu, int mmu_idx, vaddr addr, ram_addr_t ram, int *prot, bool *load,
                    bool *store)
{
    SkeinCPU *c = cpu->skein;

    if (skein_vm.system_scope) {
        return;
    }
    if (1 << mmu_idx & SKEIN_USER_IDXMAP) {
        if ((*prot & PAGE_WRITE) && !skein_replaying) {
            user_may_write(c, ram, prot);
        }
    } else if (1 << mmu_idx & SKEIN_KERNEL_IDXMAP) {
        *load = page_of(ram)->dirty;
        if (!*load) {
            /* Without the token, when user mode loads a descriptor: it may be set at any time. */
            qatomic_set(&page_of(ram)->unseen, true);
        }
        /* What is copied to a user address stays under a user mapping: it makes no page clean. */
        *store = *load && skein_kernel_address(addr);
    }
}

static void watch_entry(CPUTLBEntry *te, CPUTLBEntryFull *full)
{
    SkeinPage *page;

    if (te->addr_read == -1 || (te->addr_read & TLB_MMIO)) {
        return;
    }
    page = page_of((te->addr_read & TARGET_PAGE_MASK) + full->xlat_section);
    if (!page->dirty) {
        page->unseen = true; /* clean again by now, or a checkpoint had this entry */
        return;
    }
    te->addr_read |= TLB_FORCE_SLOW;
    full->slow_flags[MMU_DATA_LOAD] |= TLB_SKEIN;
    if (te->addr_write != -1 && skein_kernel_address(te->addr_read)) {
        qatomic_set(&te->addr_write, te->addr_write | TLB_FORCE_SLOW);
        full->slow_flags[MMU_DATA_STORE] |= TLB_SKEIN;
    }
}

void skein_pages_sync(SkeinCPU *c)
{
    CPUTLB *tlb = &c->cpu->neg.tlb;

    if (c->pages_seen == skein_vm.pages_generation) {
        return;
    }
    c->pages_seen = skein_vm.pages_generation;
    qemu_spin_lock(&tlb->c.lock);
    for (int idx = 0; idx < NB_MMU_MODES; idx++) {
        if (1 << idx & SKEIN_KERNEL_IDXMAP & tlb->c.dirty) {
            size_t n = tlb->f[idx].mask / sizeof(CPUTLBEntry) + 1;

            for (size_t i = 0; i < n; i++) {
                watch_entry(&tlb->f[idx].table[i], &tlb->d[idx].fulltlb[i]);
            }
            for (size_t i = 0; i < CPU_VTLB_SIZE; i++) {
                watch_entry(&tlb->d[idx].vtable[i], &tlb->d[idx].vfulltlb[i]);
            }
        }
    }
    qemu_spin_unlock(&tlb->c.lock);
}

static bool entry_writes(const CPUTLBEntry *te, uintptr_t host)
{
    uint64_t va = te->addr_write;

    return va != -1 && !(va & (TLB_INVALID_MASK | TLB_MMIO)) &&
           (va & TARGET_PAGE_MASK) + te->addend == host;
}

static bool user_tlb_writes(CPUState *cpu, uintptr_t host)
{
    CPUTLB *tlb = &cpu->neg.tlb;
    bool found = false;

    qemu_spin_lock(&tlb->c.lock);
    for (int idx = MMU_USER64_IDX; idx <= MMU_USER32_IDX && !found; idx++) {
        size_t n = tlb->f[idx].mask / sizeof(CPUTLBEntry) + 1;

        if (!(tlb->c.dirty & 1 << idx)) {
            continue;
        }
        for (size_t i = 0; i < n && !found; i++) {
            found = entry_writes(&tlb->f[idx].table[i], host);
        }
        for (size_t i = 0; i < CPU_VTLB_SIZE && !found; i++) {
            found = entry_writes(&tlb->d[idx].vtable[i], host);
        }
    }
    qemu_spin_unlock(&tlb->c.lock);
    return found;
}

static bool any_user_tlb_writes(ram_addr_t ram)
{
    uintptr_t host = (uintptr_t)qemu_map_ram_ptr(NULL, ram & TARGET_PAGE_MASK);
    CPUState *cpu;

    CPU_FOREACH(cpu) {
        if (user_tlb_writes(cpu, host)) {
            return true;
        }
    }
    return false;
}

/* The kernel has overwritten the page: is it its own again? The recorder knows, replay is told. */
static void covered(SkeinCPU *c, SkeinPage *page, ram_addr_t ram)
{
    uint64_t at = ram & TARGET_PAGE_MASK;
    bool clean = page->sole;

    page->covered = NOT_COVERING;
    if (skein_replaying) {
        const struct skein_record *r = skein_replay_next(c, SKEIN_PAGE_CLEAN);
        uint64_t expected = *(const uint64_t *)(r + 1);

        if (expected != at) {
            skein_diverged(c, SKEIN_PAGE_CLEAN, expected, at, "page overwritten by the kernel");
        }
        clean = r->arg;
    } else {
        skein_log(c, SKEIN_PAGE_CLEAN, 0, clean, &at, sizeof(at));
    }
    qatomic_set(&page->dirty, !clean);
}

/* Pairs with skein_walk_end(), and with DMA of ignored devices. */
static void begin_to_cover(SkeinPage *page, ram_addr_t ram)
{
    page->covered = 0;
    qatomic_set(&page->sole, true);
    smp_mb();
    if (!skein_replaying && (qatomic_read(&skein_vm.free_writers) || any_user_tlb_writes(ram))) {
        qatomic_set(&page->sole, false);
    }
}

void skein_store_begin(CPUState *cpu, ram_addr_t ram)
{
    SkeinCPU *c = cpu->skein;

    if (c && c->in_kernel && page_of(ram)->dirty && (ram & ~TARGET_PAGE_MASK) == 0) {
        begin_to_cover(page_of(ram), ram);
    }
}

void skein_store_end(CPUState *cpu, ram_addr_t ram, unsigned size)
{
    SkeinCPU *c = cpu->skein;
    SkeinPage *page = c ? page_of(ram) : NULL;
    unsigned offset = ram & ~TARGET_PAGE_MASK;

    if (!c || !page->dirty || !c->in_kernel) {
        return;
    }
    if (offset != page->covered) {
        page->covered = NOT_COVERING;
        return;
    }
    page->covered += size;
    if (page->covered == TARGET_PAGE_SIZE) {
        covered(c, page, ram);
    }
}

void skein_descriptor_begin(CPUX86State *env, uintptr_t ra)
{
    SkeinCPU *c = skein_of(env);

    if (!c->in_kernel) {
        skein_user_token(c, ra);
    }
}

void skein_descriptor_end(CPUX86State *env, target_ulong addr, uint32_t value, uintptr_t ra)
{
    SkeinCPU *c = skein_of(env);
    CPUTLBEntryFull *full;
    void *host;
    uint64_t p[2] = {0, 0};

    if (c->in_kernel || skein_replaying) {
        return;
    }
    probe_access_full(env, addr, sizeof(value), MMU_DATA_STORE, cpu_mmu_index_kernel(env), true,
                      &host, &full, ra);
    p[1] = (addr & TARGET_PAGE_MASK) + full->xlat_section + (addr & ~TARGET_PAGE_MASK);
    skein_log_bytes(c, SKEIN_MEM, SKEIN_F_USER, sizeof(value), p, sizeof(p), &value, sizeof(value));
}
