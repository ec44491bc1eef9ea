/* One replay, from opening the recording to the verdict: what replay and verify share. */
#ifndef SKEIN_CLI_REPLAY_RUN_H
#define SKEIN_CLI_REPLAY_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/epoch.h"
#include "pipeline/error.h"
#include "pipeline/manifest.h"
#include "pipeline/session.h"

struct skein_replay_opts {
    const char *qemu;  /* NULL: not chosen */
    bool qemu_checked; /* it is the path of one that can replay */
    bool show;         /* console on stdout, progress on a terminal */
    bool verbose;      /* QEMU's own messages on stderr */

    const struct skein_epoch *epoch; /* NULL: all of it */
    uint32_t epoch_ms;               /* add a checkpoint so often; 0: none */
    uint32_t instance;               /* of the replays that run at once; 0: the only one */
    int end_fd;                      /* readable: end; 0: at SIGINT and SIGTERM */
    uint64_t *events_done;    /* kept up to date meanwhile, with relaxed stores; may be NULL */
    const char *qemu_options; /* more of the replay object's properties, with a comma in front */
    bool gdb;                 /* gdb runs it */
    uint32_t gdb_port;        /* 0: any */
    const char *vmlinux;      /* for gdb; NULL: none */
};

enum skein_outcome {
    SKEIN_OUTCOME_SAME,
    SKEIN_OUTCOME_DIVERGED,
    SKEIN_OUTCOME_INCOMPLETE, /* the recording has no end; the same as far as it goes */
    SKEIN_OUTCOME_UNREADABLE, /* or no QEMU to replay it with */
    SKEIN_OUTCOME_CRASHED,    /* QEMU died in mid-replay */
    SKEIN_OUTCOME_INTERRUPTED,
    SKEIN_OUTCOME_LEFT, /* gdb ended it somewhere */
};

struct skein_replay_result {
    enum skein_outcome outcome;
    struct skein_error error; /* one line, unless SAME */
    bool has_divergence;      /* QEMU's; a console difference has none */
    struct skein_divergence divergence;
    bool has_manifest; /* the recording could be opened */
    struct skein_manifest manifest;
    uint32_t epochs;      /* verify: of how many this is the sum; 0 or 1: it is of one replay */
    uint32_t epochs_same; /* how many of them were the same */
    char where[64];       /* the epoch to which outcome, error and divergence belong */
    uint64_t events_done;
    uint64_t events_total;
    uint64_t slices;
    uint64_t console_bytes;
    uint64_t prepare_ns;  /* opening and unpacking, up to QEMU's start */
    uint64_t duration_ns; /* of the execution alone */
    uint64_t total_ns;    /* with unpacking and starting */
};

void skein_replay_run(const char *dir, const struct skein_replay_opts *opts,
                      struct skein_replay_result *result);

/* The exit code that belongs to it. */
int skein_outcome_exit(enum skein_outcome outcome);

/* "same", "diverged", … */
const char *skein_outcome_name(enum skein_outcome outcome);

#endif
