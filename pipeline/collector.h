/*
 * The collector: drains the shards of a recording session (one thread per NUMA node), merges them
 * into the canonical order and writes segments. It runs in threads of its own; QEMU's death ends
 * it like a stop, and everything published until then is kept. A shard's ring is given back to its
 * writer only when its events are written to a file, so that the death of the collector loses
 * nothing either: `skein recover` finds in the session what is in no file yet.
 */
#ifndef SKEIN_PIPELINE_COLLECTOR_H
#define SKEIN_PIPELINE_COLLECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pipeline/error.h"
#include "pipeline/session_map.h"
#include "pipeline/stats.h"

enum skein_durability {
    SKEIN_DURABILITY_NONE,    /* never fsync */
    SKEIN_DURABILITY_SEGMENT, /* fsync when a segment is sealed */
    SKEIN_DURABILITY_BLOCK,   /* fsync after each block too */
};

struct skein_collector_opts {
    struct skein_session *session;
    const char *dir; /* a recording made by skein_recording_create() */
    pid_t qemu_pid;  /* 0: as QEMU writes it into the session's header */
    enum skein_durability durability;
    int zstd_level;         /* 0: the default */
    uint64_t block_bytes;   /* raw bytes per block; 0: 1 MiB; at most a quarter of a ring */
    uint64_t segment_bytes; /* raw bytes per segment; 0: the default (64 MiB) */
};

enum skein_collector_state {
    SKEIN_COLLECTOR_RUNNING,
    SKEIN_COLLECTOR_DONE,   /* everything is sealed */
    SKEIN_COLLECTOR_FAILED, /* error says why; what was sealed stays */
};

struct skein_collector_status {
    enum skein_collector_state state;
    struct skein_error error; /* FAILED */
    struct skein_stats stats; /* of what is merged so far; final when DONE */
    uint64_t drained_bytes;   /* taken out of the shards so far */
    uint64_t buffered_bytes;  /* drained but not yet merged */
    uint64_t buffered_peak_bytes;
    uint64_t ring_waits; /* back-pressure */
    uint64_t ring_wait_ns;
    uint32_t drain_threads;
    bool complete;    /* DONE: every shard was closed and ended with END */
    bool qemu_died;   /* DONE: QEMU was gone before it had closed the shards */
    char reason[256]; /* DONE and not complete: one line */
};

struct skein_collector;

/* Starts draining. The session and dir must outlive the collector. */
int skein_collector_start(const struct skein_collector_opts *opts, struct skein_collector **out,
                          struct skein_error *err);

/* At any time, from any thread. */
void skein_collector_poll(struct skein_collector *collector, struct skein_collector_status *status);

/*
 * Waits until all shards are closed and drained, or QEMU is dead, and everything is sealed; at most
 * timeout_ms (-1: for ever). 0: done or failed (see the status); -ETIMEDOUT.
 */
int skein_collector_wait(struct skein_collector *collector, int timeout_ms);

/* Ends now: drains what is published, seals, waits. Fine after wait(). */
void skein_collector_stop(struct skein_collector *collector);

/* Stops if need be, and frees. */
void skein_collector_free(struct skein_collector *collector);

#endif
