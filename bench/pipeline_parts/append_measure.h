/*
 * What one append costs, measured the same way for every side: batches whose appends are timed in
 * groups of 64, one publish among them, in turn with batches in which each append is timed by
 * itself. The timer costs more than an append and its step is coarse (about 10 ns on some AMD
 * processors): groups give the typical cost, single appends the tail. The timer's own median is
 * measured in the same place, subtracted, and reported.
 *
 * Ticks are those of the TSC, which is not the clock of the core.
 */
#ifndef SKEIN_BENCH_APPEND_MEASURE_H
#define SKEIN_BENCH_APPEND_MEASURE_H

#include <stdint.h>
#include <x86intrin.h>

#define BATCH_EVENTS 4096u
#define PUBLISH_EVENTS 64u /* QEMU's recorder does so, too */
#define BUCKETS 65536u     /* of one tick; the last one holds all that took longer */

/* One writer. Only its thread touches it while it runs. */
struct lane {
    unsigned number;
    uint64_t batches; /* of each of the two sorts */
    void *target;     /* what it appends to; by side */
    uint64_t pauses;  /* times it waited because the consumer was behind */
    uint64_t ticks;   /* that all groups took */
    /* Histograms: over groups, over the appends timed one by one, over empty measurements. */
    uint32_t group_ticks[BUCKETS], append_ticks[BUCKETS], timer_ticks[BUCKETS];
};

static inline uint64_t ticks_now(void) {
    unsigned cpu;

    return __rdtscp(&cpu);
}

static inline uint32_t bucket_of(uint64_t ticks) {
    return ticks < BUCKETS ? (uint32_t)ticks : BUCKETS - 1;
}

/*
 * The body of a writer. append() takes a record of 16 bytes; its n-th call of all publishes when n
 * is a multiple of PUBLISH_EVENTS, if the side has that. rest() is called between batches, when no
 * time is taken: it waits while the consumer is far behind. Both are inlined here.
 */
static inline __attribute__((always_inline)) void
lane_measure(struct lane *lane, void (*append)(void *target, uint64_t first, uint64_t second),
             void (*rest)(struct lane *lane)) {
    uint64_t n = 0;

    for (uint64_t batch = 0; batch < lane->batches; batch++) {
        for (unsigned group = 0; group < BATCH_EVENTS / PUBLISH_EVENTS; group++) {
            const uint64_t before = ticks_now();
            for (unsigned i = 0; i < PUBLISH_EVENTS; i++) {
                append(lane->target, ++n, lane->number);
            }
            const uint64_t ticks = ticks_now() - before;
            lane->ticks += ticks;
            lane->group_ticks[bucket_of(ticks)]++;
        }
        rest(lane);
        for (unsigned i = 0; i < BATCH_EVENTS; i++) {
            const uint64_t before = ticks_now();
            append(lane->target, ++n, lane->number);
            lane->append_ticks[bucket_of(ticks_now() - before)]++;
        }
        for (unsigned i = 0; i < PUBLISH_EVENTS; i++) {
            const uint64_t before = ticks_now();
            lane->timer_ticks[bucket_of(ticks_now() - before)]++;
        }
        rest(lane);
    }
}

struct append_side {
    const char *name;
    /* Called once, before the writers; sets the target of each lane. 0 or an exit code. */
    int (*open)(struct lane *lanes, unsigned writers);
    void *(*write)(void *lane); /* the writer thread: lane_measure() */
    void *(*drain)(void *);     /* the consumer thread, or NULL; ends when append_done() */
    /* After all: events that were appended and did not arrive; waits of the side's own. */
    void (*close)(struct lane *lanes, unsigned writers, uint64_t *lost, uint64_t *waits);
};

/* True when all writers have ended: what is in the queues now is all. */
int append_done(void);

/* Runs the side with the arguments WRITERS BATCHES, prints one line; the exit code of main(). */
int append_main(const struct append_side *side, int argc, char **argv);

#endif
