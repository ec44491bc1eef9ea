/*
 * A recorder in small, to be killed: one process writes a known history into the shards of a
 * session, one collects it, one recovers. Each can be told to die at a test point; what the writer
 * has published is known from a page that all share, never from the session.
 */
#ifndef SKEIN_TESTS_CRASH_LAB_H
#define SKEIN_TESTS_CRASH_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/pipeline/events.h"
#include "tests/pipeline/random.h"

enum lab_role { LAB_PARENT, LAB_WRITER, LAB_COLLECTOR, LAB_RECOVERY, LAB_ROLES };
#define LAB_POINTS_MAX 64u

/* Who dies, where, when. */
struct lab_kill {
    enum lab_role role; /* LAB_PARENT: nobody at a point */
    uint32_t point;     /* the lab's number of it */
    uint32_t hit;       /* at the so-many-th time, from 1 */
    bool both;          /* writer and collector, one right after the other */
    /* At no point, but after so long; 0: not so. */
    uint32_t writer_after_us, collector_after_us;
};

struct lab_run {
    const struct history *history;
    uint64_t seed; /* of what happens beside the history: when is published, block sizes */
    struct lab_kill kill;
    bool kill_recovery; /* at recovery_point, once; then it is done again */
    uint32_t recovery_point, recovery_hit;
};

/* What is known of all runs so far, in memory that all processes share. */
struct lab_point {
    char name[48];
    uint32_t hits[LAB_ROLES];  /* in the last run */
    uint32_t kills[LAB_ROLES]; /* in all */
};

struct lab {
    struct lab_point points[LAB_POINTS_MAX];
    uint32_t point_count;
    /* This run. */
    struct lab_kill kill;
    enum lab_role victim; /* who is about to die at a point */
    pid_t writer, collector;
    uint64_t appended, publishing, published; /* events of the history */
    uint32_t collector_gone;
    /* All runs. */
    uint64_t kills, runs, recovered_events, from_shards, waits;
};

extern struct lab *lab;

void lab_open(const char *const *point_names);

/*
 * One recording, killed as told, recovered, and compared with what was published. Ends the program
 * with a message when anything is wrong.
 */
void lab_run(const struct lab_run *run);

_Noreturn void lab_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
