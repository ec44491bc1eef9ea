/*
 * The hooks in target/i386: what crosses into kernel mode there. See hooks.h for the rules.
 */
#ifndef ACCEL_TCG_SKEIN_X86_H
#define ACCEL_TCG_SKEIN_X86_H

#include "cpu.h"

#include "pipeline/event.h"

/* seg_helper.c: SYSCALL or SYSENTER in user mode, before it changes anything. */
void skein_syscall(CPUX86State *env, uint32_t type, int insn_len);
/* seg_helper.c: an interrupt is delivered now; big QEMU lock held. */
void skein_interrupt(CPUX86State *env, uint32_t type, int vector);
/* seg_helper.c: around the store that marks a descriptor as accessed; user mode does it too. */
void skein_descriptor_begin(CPUX86State *env, uintptr_t ra);
void skein_descriptor_end(CPUX86State *env, target_ulong addr, uint32_t value, uintptr_t ra);
/* misc_helper.c: PAUSE. */
void skein_pause(CPUX86State *env);

/* misc_helper.c: port I/O. True: replay did it all. */
bool skein_port_in_begin(CPUX86State *env, uint32_t port, unsigned size, uint64_t *value,
                         uintptr_t ra);
void skein_port_in_end(CPUX86State *env, uint32_t port, unsigned size, uint64_t value);
bool skein_port_out_begin(CPUX86State *env, uint32_t port, unsigned size, uint32_t value,
                          uintptr_t ra);
/* Around RDMSR, WRMSR and CR8, which may reach the interrupt controller. */
void skein_msr_read_begin(CPUX86State *env);
void skein_msr_write_begin(CPUX86State *env, uint32_t index, uint64_t value);
void skein_x86_io_end(CPUX86State *env);

/* A value that only the outside knows: recorded as it is, or replaced by the recorded one. */
uint64_t skein_value(CPUX86State *env, uint32_t source, unsigned size, uint64_t addr,
                     uint64_t value);
/* excp_helper.c: a user-mode access is about to fill the TLB / has filled it. */
void skein_walk_begin(CPUX86State *env, MMUAccessType access, int mmu_idx, uintptr_t ra);
void skein_walk_end(CPUX86State *env, int mmu_idx);
/* excp_helper.c: a page walk wants to set an accessed or dirty bit; true: leave it alone (replay:
 * the log has it). */
bool skein_walk_bits_begin(CPUX86State *env, bool fetch);
void skein_walk_bits_end(CPUX86State *env, void *pte, uint32_t value, bool fetch);

/* The TLB for this vCPU's instruction fetches. */
int skein_fetch_idx(CPUX86State *env, int mmu_idx);

#include "accel/tcg/skein/hooks.h"

/* True in replay: the value must not be asked for, skein_value() has it. */
static inline bool skein_silent(CPUX86State *env)
{
    return skein_replaying && env_cpu(env)->skein;
}

#endif
