/*
 * Chaos: seeded perturbation of the order in which the kernel executes, while recording. What comes
 * of it is a recording like any other. gate.c asks; what is done is in chaos.c.
 */
#ifndef ACCEL_TCG_SKEIN_CHAOS_H
#define ACCEL_TCG_SKEIN_CHAOS_H

#include "accel/tcg/skein/state.h"

/* Every vCPU is attached. Nothing when no seed was given. */
void skein_chaos_begin(uint64_t seed);
void skein_chaos_end(void);

bool skein_chaos_budget_due(SkeinCPU *c);
bool skein_chaos_delay(SkeinCPU *c);
void skein_chaos_wait_to_enter(SkeinCPU *c);
void skein_chaos_count_pause(void);

/* In kernel mode, the token held: is it time to give it up? */
static inline bool skein_chaos_due(SkeinCPU *c)
{
    return unlikely(c->chaos) && skein_chaos_budget_due(c);
}

/* Gives it up, for a while that is drawn, and takes it back. The caller has logged a MARK. */
void skein_chaos_give_way(SkeinCPU *c);

/* In kernel mode, before interrupts are looked at: the pending one waits for the next block. */
static inline bool skein_chaos_delays(SkeinCPU *c)
{
    return unlikely(c->chaos) && skein_chaos_delay(c);
}

/* User mode is about to enter the kernel: it may have to wait. */
static inline void skein_chaos_enter(SkeinCPU *c)
{
    if (unlikely(c->chaos) && !c->held) {
        skein_chaos_wait_to_enter(c);
    }
}

/* PAUSE in kernel mode: somebody spins for what another may have. */
static inline void skein_chaos_paused(SkeinCPU *c)
{
    if (unlikely(c->chaos)) {
        skein_chaos_count_pause();
    }
}

#endif
