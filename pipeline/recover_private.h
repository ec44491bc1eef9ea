/* The inside of recovery: recover.c leads, the others do one part each. */
#ifndef SKEIN_PIPELINE_RECOVER_PRIVATE_H
#define SKEIN_PIPELINE_RECOVER_PRIVATE_H

#include "pipeline/recover.h"
#include "pipeline/salvage.h"
#include "pipeline/session_map.h"

#define RECOVER_DIR_BYTES 3072u

/* A segment file of the source. */
struct skein_recover_file {
    struct skein_salvage *salvage;
    bool *used;        /* which of its blocks go into the result */
    size_t used_count; /* 0: nothing in it is needed */
    bool keep;         /* it is good as it is */
    bool gap;          /* events before it are missing */
};

enum skein_recovery_shard {
    SKEIN_RECOVERY_SHARD_GOOD,
    SKEIN_RECOVERY_SHARD_DAMAGED, /* nothing was taken from it; `known` says how far it went */
    SKEIN_RECOVERY_SHARD_LOST,    /* and nobody knows how far */
};

struct skein_recovery {
    const struct skein_recover_opts *opts;
    struct skein_recovered *out;
    char dir[RECOVER_DIR_BYTES];       /* the recording; "": only a session is left */
    char base[RECOVER_DIR_BYTES + 32]; /* where new files are written */
    bool made_out;                     /* base is the result, and we have made it */
    int lock_fd;

    bool has_manifest; /* it was readable */
    bool final;        /* and the collector had written it at its end */
    struct skein_salvage_identity identity;

    size_t file_count;
    struct skein_recover_file *files;
    uint64_t done_bytes, all_bytes;

    struct skein_session *session;

    /* How far the result reaches. */
    uint64_t clock[SKEIN_MAX_SHARDS];
    uint64_t known[SKEIN_MAX_SHARDS]; /* the last ticks that there were, as far as anybody says */
    uint8_t last_kind[SKEIN_MAX_SHARDS];
    uint32_t last_shard;
    uint32_t end;
    uint64_t console_bytes; /* as the END says */
    uint64_t slices;
    uint64_t last_number; /* of the last segment */
    struct skein_stats stats;

    uint64_t new_segments; /* written from the shards */
    enum skein_recovery_shard shard_state[SKEIN_MAX_SHARDS];
    bool session_spent; /* all that it holds is in the result */
};

/* Adds to the list of what is missing. -ENOMEM. */
int skein_recovery_lose(struct skein_recovery *r, const struct skein_loss *loss);

void skein_recovery_progress(struct skein_recovery *r, uint64_t bytes);

/* recover_files.c: reads all segment files and decides which blocks the result is made of. */
int skein_recovery_scan(struct skein_recovery *r, struct skein_error *err);
void skein_recovery_close_files(struct skein_recovery *r);

/* recover_write.c: writes what has to be written anew to r->base, and puts it in its place. */
int skein_recovery_write_files(struct skein_recovery *r, struct skein_error *err);
int skein_recovery_commit(struct skein_recovery *r, struct skein_error *err);
int skein_recovery_make_scratch(struct skein_recovery *r, struct skein_error *err);
void skein_recovery_remove_scratch(const struct skein_recovery *r);
void skein_recovery_remove_out(const struct skein_recovery *r);
int skein_recovery_copy(const char *from, const char *to, struct skein_error *err);

/* recover_checkpoints.c: keeps the good ones, when all else is in its place. */
int skein_recovery_checkpoints(struct skein_recovery *r, struct skein_error *err);

/* recover_session.c: finds and opens the session; -EBUSY when somebody uses it. */
int skein_recovery_find_session(struct skein_recovery *r, struct skein_error *err);

/* recover_shards.c: writes what only the shards hold behind the files' events. */
int skein_recovery_drain(struct skein_recovery *r, struct skein_error *err);

/* recover_manifest.c: the manifest from whatever there is, snapshot and console. */
int skein_recovery_read_manifest(struct skein_recovery *r, struct skein_error *err);
int skein_recovery_complete_manifest(struct skein_recovery *r, struct skein_error *err);

#endif
