/*
 * What the parts of the debugger share. Positions are icounts of the machine: at position N, all
 * events that come before instruction N are applied, and that instruction is the next to happen.
 *
 *   debug.c          the replay's thread obeys gdb and the monitor
 *   debug_run.c      forward to a goal
 *   debug_marks.c    checkpoints, and going to a place by them
 *   debug_back.c     backwards
 *   debug_points.c   gdb's breakpoints and watchpoints
 *   debug_command.c  `monitor skein …`
 */
#ifndef ACCEL_TCG_SKEIN_REPLAY_DEBUG_H
#define ACCEL_TCG_SKEIN_REPLAY_DEBUG_H

#include "accel/tcg/skein/replay.h"

#include "accel/tcg/skein/debug.h"

/* Where to stand still. Each is met at a position, the first one that fits. */
enum skein_goal_kind {
    SKEIN_GOAL_NONE,
    SKEIN_GOAL_POSITION, /* N */
    SKEIN_GOAL_ICOUNT,   /* the vCPU executes its instruction N next */
    SKEIN_GOAL_TICK,     /* the vCPU has consumed N events */
    SKEIN_GOAL_SLICE,    /* N slices have begun */
    SKEIN_GOAL_STEP,     /* something has happened to the vCPU: an instruction, an interrupt, … */
};

struct skein_goal {
    enum skein_goal_kind kind;
    SkeinCPU *c;
    uint64_t n;
    uint64_t from_icount; /* STEP: the vCPU as it was */
    uint64_t from_pc;
};

enum skein_halt {
    SKEIN_HALT_NONE, /* it runs */
    SKEIN_HALT_GOAL,
    SKEIN_HALT_BREAK,
    SKEIN_HALT_WATCH,       /* forwards: at the first gate after the access */
    SKEIN_HALT_INTERRUPTED, /* the VM is to stop */
    SKEIN_HALT_OVER,        /* the end of the log, or a divergence */
    SKEIN_HALT_BEGIN,       /* backwards: the first instruction */
};

/* What gdb's breakpoints and watchpoints do when they are met. */
enum skein_points {
    SKEIN_POINTS_OFF,
    SKEIN_POINTS_STOP, /* a breakpoint: where it is; a watchpoint: at the next gate */
    SKEIN_POINTS_NOTE, /* nothing stops; the hits are kept */
};

/* A breakpoint: met at position `at`. A watchpoint: by the instruction there. */
struct skein_hit {
    uint64_t at;
    SkeinCPU *c;
    vaddr watched;
    int flags; /* BP_MEM_…; 0: a breakpoint */
};

/* A checkpoint, and where it is. */
struct skein_mark {
    SkeinCheckpoint *cp;
    uint64_t position;
    uint64_t slices;
    uint64_t icount[SKEIN_MAX_VCPUS];
    uint64_t tick[SKEIN_MAX_VCPUS];
};

/* debug_run.c: from the replay's thread, big QEMU lock held. */
void skein_debug_observe(void);
enum skein_halt skein_debug_forward(const struct skein_goal *goal, enum skein_points points,
                                    bool may_interrupt);
/* Who executes next; at the end of the log, who was last. */
SkeinCPU *skein_debug_current(void);
/* SKEIN_VERDICT_NONE: the log goes on. */
enum skein_verdict skein_debug_verdict(void);
/* The vCPU has consumed an event. */
void skein_debug_consumed(SkeinCPU *c);
/* The vCPU is in its execution loop: it leaves at its next gate. Any vCPU's thread. */
void skein_debug_leave(SkeinCPU *c);
/* The log is over here, or differs. Returns when nobody debugs. */
void skein_debug_over(enum skein_verdict verdict);

/* After a return to a checkpoint: the log goes on. */
void skein_debug_resume_log(void);

/* debug_marks.c */
void skein_marks_take(void); /* some vCPU is about to execute */
void skein_marks_look(void); /* the same; takes one when it is time */
void skein_marks_begin_run(void);
void skein_marks_end_run(void);
struct skein_mark *skein_marks_first(void);
struct skein_mark *skein_marks_before(uint64_t position); /* NULL: none is */
void skein_marks_return(struct skein_mark *m);            /* later ones are gone then */
unsigned skein_marks_count(void);
bool skein_goal_lies_behind(const struct skein_goal *g, const struct skein_mark *m);
/* Forwards or backwards. */
enum skein_halt skein_debug_goto(const struct skein_goal *goal);

/* debug_back.c */
enum skein_halt skein_debug_reverse_step(SkeinCPU *c);
enum skein_halt skein_debug_reverse_continue(struct skein_hit *hit); /* *hit: BREAK or WATCH */

/* debug_points.c */
/* NOTE: the last hit before the position. */
bool skein_points_last(uint64_t position, struct skein_hit *hit);
void skein_points_begin(enum skein_points points);
/* The access that has to stop the run; NULL: none. */
const struct skein_hit *skein_points_watched(void);
/* A vCPU is at a breakpoint. True: it stops there. */
bool skein_points_break(SkeinCPU *c);
/* gdb hears of the watchpoint when the VM stops; NULL: of none. */
void skein_points_report(const struct skein_hit *hit);

/* debug.c: runs it in the replay's thread, while the VM is stopped. */
void skein_debug_call(void (*act)(void *opaque), void *opaque);
/* The replay's thread, for good. */
G_NORETURN void skein_debug_obey(void);
/* The session has begun, the VM has not run yet. */
void skein_debug_begin(void);

#endif
