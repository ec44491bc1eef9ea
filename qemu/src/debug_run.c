/*
 * Forward to a goal: the replay as always, with an observer that says where it stands still.
 */
#include "accel/tcg/skein/replay_debug.h"

#include <setjmp.h>

#include "exec/cpu-common.h"
#include "hw/core/cpu.h"

/* So often does a running vCPU look up, in instructions: about every millisecond. */
#define LOOK_EVERY 100000

static struct {
    struct skein_goal goal;
    enum skein_halt halt;
    bool may_interrupt;
    SkeinCPU *current;
    enum skein_verdict verdict;
    sigjmp_buf back; /* from where a replay ends outside of a vCPU's execution loop */
} run;

SkeinCPU *skein_debug_current(void)
{
    return run.current;
}

enum skein_verdict skein_debug_verdict(void)
{
    return run.verdict;
}

static bool met(SkeinCPU *c, const struct skein_goal *g)
{
    switch (g->kind) {
    case SKEIN_GOAL_NONE:
        return false;
    case SKEIN_GOAL_STEP:
        return skein_icount(g->c) != g->from_icount || skein_env(g->c)->eip != g->from_pc;
    case SKEIN_GOAL_POSITION:
        return skein_replay_icount() >= g->n;
    case SKEIN_GOAL_ICOUNT:
        return c == g->c && skein_icount(c) >= g->n;
    case SKEIN_GOAL_TICK:
        return g->c->tick >= g->n;
    case SKEIN_GOAL_SLICE:
        return skein_vm.slices_before + skein_vm.session->slices >= g->n;
    }
    return false;
}

static uint64_t next(SkeinCPU *c)
{
    const struct skein_goal *g = &run.goal;
    uint64_t icount = skein_icount(c), position = skein_replay_icount();
    uint64_t found = icount + LOOK_EVERY;

    if (g->kind == SKEIN_GOAL_POSITION && g->n > position) {
        found = MIN(found, icount + (g->n - position));
    } else if (g->kind == SKEIN_GOAL_ICOUNT && g->c == c && g->n > icount) {
        found = MIN(found, g->n);
    } else if (g->kind == SKEIN_GOAL_STEP && g->c == c) {
        found = icount + 1;
    }
    return found;
}

static bool at(SkeinCPU *c)
{
    run.current = c;
    if (skein_points_watched()) {
        run.halt = SKEIN_HALT_WATCH;
    } else if (met(c, &run.goal)) {
        run.halt = SKEIN_HALT_GOAL;
    } else if (run.may_interrupt && qatomic_read(&first_cpu->stop)) {
        run.halt = SKEIN_HALT_INTERRUPTED;
    }
    if (run.halt == SKEIN_HALT_NONE) {
        skein_marks_look();
    }
    return run.halt != SKEIN_HALT_NONE;
}

void skein_debug_observe(void)
{
    static const struct skein_observer observer = {.next = next, .at = at};

    skein_observe(&observer);
}

void skein_debug_consumed(SkeinCPU *c)
{
    const struct skein_goal *g = &run.goal;

    if (g->kind == SKEIN_GOAL_TICK && g->c == c && c->tick >= g->n) {
        skein_debug_leave(c);
    }
}

void skein_debug_leave(SkeinCPU *c)
{
    c->limit -= c->cpu->skein_left;
    c->cpu->skein_left = 0;
}

enum skein_halt skein_debug_forward(const struct skein_goal *goal, enum skein_points points,
                                    bool may_interrupt)
{
    if (run.verdict != SKEIN_VERDICT_NONE) {
        return SKEIN_HALT_OVER;
    }
    run.goal = *goal;
    run.may_interrupt = may_interrupt;
    run.halt = SKEIN_HALT_NONE;
    skein_points_begin(points);
    skein_marks_begin_run();
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        /* What its budget was made for is no goal any more. */
        skein_debug_leave(&skein_vm.cpus[i]);
    }
    if (sigsetjmp(run.back, 0) == 0) {
        while (run.halt == SKEIN_HALT_NONE) {
            skein_replay_go_on();
        }
    }
    skein_marks_end_run();
    return run.halt;
}

void skein_debug_resume_log(void)
{
    run.verdict = SKEIN_VERDICT_NONE;
}

int skein_breakpoint(CPUState *cpu)
{
    SkeinCPU *c = cpu->skein;

    /* From one block to the next: the gate has not looked yet whether something comes before. */
    if (cpu->skein_left <= 0 || (!skein_vm.system_scope && skein_user_mode(c))) {
        return SKEIN_BREAKPOINT_GATE;
    }
    if (!skein_points_break(c)) {
        return SKEIN_BREAKPOINT_PASS;
    }
    run.current = c;
    run.halt = SKEIN_HALT_BREAK;
    return EXCP_YIELD;
}

void skein_debug_over(enum skein_verdict verdict)
{
    if (!skein_debugging()) {
        return;
    }
    run.verdict = verdict;
    run.halt = SKEIN_HALT_OVER;
    if (current_cpu && current_cpu->running) {
        current_cpu->exception_index = EXCP_YIELD;
        cpu_loop_exit(current_cpu);
    }
    siglongjmp(run.back, 1);
}
