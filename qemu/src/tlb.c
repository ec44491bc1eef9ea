/*
 * The kernel's TLB must be a function of kernel execution: which translations it still holds
 * decides whether a stale one is used, and whether a page walk sets an accessed bit. So its size
 * follows a clock of instructions, and when something else touches it, it starts anew, by an event.
 */
#include "accel/tcg/skein/state.h"

#include "accel/tcg/tb-jmp-cache.h"
#include "exec/cputlb.h"
#include "exec/exec-all.h"

/* As many nanoseconds of stock QEMU's resize window as one instruction stands for. */
#define NS_PER_INSN 4
/* How full a TLB may be that outlives a switch of address spaces. Stock QEMU doubles one beyond as
 * many percent, when it flushes it. One of more entries takes longer to look through for a page
 * that became user-dirty than its walks do (`skein bench micro --only fault,pipe`, with 3000). */
#define KEPT_MAX_PERCENT 70
#define KEPT_MAX_ENTRIES 700

int64_t skein_tlb_clock(CPUState *cpu)
{
    return skein_icount(cpu->skein) * NS_PER_INSN;
}

void skein_tlb_reset(SkeinCPU *c)
{
    uint16_t idxmap = SKEIN_KERNEL_IDXMAP | (skein_vm.system_scope ? SKEIN_USER_IDXMAP : 0);

    skein_tlb_reset_mmuidx(c->cpu, idxmap, skein_tlb_clock(c->cpu));
    c->tlb_local &= ~idxmap;
    c->polluted = false;
}

void skein_tlb_local(CPUState *cpu, int mmu_idx)
{
    cpu->skein->tlb_local |= 1 << mmu_idx;
}

static bool is_crowded(CPUState *cpu, int mmu_idx)
{
    size_t used = cpu->neg.tlb.d[mmu_idx].n_used_entries;
    size_t size = cpu->neg.tlb.f[mmu_idx].mask / sizeof(CPUTLBEntry) + 1;

    return used > KEPT_MAX_ENTRIES || used * 100 > size * KEPT_MAX_PERCENT;
}

/*
 * The kernel's own translations are global: they are those of every address space, and the guest
 * says so in its page tables. Stock QEMU flushes them at each switch, and walks for them anew.
 * A block is found by its address only after a fetch there went through the TLB: whatever empties
 * the TLBs of the kernel's fetches forgets its blocks, too.
 */
void skein_tlb_switch(CPUState *cpu)
{
    SkeinCPU *c = cpu->skein;
    uint16_t kept = 1 << MMU_PHYS_IDX;

    for (int idx = 0; idx < NB_MMU_MODES; idx++) {
        if ((1 << idx & (SKEIN_KERNEL_IDXMAP | SKEIN_KERNEL_FETCH_IDXMAP) & ~c->tlb_local) &&
            !is_crowded(cpu, idx)) {
            kept |= 1 << idx;
        }
    }
    c->tlb_local &= kept;
    tlb_flush_by_mmuidx(cpu, ((1 << NB_MMU_MODES) - 1) & ~kept);
}

bool skein_tlb_keeps_code(CPUState *cpu, uint16_t flushed)
{
    CPUJumpCache *jc = cpu->tb_jmp_cache;

    if (flushed & SKEIN_KERNEL_FETCH_IDXMAP) {
        return false;
    }
    for (int i = 0; i < TB_JMP_USER_SIZE; i++) {
        qatomic_set(&jc->array[i].tb, NULL);
    }
    return true;
}

bool skein_tlb_flush(CPUState *cpu)
{
    SkeinCPU *c = cpu->skein;

    if (skein_replaying) {
        /* What QEMU itself flushes has its place in the log. */
        return !c->in_kernel || !cpu->running;
    }
    if (!c->in_kernel || !c->held) {
        c->polluted = true;
    }
    return false;
}

void skein_tlb_moved(CPUState *cpu, int mmu_idx)
{
    SkeinCPU *c = cpu->skein;

    if (!c->in_kernel && (1 << mmu_idx & SKEIN_KERNEL_IDXMAP)) {
        c->polluted = true;
    }
}

/*
 * Stock QEMU jumps from block to block directly within 4 KB only: elsewhere another translation may
 * have come to be used, and blocks are looked up. A large page is one translation, in the guest's
 * tables and in its TLB: what runs in it was looked up there since that changed, and all of the
 * page is where its block is. So a kernel's text, which is in large pages, needs no look-up for a
 * direct jump either. This is for such blocks only: the same memory may be mapped in small pages.
 *
 * Not where address and RAM may part within a page: in the first 2 MB (legacy holes, A20), and
 * under a nested page table, whose pages may be smaller.
 */
void skein_code_page(CPUState *cpu, const CPUTLBEntryFull *full)
{
    CPUX86State *env = cpu_env(cpu);

    cpu->skein->code_large = cpu->skein->in_kernel && full->phys_addr >= SKEIN_LARGE_SIZE &&
                             UINT64_C(1) << full->lg_page_size >= SKEIN_LARGE_SIZE &&
                             !(env->hflags & HF_GUEST_MASK) && env->a20_mask == -1;
}

/* The walk that found the other one may have met tables that have changed: is it in this page? */
bool skein_in_one_page(const TranslationBlock *from, const TranslationBlock *to)
{
    uint32_t large = tb_cflags(from) & CF_SKEIN_LARGE;

    if (large != (tb_cflags(to) & CF_SKEIN_LARGE)) {
        return false;
    }
    return !large || ((tb_page_addr0(from) ^ tb_page_addr0(to)) & -SKEIN_LARGE_SIZE) == 0;
}

/* A breakpoint must be met by looking up, and a block that has direct jumps goes past it. */
uint32_t skein_code_cflags(CPUState *cpu)
{
    return cpu->skein->code_large && QTAILQ_EMPTY(&cpu->breakpoints) ? CF_SKEIN_LARGE : 0;
}
