/* Verifying: recordings, cut up into epochs, that a pool of workers replays. */
#ifndef SKEIN_CLI_VERIFY_H
#define SKEIN_CLI_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/epoch.h"
#include "cli/replay_run.h"
#include "pipeline/manifest.h"

/* An epoch, or a checkpoint that cannot be used, and what came of it. */
struct skein_verify_case {
    char name[64]; /* "epoch 3 of 6", "checkpoint 2" */
    struct skein_epoch epoch;
    bool done;
    bool kept; /* of an earlier run, by the file of --resume */
    enum skein_outcome outcome;
    struct skein_error error; /* one line, unless SAME */
    bool has_divergence;
    struct skein_divergence divergence;
    uint64_t events_done;
    uint64_t slices;
    uint64_t console_bytes;
    uint64_t prepare_ns;
    uint64_t duration_ns;
    uint64_t total_ns;
};

struct skein_verify_recording {
    const char *dir;
    bool has_manifest;
    struct skein_manifest manifest;
    uint64_t fingerprint; /* of it and of QEMU; with --resume */
    uint32_t epochs;      /* 1: it has no checkpoints, or it could not be read */
    size_t case_count;
    struct skein_verify_case *cases;
    struct skein_verify_case **order; /* in which they are replayed: the longest first */
    size_t cases_done;
};

struct skein_verify {
    size_t recording_count;
    struct skein_verify_recording *recordings;
};

/*
 * Looks at the recordings. One that cannot be read is one case, whose replay will find out why.
 * -ENOMEM only.
 */
int skein_verify_plan(char *const *dirs, struct skein_verify *out, struct skein_error *err);
void skein_verify_free(struct skein_verify *v);

/* All cases of a recording in one: the worst of them, the earliest of these; sums. */
void skein_verify_sum(const struct skein_verify_recording *rec, struct skein_replay_result *sum);

/* The worse of two exit codes: interrupted, diverged, unreadable, incomplete, the same. */
int skein_verify_worse(int a, int b);

#endif
