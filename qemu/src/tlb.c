/*
 * The kernel's TLB must be a function of kernel execution: which translations it still holds
 * decides whether a stale one is used, and whether a page walk sets an accessed bit. So its size
 * follows a clock of instructions, and when something else touches it, it starts anew, by an event.
 */
#include "accel/tcg/skein/state.h"

/* As many nanoseconds of stock QEMU's resize window as one instruction stands for. */
#define NS_PER_INSN 4

int64_t skein_tlb_clock(CPUState *cpu)
{
    return skein_icount(cpu->skein) * NS_PER_INSN;
}

void skein_tlb_reset(SkeinCPU *c)
{
    skein_tlb_reset_mmuidx(c->cpu,
                           SKEIN_KERNEL_IDXMAP | (skein_vm.system_scope ? SKEIN_USER_IDXMAP : 0),
                           skein_tlb_clock(c->cpu));
    c->polluted = false;
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
