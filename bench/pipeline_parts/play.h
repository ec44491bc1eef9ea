/*
 * One recording made from a tape: a child process writes the tape into the shards of a session as
 * QEMU would, this process collects them into segments. What this process spends meanwhile is what
 * the collector costs.
 */
#ifndef SKEIN_BENCH_PLAY_H
#define SKEIN_BENCH_PLAY_H

#include "bench/pipeline_parts/tape.h"
#include "pipeline/collector.h"

struct play {
    const struct tape *tape;
    uint64_t rounds;
    uint64_t events_per_s; /* 0: as fast as the collector takes them */
    uint64_t ring_bytes;   /* 0: the default */
    uint64_t block_bytes;  /* 0: the default */
    int zstd_level;        /* 0: the default */
    const char *dir;       /* the recording to make; must not exist, or be empty */
    /* Called every period_ms while the recording goes on; may be NULL. */
    void (*sample)(struct skein_session *session, struct skein_collector *collector, void *opaque);
    void *opaque;
    int period_ms;
};

struct play_result {
    struct skein_collector_status status;
    double wall_s; /* from the first event until everything is sealed */
    double cpu_s;  /* of this process: all threads of the collector */
};

int play_run(const struct play *play, struct play_result *result, struct skein_error *err);

/* Reads the recording that was made and compares every event: 0, or what is wrong. */
int play_check(const struct play *play, struct skein_error *err);

/* Removes a directory and all that is in it. */
void play_remove(const char *dir);

/* Seconds of CLOCK_MONOTONIC. */
double play_now_s(void);

#endif
