/*
 * A replay under a debugger: the thread that replays does what gdb and the monitor ask for, and
 * stands still in between. QEMU calls the VM running while gdb waits for a stop, and only then.
 */
#include "accel/tcg/skein/replay_debug.h"

#include "exec/gdbstub.h"
#include "system/cpus.h"
#include "system/runstate.h"

static struct {
    enum skein_debug_how how;
    SkeinCPU *c;
    const char *stop_reply;
    void (*call)(void *opaque); /* to be done while the VM is stopped; NULL: nothing */
    void *call_opaque;
    QemuCond called;
} debug;

bool skein_debugging(void)
{
    return skein_replaying && skein_vm.options && !g_strcmp0(skein_vm.options->debug, "on");
}

void skein_debug_next(enum skein_debug_how how, CPUState *cpu)
{
    debug.how = how;
    debug.c = cpu->skein;
}

CPUState *skein_debug_cpu(void)
{
    return skein_debug_current() ? skein_debug_current()->cpu : first_cpu;
}

const char *skein_debug_stop_reply(void)
{
    return debug.stop_reply;
}

/* gdb hears of the stop when the main loop comes to it; what runs next is what it asks for. */
static void stop(SkeinCPU *c)
{
    CPUState *cpu;

    if (c) {
        gdb_set_stop_cpu(c->cpu);
    }
    CPU_FOREACH(cpu) {
        cpu->stopped = true;
    }
    qemu_system_debug_request();
}

static enum skein_halt forward(const struct skein_goal *goal)
{
    return skein_debug_forward(goal, SKEIN_POINTS_STOP, true);
}

static enum skein_halt go_on(void)
{
    static const struct skein_goal none;

    return forward(&none);
}

static enum skein_halt step(SkeinCPU *c)
{
    struct skein_goal goal = {.kind = SKEIN_GOAL_STEP,
                              .c = c,
                              .from_icount = skein_icount(c),
                              .from_pc = skein_env(c)->eip};

    return forward(&goal);
}

/* gdb wants to be right behind the access; the gate where it was met is somewhat further. */
static void back_behind(const struct skein_hit *hit)
{
    struct skein_goal goal = {.kind = SKEIN_GOAL_POSITION, .n = hit->at + 1};

    if (skein_replay_icount() != goal.n) {
        skein_debug_goto(&goal);
    }
    skein_marks_take();
}

static enum skein_halt carry_out(enum skein_debug_how how, SkeinCPU *c, struct skein_hit *hit)
{
    enum skein_halt halt;

    switch (how) {
    case SKEIN_DEBUG_REVERSE_STEP:
        return skein_debug_reverse_step(c);
    case SKEIN_DEBUG_REVERSE_CONTINUE:
        return skein_debug_reverse_continue(hit);
    default:
        halt = how == SKEIN_DEBUG_STEP ? step(c) : go_on();
        if (halt == SKEIN_HALT_WATCH) {
            *hit = *skein_points_watched();
            back_behind(hit);
        }
        return halt;
    }
}

/* One command of gdb's. */
static void obey(void)
{
    enum skein_debug_how how = debug.how;
    SkeinCPU *c = debug.c;
    struct skein_hit hit;
    enum skein_halt halt;

    debug.how = SKEIN_DEBUG_CONTINUE;
    debug.stop_reply = "";
    halt = carry_out(how, c, &hit);
    switch (halt) {
    case SKEIN_HALT_INTERRUPTED:
        gdb_set_stop_cpu(skein_debug_current()->cpu);
        return; /* the VM is being stopped: gdb hears of that */
    case SKEIN_HALT_OVER:
        debug.stop_reply = "replaylog:end;";
        break;
    case SKEIN_HALT_BEGIN:
        debug.stop_reply = "replaylog:begin;";
        break;
    case SKEIN_HALT_WATCH:
        skein_points_report(&hit);
        stop(hit.c);
        return;
    default:
        break;
    }
    stop(halt == SKEIN_HALT_GOAL && c ? c : skein_debug_current());
}

static bool vm_runs(void)
{
    return !first_cpu->stopped && !first_cpu->stop;
}

/* Until there is something to do. */
static void stand_still(void)
{
    for (;;) {
        CPUState *cpu;

        CPU_FOREACH(cpu) {
            current_cpu = cpu;
            qemu_wait_io_event_common(cpu);
        }
        if (debug.call || vm_runs()) {
            return;
        }
        qemu_cond_wait_bql(first_cpu->halt_cond);
    }
}

void skein_debug_obey(void)
{
    for (;;) {
        stand_still();
        if (debug.call) {
            debug.call(debug.call_opaque);
            debug.call = NULL;
            qemu_cond_broadcast(&debug.called);
        } else {
            obey();
        }
    }
}

void skein_debug_call(void (*act)(void *opaque), void *opaque)
{
    debug.call = act;
    debug.call_opaque = opaque;
    while (debug.call) {
        qemu_cpu_kick(first_cpu);
        qemu_cond_wait_bql(&debug.called);
    }
}

/* To position 0: what precedes the first instruction is applied. */
static void to_the_first(void *opaque)
{
    struct skein_goal first = {.kind = SKEIN_GOAL_POSITION, .n = 0};

    skein_debug_forward(&first, SKEIN_POINTS_OFF, false);
    skein_marks_take();
}

void skein_debug_begin(void)
{
    qemu_cond_init(&debug.called);
    skein_debug_call(to_the_first, NULL);
}

char *skein_debug_describe(CPUState *cpu)
{
    SkeinCPU *c = cpu->skein;
    const char *what = !c              ? "not begun"
                       : c->ended      ? "ended"
                       : !c->in_kernel ? "in user mode"
                       : c->halted     ? "halted"
                                       : "in the kernel";

    return g_strdup_printf("%s%s", what, c && c == skein_debug_current() ? ", next" : "");
}
