/*
 * What QEMU calls: every hook of the patch series is one line that ends up here. A hook is guarded
 * by `cpu->skein`, which is NULL unless a recording or a replay is active, so that a QEMU that is
 * doing neither pays one predictable branch on paths that are slow already.
 *
 * Thread rules: hooks that take a CPUState run in that vCPU's thread, without the big QEMU lock
 * unless said. Nobody waits for the kernel token while holding the big QEMU lock, except a device
 * thread, to which a vCPU that blocks on that lock lends its token (skein_bql_wait_*).
 */
#ifndef ACCEL_TCG_SKEIN_HOOKS_H
#define ACCEL_TCG_SKEIN_HOOKS_H

#include "exec/cpu-common.h"
#include "hw/core/cpu.h"

/* Kernel instruction fetch has a TLB of its own: when it happens depends on the translation cache,
 * not on the guest, so it must not disturb the TLB that data accesses share. */
#define SKEIN_FETCH_IDX_OFFSET 8

/* True in a QEMU started to replay; constant once vCPUs run. */
extern bool skein_replaying;

/* cpu-exec.c: before interrupts are looked at. Makes the vCPU hold the token if and only if it
 * must. Returns true when it slept: translation blocks may have been flushed meanwhile. */
bool skein_gate(CPUState *cpu);
/* cpu-exec.c: interrupts are pending. Returns true when it slept. */
bool skein_before_interrupt(CPUState *cpu);
/* cpu-exec.c: after interrupts were looked at, before a translation block runs. */
void skein_settle(CPUState *cpu);
/* cpu-exec.c, replay: instead of looking at interrupts. True: leave the execution loop. */
bool skein_replay_gate(CPUState *cpu, TranslationBlock **last_tb);
/* cpu-exec.c: an exception is about to be delivered. True: it was user mode's, and replay takes it
 * from the log instead. */
bool skein_exception(CPUState *cpu);
/* cpu-exec.c: HLT was left. */
void skein_woke(CPUState *cpu);
/* mttcg: the vCPU left its execution loop; it keeps no token there. */
void skein_leave(CPUState *cpu);
/* cpu-exec.c: before the vCPU stops all others to execute one instruction alone. */
void skein_atomic_begin(CPUState *cpu);
/* cpu-exec.c: all others stand still now. */
void skein_atomic_alone(CPUState *cpu);
/* watchpoint.c: the instruction under way touches what the guest watches; #DB follows it. */
void skein_watchpoint(CPUState *cpu);
/* cpu-exec.c: after the gate. True: the instruction before did; leave the execution loop. */
bool skein_watchpoint_due(CPUState *cpu);
/* cpu-exec.c: gdb has a breakpoint where the vCPU is. What to do: */
#define SKEIN_BREAKPOINT_PASS (-2) /* nothing */
#define SKEIN_BREAKPOINT_GATE (-1) /* to the gate first: look again after it */
/* … or an exception that leaves the execution loop. */
int skein_breakpoint(CPUState *cpu);
/* watchpoint.c: the instruction under way touches what gdb watches. */
void skein_watch(CPUState *cpu, const CPUWatchpoint *wp, uintptr_t ra);
/* rr: a debugger may want something of a VM that has not run yet. */
bool skein_debugging(void);
/* cpu-exec.c: a translation block ended because the instruction budget is used up. */
bool skein_budget_spent(CPUState *cpu, TranslationBlock *tb);

/* rr: runs the whole replay; does not return before its end. Big QEMU lock held. */
void skein_replay_run(void);

/* cputlb.c: a page of guest RAM enters a TLB. May take write permission away (it is granted when
 * the page is written); returns in *load and *store whether such accesses must be seen. */
void skein_tlb_fill(CPUState *cpu, int mmu_idx, vaddr addr, ram_addr_t ram, int *prot, bool *load,
                    bool *store);
/* cputlb.c: this TLB was flushed or refilled outside of kernel execution. True: do not flush. */
bool skein_tlb_flush(CPUState *cpu);
/* helper.c: the vCPU has other page tables now. Flushes what the guest can expect to be gone. */
void skein_tlb_switch(CPUState *cpu);
/* excp_helper.c: a translation that is not global enters a TLB. */
void skein_tlb_local(CPUState *cpu, int mmu_idx);
/* cputlb.c: these MMU indexes were flushed. Forgets which translation blocks are at addresses of
 * user mode; false: the kernel's must be forgotten, too. */
bool skein_tlb_keeps_code(CPUState *cpu, uint16_t flushed);
/* cputlb.c: an entry came back from the victim TLB. */
void skein_tlb_moved(CPUState *cpu, int mmu_idx);
/* cputlb.c: where code is about to be looked up or translated is on this page. */
void skein_code_page(CPUState *cpu, const CPUTLBEntryFull *full);
/* cpu-exec.c, translate-all.c: after that; flags of its translation blocks (CF_SKEIN_LARGE). */
uint32_t skein_code_cflags(CPUState *cpu);
/* cpu-exec.c: may the one jump to the other directly, as far as large pages are concerned? */
bool skein_in_one_page(const TranslationBlock *from, const TranslationBlock *to);
/* translator.c: as far as blocks with CF_SKEIN_LARGE jump directly, in bytes and aligned. */
#define SKEIN_LARGE_SIZE (UINT64_C(1) << 21)
/* translate.c: with fewer elements left than that, a string instruction is not worth a call. */
#define SKEIN_ROUNDS_MIN 8
/* cputlb.c: the clock that TLB resizing goes by. */
int64_t skein_tlb_clock(CPUState *cpu);
/* cputlb.c, ours: back to the state of a vCPU just made. */
void skein_tlb_reset_mmuidx(CPUState *cpu, uint16_t idxmap, int64_t now);
/* cputlb.c: a load from a page that skein_tlb_fill() wanted to see. ram0 and ram1: where its first
 * and last byte lie in guest RAM. */
uint64_t skein_load(CPUState *cpu, vaddr addr, unsigned size, ram_addr_t ram0, ram_addr_t ram1,
                    uint64_t value);
/* cputlb.c: around a store to such a page, once nothing can keep it from being made. ram: where it
 * begins. */
void skein_store_begin(CPUState *cpu, ram_addr_t ram);
void skein_store_end(CPUState *cpu, ram_addr_t ram, unsigned size);
/* cputlb.c: is the page of that RAM offset still one that user mode has written? */
bool skein_page_dirty(ram_addr_t ram);
/* cputlb.c: MMIO. Before: true when replay has the value already (in *value). */
bool skein_mmio_read_begin(CPUState *cpu, hwaddr phys, unsigned size, uintptr_t ra,
                           uint64_t *value);
void skein_mmio_read_end(CPUState *cpu, hwaddr phys, unsigned size, uint64_t value);
/* True: replay, the device does not see the write. */
bool skein_mmio_write_begin(CPUState *cpu, hwaddr phys, unsigned size, uint64_t value,
                            uintptr_t ra);
void skein_io_end(CPUState *cpu);

/* physmem.c, memory_ldst: RAM is about to be changed (skein_dma_begin, declared in exec/memory.h),
 * was changed, by something that is not a guest instruction. Installed while recording. */
extern void (*skein_dma_end)(ram_addr_t ram, const void *bytes, hwaddr len);

/* cpus.c: around waiting for the big QEMU lock. */
void skein_bql_wait_begin(CPUState *cpu);
void skein_bql_wait_end(CPUState *cpu);

#endif
