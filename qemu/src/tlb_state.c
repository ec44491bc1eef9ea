/*
 * A vCPU's TLB as far as it is kernel state: which translations kernel accesses find there decides
 * which page walks happen, and so which accessed and dirty bits are set. It is saved entry by
 * entry, with its size, its window of resizing and the order of its victims; what is of this
 * process (host addresses, watched pages) is found anew.
 */
#include "accel/tcg/skein/section.h"

#include "accel/tcg/cpu-ops.h"
#include "accel/tcg/tb-internal.h"
#include "exec/cputlb.h"
#include "exec/target_page.h"
#include "qemu/rcu.h"

#define VICTIM 0x80000000u

struct tlb_head {
    uint32_t mmu_idx;
    uint32_t entries; /* that follow */
    uint64_t size;    /* slots */
    uint64_t large_page_addr;
    uint64_t large_page_mask;
    uint64_t window_begin_ns;
    uint64_t window_max_entries;
    uint64_t used;
    uint64_t victim_index;
    uint64_t local; /* has translations of one address space only */
};

struct tlb_entry {
    uint32_t slot; /* or VICTIM | slot of the victim table */
    uint8_t prot;
    uint8_t lg_page_size;
    uint8_t fill_flags;
    uint8_t secure;
    uint64_t phys;
    uint64_t read; /* address and flags, as the softmmu compares them */
    uint64_t write;
    uint64_t code;
    uint8_t slow_flags[MMU_ACCESS_COUNT];
    uint8_t reserved[8 - MMU_ACCESS_COUNT];
};

static uint16_t saved_idxmap(void)
{
    return SKEIN_KERNEL_IDXMAP | (skein_vm.system_scope ? SKEIN_USER_IDXMAP : 0);
}

static bool is_empty(const CPUTLBEntry *te)
{
    return te->addr_read == -1 && te->addr_write == -1 && te->addr_code == -1;
}

static struct tlb_entry pack(uint32_t slot, const CPUTLBEntry *te, const CPUTLBEntryFull *full)
{
    struct tlb_entry e = {
        .slot = slot,
        .prot = full->prot,
        .lg_page_size = full->lg_page_size,
        .fill_flags = full->tlb_fill_flags,
        .secure = full->attrs.secure,
        .phys = full->phys_addr,
        .read = te->addr_read,
        .write = te->addr_write,
        .code = te->addr_code,
    };

    memcpy(e.slow_flags, full->slow_flags, sizeof(e.slow_flags));
    return e;
}

static void save_one(GByteArray *out, SkeinCPU *c, int idx)
{
    CPUTLBDesc *d = &c->cpu->neg.tlb.d[idx];
    CPUTLBDescFast *fast = &c->cpu->neg.tlb.f[idx];
    struct tlb_head head = {
        .mmu_idx = idx,
        .size = fast->mask / sizeof(CPUTLBEntry) + 1,
        .large_page_addr = d->large_page_addr,
        .large_page_mask = d->large_page_mask,
        .window_begin_ns = d->window_begin_ns,
        .window_max_entries = d->window_max_entries,
        .used = d->n_used_entries,
        .victim_index = d->vindex,
        .local = c->tlb_local >> idx & 1,
    };
    size_t at = out->len;

    g_byte_array_append(out, (void *)&head, sizeof(head));
    for (size_t i = 0; i < head.size + CPU_VTLB_SIZE; i++) {
        bool victim = i >= head.size;
        size_t slot = victim ? i - head.size : i;
        const CPUTLBEntry *te = victim ? &d->vtable[slot] : &fast->table[slot];

        if (!is_empty(te)) {
            struct tlb_entry e = pack(victim ? VICTIM | slot : slot, te,
                                      victim ? &d->vfulltlb[slot] : &d->fulltlb[slot]);

            g_byte_array_append(out, (void *)&e, sizeof(e));
            head.entries++;
        }
    }
    memcpy(out->data + at, &head, sizeof(head));
}

void skein_tlb_save(FILE *f, SkeinCPU *c)
{
    GByteArray *out = g_byte_array_new();

    for (int idx = 0; idx < NB_MMU_MODES; idx++) {
        if (1 << idx & saved_idxmap()) {
            save_one(out, c, idx);
        }
    }
    skein_section_put(f, SKEIN_SECTION_TLB, "", NULL, 0, out->data, out->len);
    g_byte_array_free(out, true);
}

/* Where the page is in this process: host address, and what the softmmu adds to find it. */
static void place(SkeinCPU *c, vaddr page, CPUTLBEntry *te, CPUTLBEntryFull *full)
{
    hwaddr xlat, size = TARGET_PAGE_SIZE, iotlb;
    int prot = full->prot;
    MemoryRegionSection *section;
    bool ram, romd;

    section = address_space_translate_for_iotlb(c->cpu, cpu_asidx_from_attrs(c->cpu, full->attrs),
                                                full->phys_addr, &xlat, &size, full->attrs, &prot);
    ram = memory_region_is_ram(section->mr);
    romd = memory_region_is_romd(section->mr);
    te->addend = ram || romd ? (uintptr_t)memory_region_get_ram_ptr(section->mr) + xlat : 0;
    te->addend -= page;
    iotlb = ram ? memory_region_get_ram_addr(section->mr) + xlat
                : memory_region_section_get_iotlb(c->cpu, section) + xlat;
    full->xlat_section = iotlb - page;
    full->section = section;
}

/* Watched pages are those of now. */
static void watch(SkeinCPU *c, vaddr page, CPUTLBEntry *te, CPUTLBEntryFull *full)
{
    int wp = cpu_watchpoint_address_matches(c->cpu, page, TARGET_PAGE_SIZE);

    full->slow_flags[MMU_DATA_LOAD] &= ~TLB_WATCHPOINT;
    full->slow_flags[MMU_DATA_STORE] &= ~TLB_WATCHPOINT;
    if ((wp & BP_MEM_READ) && te->addr_read != -1) {
        full->slow_flags[MMU_DATA_LOAD] |= TLB_WATCHPOINT;
        te->addr_read |= TLB_FORCE_SLOW;
    }
    if ((wp & BP_MEM_WRITE) && te->addr_write != -1) {
        full->slow_flags[MMU_DATA_STORE] |= TLB_WATCHPOINT;
        te->addr_write |= TLB_FORCE_SLOW;
    }
}

static void unpack(SkeinCPU *c, const struct tlb_entry *e, CPUTLBEntry *te, CPUTLBEntryFull *full)
{
    vaddr page = (e->read != -1 ? e->read : e->write != -1 ? e->write : e->code) & TARGET_PAGE_MASK;

    *full = (CPUTLBEntryFull){
        .phys_addr = e->phys,
        .attrs = {.secure = e->secure},
        .prot = e->prot,
        .lg_page_size = e->lg_page_size,
        .tlb_fill_flags = e->fill_flags,
    };
    memcpy(full->slow_flags, e->slow_flags, sizeof(full->slow_flags));
    te->addr_read = e->read;
    te->addr_write = e->write;
    te->addr_code = e->code;
    if (te->addr_write != -1 && !(te->addr_write & TLB_MMIO)) {
        /* Code and changed pages are tracked anew; the slow path finds out. */
        te->addr_write |= TLB_NOTDIRTY;
    }
    place(c, page, te, full);
    watch(c, page, te, full);
}

static bool load_entry(SkeinCPU *c, int idx, const struct tlb_entry *e, size_t size)
{
    CPUTLBDesc *d = &c->cpu->neg.tlb.d[idx];
    uint32_t slot = e->slot & ~VICTIM;

    if (slot >= (e->slot & VICTIM ? CPU_VTLB_SIZE : size) || (e->phys & ~TARGET_PAGE_MASK)) {
        return false;
    }
    if (e->slot & VICTIM) {
        unpack(c, e, &d->vtable[slot], &d->vfulltlb[slot]);
    } else {
        unpack(c, e, &c->cpu->neg.tlb.f[idx].table[slot], &d->fulltlb[slot]);
    }
    return true;
}

static bool load_one(SkeinCPU *c, const struct tlb_head *head, const struct tlb_entry *e)
{
    CPUTLBDesc *d = &c->cpu->neg.tlb.d[head->mmu_idx];
    CPUTLBDescFast *fast = &c->cpu->neg.tlb.f[head->mmu_idx];

    g_free(fast->table);
    g_free(d->fulltlb);
    fast->table = g_new(CPUTLBEntry, head->size);
    d->fulltlb = g_new0(CPUTLBEntryFull, head->size);
    fast->mask = (head->size - 1) * sizeof(CPUTLBEntry);
    memset(fast->table, -1, head->size * sizeof(CPUTLBEntry));
    memset(d->vtable, -1, sizeof(d->vtable));
    d->large_page_addr = head->large_page_addr;
    d->large_page_mask = head->large_page_mask;
    d->window_begin_ns = head->window_begin_ns;
    d->window_max_entries = head->window_max_entries;
    d->n_used_entries = head->used;
    d->vindex = head->victim_index;
    c->tlb_local |= (uint16_t)(head->local << head->mmu_idx);
    for (uint32_t i = 0; i < head->entries; i++) {
        if (!load_entry(c, head->mmu_idx, &e[i], head->size)) {
            return false;
        }
    }
    c->cpu->neg.tlb.c.dirty |= 1 << head->mmu_idx;
    return true;
}

static bool fits(const struct tlb_head *head, size_t bytes)
{
    return head->mmu_idx < NB_MMU_MODES && is_power_of_2(head->size) &&
           head->size >= 1 << CPU_TLB_DYN_MIN_BITS && head->size <= 1 << CPU_TLB_DYN_MAX_BITS &&
           head->entries <= head->size + CPU_VTLB_SIZE && head->local <= 1 &&
           head->entries * sizeof(struct tlb_entry) <= bytes;
}

bool skein_tlb_load(FILE *f, SkeinCPU *c, size_t bytes)
{
    g_autofree uint8_t *in = g_try_malloc(bytes);
    size_t at = 0;
    bool ok = in && skein_section_get(f, in, bytes);

    skein_tlb_reset_mmuidx(c->cpu, (1 << NB_MMU_MODES) - 1, skein_tlb_clock(c->cpu));
    c->tlb_local = 0;
    qemu_spin_lock(&c->cpu->neg.tlb.c.lock);
    RCU_READ_LOCK_GUARD();
    while (ok && at < bytes) {
        const struct tlb_head *head = (const void *)(in + at);

        ok = bytes - at >= sizeof(*head) && fits(head, bytes - at - sizeof(*head)) &&
             load_one(c, head, (const void *)(head + 1));
        at += sizeof(*head) + (ok ? head->entries * sizeof(struct tlb_entry) : 0);
    }
    qemu_spin_unlock(&c->cpu->neg.tlb.c.lock);
    c->pages_seen = skein_vm.pages_generation - 1;
    return ok;
}
