/*
 * Recovery: what a recording and its session's shared memory still hold when those who wrote them
 * are gone. Every whole block of every segment file is kept; events that are in the shards only are
 * written behind them; what is missing is listed.
 *
 * The input is never changed in a way that can lose: new files are written beside the old ones and
 * take their names when they are complete, a file in which something was passed over stays as
 * NAME.damaged, and the session is removed last, when all that it held is on disk. Recovery that is
 * killed can be done again.
 */
#ifndef SKEIN_PIPELINE_RECOVER_H
#define SKEIN_PIPELINE_RECOVER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/error.h"
#include "pipeline/manifest.h"

struct skein_recover_opts {
    const char *source;   /* a recording, or a session's file in shared memory */
    const char *session;  /* NULL: looked for in /dev/shm by the recording's UUID */
    const char *out;      /* a directory for the result; NULL: the recording is repaired in place */
    uint64_t block_bytes; /* as in struct skein_collector_opts */
    uint64_t segment_bytes;
    void (*progress)(void *opaque, uint64_t done_bytes, uint64_t all_bytes);
    void *opaque;
};

enum skein_loss_kind {
    SKEIN_LOSS_EVENTS,  /* these ticks of this shard */
    SKEIN_LOSS_UNKNOWN, /* whatever the shard held after first_tick - 1: nobody knows how much */
    SKEIN_LOSS_FILE,    /* not events: the manifest, the snapshot */
};

struct skein_loss {
    enum skein_loss_kind kind;
    uint64_t segment; /* in which, or before which, the events are missing; 0: behind the last */
    uint64_t first_block, last_block; /* of the segment, when known; else 0 */
    uint32_t shard;
    uint64_t first_tick, last_tick;
    uint64_t bytes; /* passed over there, in the file */
    char what[160]; /* a sentence */
};

struct skein_recovered {
    struct skein_manifest manifest; /* as it is now */
    char dir[PATH_MAX];             /* where the recording is now */
    char session[PATH_MAX];         /* "": there was none */
    bool session_removed;
    bool changed; /* false: there was nothing to do */
    uint64_t events_in_files;
    uint64_t events_from_shards;
    uint64_t segments_rewritten;
    uint64_t passed_bytes; /* in all files: damaged, torn or useless */
    uint64_t checkpoints_kept;
    uint64_t checkpoints_dropped;      /* whole ones, and attempts that were cut off */
    struct skein_error checkpoint_why; /* why the first whole one was; "": none was */
    size_t loss_count;
    struct skein_loss *losses;
};

/*
 * 0: *out says what there is, and what is missing. -ENODATA: there are no events anywhere. -EBUSY:
 * a process still uses the session, or another recovery the recording. -EINVAL, -ENOENT, -EPROTO,
 * -EEXIST: the arguments. Others: I/O; what was there is still there. Free with the function below,
 * whatever the result.
 */
int skein_recover(const struct skein_recover_opts *opts, struct skein_recovered *out,
                  struct skein_error *err);
void skein_recovered_free(struct skein_recovered *out);

#endif
