/*
 * Chaos: seeded perturbation of the order in which the kernel executes, while recording. What comes
 * of it is a recording like any other. gate.c asks; see chaos.c for what is done.
 */
#ifndef ACCEL_TCG_SKEIN_CHAOS_H
#define ACCEL_TCG_SKEIN_CHAOS_H

#include "accel/tcg/skein/state.h"

/* Every vCPU is attached. Nothing when no seed was given. */
void skein_chaos_begin(uint64_t seed);
void skein_chaos_end(void);

/* In kernel mode, the token held: is it time to give it up? */
bool skein_chaos_due(SkeinCPU *c);
/* Gives it up, for a while that is drawn, and takes it back. The caller has logged a MARK. */
void skein_chaos_give_way(SkeinCPU *c);
/* In kernel mode, PAUSE: somebody waits for what another may have. */
void skein_chaos_paused(void);
/* In kernel mode, before interrupts are looked at: the pending one waits for the next block. */
bool skein_chaos_delays(SkeinCPU *c);
/* User mode is about to enter the kernel, without the token: it may have to wait. */
void skein_chaos_enter(SkeinCPU *c);

#endif
