/* The workers: so many replays at once, over all cases of all recordings. */
#ifndef SKEIN_CLI_VERIFY_POOL_H
#define SKEIN_CLI_VERIFY_POOL_H

#include "cli/verify.h"
#include "cli/verify_store.h"

struct skein_verify_pool_opts {
    struct skein_replay_opts run; /* what all replays have in common */
    uint32_t workers;
    struct skein_verify_store *store; /* NULL: results are not kept */
    bool quiet;                       /* no progress */
    /* A recording is done, as are all before it; from the calling thread. */
    void (*recording_done)(const struct skein_verify_recording *rec, void *opaque);
    void *opaque;
};

/*
 * Replays every case that is not done. After SIGINT or SIGTERM it begins no more and ends those
 * that run. Fails when not even one worker can be started, or results cannot be kept.
 */
int skein_verify_pool_run(struct skein_verify *v, const struct skein_verify_pool_opts *opts,
                          struct skein_error *err);

#endif
