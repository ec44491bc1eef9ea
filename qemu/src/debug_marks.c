/*
 * Checkpoints as the debugger keeps them: one every few tenths of a second of replay, one near
 * wherever it went back to, fewer the longer ago. Going back is returning to one of them and
 * replaying from there.
 */
#include "accel/tcg/skein/replay_debug.h"

#include "qemu/timer.h"
#include "tcg/tcg.h"

#define EVERY_NS (300 * 1000 * 1000ll)
#define MEMORY_BYTES (1ull << 30)
#define MAX_MARKS 400u
/* What is nearer than this is reached at once; a new mark is left so far before a place. */
#define NEAR 2000u
#define LEAD 1000u

static struct {
    GPtrArray *list; /* struct skein_mark, by position */
    int64_t ran_ns;  /* since the last one was taken, in earlier runs */
    int64_t from_ns; /* and since then in this one */
} marks;

static struct skein_mark *mark_at(unsigned i)
{
    return g_ptr_array_index(marks.list, i);
}

struct skein_mark *skein_marks_first(void)
{
    return mark_at(0);
}

static struct skein_mark *last(void)
{
    return mark_at(marks.list->len - 1);
}

unsigned skein_marks_count(void)
{
    return marks.list->len;
}

static void note_place(struct skein_mark *m)
{
    m->position = skein_replay_icount();
    m->slices = skein_vm.slices_before + skein_vm.session->slices;
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        m->icount[i] = skein_icount(&skein_vm.cpus[i]);
        m->tick[i] = skein_vm.cpus[i].tick;
    }
}

/* The one whose loss costs least, as seen from here: its neighbours are near, and it is far. */
static void thin_out(void)
{
    uint64_t here = skein_replay_icount();
    unsigned victim = 0;
    double least = 0;

    for (unsigned i = 1; i + 1 < marks.list->len; i++) {
        double gap = mark_at(i + 1)->position - mark_at(i - 1)->position;
        double cost = gap / (double)(here - mark_at(i)->position + 1);

        if (!victim || cost < least) {
            victim = i;
            least = cost;
        }
    }
    if (victim) {
        skein_checkpoint_drop(mark_at(victim)->cp);
        g_ptr_array_remove_index(marks.list, victim);
    }
}

void skein_marks_take(void)
{
    struct skein_mark *m;

    if (!marks.list) {
        marks.list = g_ptr_array_new_with_free_func(g_free);
    } else if (last()->position >= skein_replay_icount()) {
        return;
    }
    m = g_new0(struct skein_mark, 1);
    note_place(m);
    m->cp = skein_checkpoint_take();
    g_ptr_array_add(marks.list, m);
    while (marks.list->len > 3 &&
           (marks.list->len > MAX_MARKS || skein_checkpoint_bytes() > MEMORY_BYTES)) {
        thin_out();
    }
    marks.ran_ns = 0;
    marks.from_ns = get_clock();
}

void skein_marks_begin_run(void)
{
    marks.from_ns = get_clock();
}

void skein_marks_end_run(void)
{
    marks.ran_ns += get_clock() - marks.from_ns;
}

void skein_marks_look(void)
{
    if (marks.list && marks.ran_ns + get_clock() - marks.from_ns >= EVERY_NS) {
        skein_marks_take();
    }
}

bool skein_goal_lies_behind(const struct skein_goal *g, const struct skein_mark *m)
{
    switch (g->kind) {
    case SKEIN_GOAL_POSITION:
        return m->position <= g->n;
    case SKEIN_GOAL_ICOUNT:
        return m->icount[g->c->id] <= g->n;
    case SKEIN_GOAL_TICK:
        return m->tick[g->c->id] < g->n;
    case SKEIN_GOAL_SLICE:
        return m->slices < g->n;
    default:
        return true;
    }
}

void skein_marks_return(struct skein_mark *m)
{
    skein_checkpoint_return(m->cp);
    while (last() != m) {
        g_ptr_array_remove_index(marks.list, marks.list->len - 1);
    }
    skein_debug_resume_log();
}

struct skein_mark *skein_marks_before(uint64_t position)
{
    unsigned i = marks.list->len;

    while (i > 0 && mark_at(i - 1)->position >= position) {
        i--;
    }
    return i ? mark_at(i - 1) : NULL;
}

/* From where the goal is reached: here, or at a mark to return to. */
static void approach(const struct skein_goal *g)
{
    struct skein_mark here;
    unsigned i = marks.list->len - 1;

    note_place(&here);
    if (skein_debug_verdict() == SKEIN_VERDICT_NONE && skein_goal_lies_behind(g, &here)) {
        return;
    }
    while (i > 0 && !skein_goal_lies_behind(g, mark_at(i))) {
        i--;
    }
    skein_marks_return(mark_at(i));
}

/*
 * An event is consumed within a block of instructions, which was left at its end: it begins here at
 * the earliest.
 */
static enum skein_halt to_the_tick(const struct skein_goal *g)
{
    uint64_t position = skein_replay_icount(), first = skein_marks_first()->position;
    struct skein_goal one = {.kind = SKEIN_GOAL_POSITION};
    enum skein_halt halt = SKEIN_HALT_GOAL;

    one.n = position > first + TCG_MAX_INSNS ? position - TCG_MAX_INSNS : first;
    approach(&one);
    for (; halt == SKEIN_HALT_GOAL && g->c->tick < g->n; one.n++) {
        halt = skein_debug_forward(&one, SKEIN_POINTS_OFF, false);
    }
    return halt;
}

enum skein_halt skein_debug_goto(const struct skein_goal *goal)
{
    uint64_t now;
    enum skein_halt halt;

    approach(goal);
    now = goal->kind == SKEIN_GOAL_ICOUNT ? skein_icount(goal->c) : skein_replay_icount();
    if (goal->kind <= SKEIN_GOAL_ICOUNT && goal->n > now + NEAR) {
        struct skein_goal near = *goal;

        near.n -= LEAD;
        halt = skein_debug_forward(&near, SKEIN_POINTS_OFF, false);
        if (halt != SKEIN_HALT_GOAL) {
            return halt;
        }
        skein_marks_take();
    }
    halt = skein_debug_forward(goal, SKEIN_POINTS_OFF, false);
    return halt == SKEIN_HALT_GOAL && goal->kind == SKEIN_GOAL_TICK ? to_the_tick(goal) : halt;
}
