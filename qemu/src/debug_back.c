/*
 * Backwards: where a vCPU executed its last instruction, and the last breakpoint or watched access
 * before this point. The replay up to here says where that was.
 */
#include "accel/tcg/skein/replay_debug.h"

static enum skein_halt to_the_beginning(void)
{
    skein_marks_return(skein_marks_first());
    skein_debug_forward(&(struct skein_goal){.kind = SKEIN_GOAL_POSITION}, SKEIN_POINTS_OFF, false);
    return SKEIN_HALT_BEGIN;
}

enum skein_halt skein_debug_reverse_step(SkeinCPU *c)
{
    uint64_t icount = skein_icount(c);
    struct skein_goal goal = {.kind = SKEIN_GOAL_ICOUNT, .c = c, .n = icount - 1};

    if (icount <= skein_marks_first()->icount[c->id]) {
        return to_the_beginning();
    }
    return skein_debug_goto(&goal);
}

static enum skein_halt go_to(const struct skein_hit *hit)
{
    struct skein_goal goal = {.kind = SKEIN_GOAL_POSITION, .n = hit->at};

    skein_debug_goto(&goal);
    return hit->flags ? SKEIN_HALT_WATCH : SKEIN_HALT_BREAK;
}

/* The mark n before that point, or the first; NULL: none is before. */
static struct skein_mark *marks_back(uint64_t point, unsigned n)
{
    struct skein_mark *m = skein_marks_before(point), *earlier;

    while (m && --n && (earlier = skein_marks_before(m->position))) {
        m = earlier;
    }
    return m;
}

/* What is near is found soon; further back, ever longer stretches make returns rare. */
enum skein_halt skein_debug_reverse_continue(struct skein_hit *hit)
{
    uint64_t here = skein_replay_icount(), end = here;
    struct skein_mark *m;

    for (unsigned stretch = 1; (m = marks_back(end, stretch)); stretch *= 2) {
        struct skein_goal goal = {.kind = SKEIN_GOAL_POSITION, .n = end};

        end = m->position;
        skein_marks_return(m);
        if (skein_debug_forward(&goal, SKEIN_POINTS_NOTE, true) == SKEIN_HALT_INTERRUPTED) {
            return SKEIN_HALT_INTERRUPTED;
        }
        if (skein_points_last(here, hit)) {
            return go_to(hit);
        }
    }
    return to_the_beginning();
}
