#include "pipeline/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/recording.h"
#include "pipeline/recover_private.h"
#include "pipeline/test_point.h"

int skein_recovery_lose(struct skein_recovery *r, const struct skein_loss *loss) {
    struct skein_recovered *o = r->out;
    struct skein_loss *grown = realloc(o->losses, (o->loss_count + 1) * sizeof(*grown));

    if (grown == NULL) {
        return -ENOMEM;
    }
    o->losses = grown;
    o->losses[o->loss_count++] = *loss;
    return 0;
}

void skein_recovery_progress(struct skein_recovery *r, uint64_t bytes) {
    r->done_bytes += bytes;
    if (r->opts->progress != NULL) {
        r->opts->progress(r->opts->opaque, r->done_bytes, r->all_bytes);
    }
}

/* A directory is a recording, a file a session. */
static int resolve(struct skein_recovery *r, struct skein_error *err) {
    const struct skein_recover_opts *o = r->opts;
    struct stat st;

    if (stat(o->source, &st) != 0) {
        return skein_error_sys(err, -errno, "cannot open %s", o->source);
    }
    if (strlen(o->source) >= RECOVER_DIR_BYTES ||
        (o->out != NULL && strlen(o->out) >= RECOVER_DIR_BYTES)) {
        return skein_error_set(err, -ENAMETOOLONG, "the name of the recording is too long");
    }
    if (S_ISDIR(st.st_mode)) {
        snprintf(r->dir, sizeof(r->dir), "%s", o->source);
        return 0;
    }
    if (o->out == NULL) {
        return skein_error_set(err, -EINVAL,
                               "%s is no directory: to recover a session alone, say where to with "
                               "-o; to complete a recording, name its directory",
                               o->source);
    }
    return 0;
}

/* One recovery at a time. */
static int lock(struct skein_recovery *r, struct skein_error *err) {
    if (r->dir[0] == '\0') {
        return 0;
    }
    r->lock_fd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->lock_fd < 0) {
        return skein_error_sys(err, -errno, "cannot open %s", r->dir);
    }
    if (flock(r->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return skein_error_set(err, -EBUSY, "%s is being recovered by another process", r->dir);
    }
    return 0;
}

static bool looks_like_recording(const struct skein_recovery *r) {
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/segments", r->dir);
    return r->has_manifest || access(path, F_OK) == 0;
}

/* Twice: read, and written or copied. */
static void measure(struct skein_recovery *r) {
    char path[PATH_MAX];
    struct stat st;

    for (unsigned n = 1;; n++) {
        snprintf(path, sizeof(path), "%s/segments/%06u.skn", r->dir, n);
        if (stat(path, &st) != 0) {
            return;
        }
        r->all_bytes += 2 * (uint64_t)st.st_size;
    }
}

/* Everything that there is: manifest, segment files, session. */
static int look(struct skein_recovery *r, struct skein_error *err) {
    int rc = skein_recovery_read_manifest(r, err);

    if (rc != 0) {
        return rc;
    }
    if (r->dir[0] != '\0' && !looks_like_recording(r)) {
        return skein_error_set(err, -EINVAL, "%s is not a recording: no manifest, no segments",
                               r->dir);
    }
    measure(r);
    if ((rc = skein_recovery_scan(r, err)) != 0) {
        return rc;
    }
    return skein_recovery_find_session(r, err);
}

static int open_base(struct skein_recovery *r, struct skein_error *err) {
    struct skein_manifest start = r->out->manifest;
    int rc;

    if (r->opts->out == NULL) {
        snprintf(r->base, sizeof(r->base), "%s/recover.partial", r->dir);
        return skein_recovery_make_scratch(r, err);
    }
    snprintf(r->base, sizeof(r->base), "%s", r->opts->out);
    memcpy(start.uuid, r->identity.uuid, sizeof(start.uuid));
    start.vcpu_count = r->identity.shard_count - 1;
    start.complete = false;
    start.stats = (struct skein_stats){.shard_count = 0};
    snprintf(start.end_reason, sizeof(start.end_reason),
             "it is being recovered, or that was interrupted");
    rc = skein_recording_create(r->base, &start, err);
    r->made_out = rc == 0;
    return rc;
}

/* A manifest that cannot be read is kept, too. */
static int set_manifest_aside(const struct skein_recovery *r, struct skein_error *err) {
    char from[PATH_MAX], to[PATH_MAX];

    snprintf(from, sizeof(from), "%s/manifest", r->dir);
    snprintf(to, sizeof(to), "%s/manifest.damaged", r->dir);
    if (r->has_manifest || access(from, F_OK) != 0 || rename(from, to) == 0) {
        return 0;
    }
    return skein_error_sys(err, -errno, "cannot rename %s", from);
}

static int put_in_place(struct skein_recovery *r, struct skein_error *err) {
    int rc = 0;

    if (r->opts->out == NULL && (rc = skein_recovery_commit(r, err)) == 0) {
        rc = set_manifest_aside(r, err);
    }
    if (rc == 0) {
        rc = skein_manifest_write(r->out->dir, &r->out->manifest, err);
        SKEIN_TEST_POINT("recover.manifest_written");
    }
    return rc;
}

/* The session and what the recorder put beside it. */
static void remove_session(struct skein_recovery *r) {
    static const char *const beside[] = {".snapshot", ".console"};
    char path[PATH_MAX + 32];

    if (r->session == NULL || !r->session_spent) {
        return;
    }
    r->out->session_removed = skein_session_unlink(r->session) == 0;
    SKEIN_TEST_POINT("recover.session_removed");
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s%s", r->out->session, beside[i]);
        unlink(path);
    }
    /* A checkpoint that nobody has packed; it can be taken again, in a replay. */
    snprintf(path, sizeof(path), "%s.checkpoint.%" PRIu32, r->out->session,
             skein_session_header(r->session)->checkpoints_packed + 1);
    unlink(path);
}

static int write_all(struct skein_recovery *r, struct skein_error *err) {
    int rc = open_base(r, err);

    if (rc == 0) {
        rc = skein_recovery_write_files(r, err);
    }
    if (rc == 0 && r->session != NULL) {
        rc = skein_recovery_drain(r, err);
    }
    if (rc == 0 && r->out->events_in_files + r->out->events_from_shards == 0) {
        rc = skein_error_set(err, -ENODATA,
                             "%s: there are no events, neither in files nor in "
                             "shared memory",
                             r->opts->source);
    }
    if (rc == 0) {
        rc = skein_recovery_complete_manifest(r, err);
    }
    if (rc == 0 && (r->out->changed || r->opts->out != NULL)) {
        rc = put_in_place(r, err);
    }
    if (rc == 0) {
        rc = skein_recovery_checkpoints(r, err);
    }
    if (r->opts->out == NULL) {
        skein_recovery_remove_scratch(r);
    } else if (rc != 0 && r->made_out) {
        skein_recovery_remove_out(r);
    }
    if (rc == 0) {
        remove_session(r);
    }
    return rc;
}

static int recover(struct skein_recovery *r, struct skein_error *err) {
    struct skein_recover_opts opts = *r->opts;
    int rc = resolve(r, err);

    if (rc != 0) {
        return rc;
    }
    if (r->dir[0] == '\0' && opts.session == NULL) {
        opts.session = opts.source;
    }
    r->opts = &opts;
    snprintf(r->out->dir, sizeof(r->out->dir), "%s", opts.out != NULL ? opts.out : r->dir);
    if ((rc = lock(r, err)) == 0 && (rc = look(r, err)) == 0) {
        rc = r->identity.known
                 ? write_all(r, err)
                 : skein_error_set(err, -ENODATA, "%s: nothing in it can be read", opts.source);
    }
    return rc;
}

int skein_recover(const struct skein_recover_opts *opts, struct skein_recovered *out,
                  struct skein_error *err) {
    struct skein_recovery *r = calloc(1, sizeof(*r));
    int rc;

    *out = (struct skein_recovered){.loss_count = 0};
    if (r == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    r->opts = opts;
    r->out = out;
    r->lock_fd = -1;
    r->last_shard = SKEIN_SHARD_NONE;
    rc = recover(r, err);
    skein_recovery_close_files(r);
    skein_session_close(r->session);
    if (r->lock_fd >= 0) {
        close(r->lock_fd);
    }
    free(r);
    return rc;
}

void skein_recovered_free(struct skein_recovered *out) {
    free(out->losses);
    out->losses = NULL;
    out->loss_count = 0;
}
