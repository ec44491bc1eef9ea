/* Recovery: the manifest, from whatever there is, and the files that it names. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "pipeline/frame.h"
#include "pipeline/recover_private.h"
#include "pipeline/snapshot_file.h"

static int lose_file(struct skein_recovery *r, const char *what) {
    struct skein_loss loss = {.kind = SKEIN_LOSS_FILE};

    snprintf(loss.what, sizeof(loss.what), "%.*s", (int)sizeof(loss.what) - 1, what);
    return skein_recovery_lose(r, &loss);
}

/* What the collector counted at its end; a manifest of the start counts nothing. */
static void use_counts(struct skein_recovery *r) {
    const struct skein_manifest *m = &r->out->manifest;

    r->final = m->complete || skein_stats_events(&m->stats) != 0;
    for (uint32_t i = 0; i <= m->vcpu_count; i++) {
        r->known[i] = skein_stats_shard(&m->stats, i);
    }
}

/* A manifest of another version, not one with a damaged version. */
static bool manifest_is_whole(const struct skein_recovery *r) {
    char path[PATH_MAX];
    uint8_t bytes[32 << 10]; /* more than a manifest ever has */
    int fd;
    ssize_t n;

    snprintf(path, sizeof(path), "%s/manifest", r->dir);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd >= 0 ? read(fd, bytes, sizeof(bytes)) : -1;
    if (fd >= 0) {
        close(fd);
    }
    return n > 0 && skein_frame_whole(bytes, (size_t)n);
}

int skein_recovery_read_manifest(struct skein_recovery *r, struct skein_error *err) {
    struct skein_manifest *m = &r->out->manifest;
    struct skein_error why = {""};
    int rc = r->dir[0] != '\0' ? skein_manifest_read(r->dir, m, &why) : -ENOENT;

    if (rc == 0) {
        r->has_manifest = true;
        r->identity =
            (struct skein_salvage_identity){.known = true, .shard_count = m->vcpu_count + 1};
        memcpy(r->identity.uuid, m->uuid, sizeof(m->uuid));
        use_counts(r);
        return 0;
    }
    *m = (struct skein_manifest){0};
    if ((rc == -EPROTO && manifest_is_whole(r)) || rc == -ENOMEM || rc == -EIO || rc == -EACCES) {
        return skein_error_set(err, rc, "%s", why.text);
    }
    return 0;
}

/* A new manifest: what neither segments nor session say stays empty. */
static int rebuild(struct skein_recovery *r) {
    struct skein_manifest *m = &r->out->manifest;

    memcpy(m->uuid, r->identity.uuid, sizeof(m->uuid));
    m->vcpu_count = r->identity.shard_count - 1;
    if (r->session == NULL) {
        return lose_file(r, "the manifest: what was recorded, on what machine and from which "
                            "kernel is not known");
    }
    const struct skein_session_header *h = skein_session_header(r->session);
    m->scope = h->scope;
    m->digest_interval = h->digest_interval;
    m->memory_bytes = h->ram_bytes;
    m->tsc_start = h->tsc_start;
    snprintf(m->machine, sizeof(m->machine), "%.*s", (int)sizeof(h->machine) - 1, h->machine);
    snprintf(m->cpu_model, sizeof(m->cpu_model), "%.*s", (int)sizeof(h->cpu_model) - 1,
             h->cpu_model);
    return lose_file(r, "the manifest: the names of kernel and initrd, the command line and the "
                        "date are not known");
}

static void use_session(struct skein_recovery *r) {
    const struct skein_session_header *h = skein_session_header(r->session);
    struct skein_manifest *m = &r->out->manifest;

    if (skein_session_state(r->session) == SKEIN_STATE_ENDED && h->end_ns > h->start_ns) {
        m->duration_ns = h->end_ns - h->start_ns;
    }
    m->kernel_icount = h->kernel_icount;
    m->token_waits = h->token_waits;
    m->token_wait_ns = h->token_wait_ns;
    skein_session_waits(r->session, &m->ring_waits, &m->ring_wait_ns);
}

/* The size of what is in a compressed snapshot; -EBADMSG when it is not whole. */
static int expand_to_nothing(int fd, uint64_t *raw_bytes) {
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    const size_t in_bytes = ZSTD_DStreamInSize(), out_bytes = ZSTD_DStreamOutSize();
    uint8_t *in = malloc(in_bytes), *out = malloc(out_bytes);
    size_t left = 1;
    ssize_t n = -1;
    int rc = zstd != NULL && in != NULL && out != NULL ? 0 : -ENOMEM;

    *raw_bytes = 0;
    while (rc == 0 && (n = read(fd, in, in_bytes)) > 0) {
        ZSTD_inBuffer from = {in, (size_t)n, 0};
        bool more = true;
        while (rc == 0 && more) {
            ZSTD_outBuffer to = {out, out_bytes, 0};
            left = ZSTD_decompressStream(zstd, &to, &from);
            rc = ZSTD_isError(left) ? -EBADMSG : 0;
            *raw_bytes += to.pos;
            more = from.pos < from.size || to.pos == to.size;
        }
    }
    if (rc == 0) {
        rc = n < 0 ? -errno : left != 0 ? -EBADMSG : 0;
    }
    ZSTD_freeDCtx(zstd);
    free(in);
    free(out);
    return rc;
}

/* A snapshot that the manifest does not know yet: the recorder died before it had said so. */
static int adopt_snapshot(struct skein_recovery *r, const char *path, struct skein_error *err) {
    struct skein_manifest *m = &r->out->manifest;
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

    if (fd < 0) {
        return -ENOENT;
    }
    rc = expand_to_nothing(fd, &m->snapshot_raw_bytes);
    close(fd);
    if (rc == 0) {
        rc = skein_manifest_file_fill(&m->snapshot, path, err);
        snprintf(m->snapshot.path, sizeof(m->snapshot.path), "%s", SKEIN_SNAPSHOT_NAME);
    }
    return rc;
}

/* The snapshot was whole then. A recording that QEMU has given up had begun, too. */
static bool has_begun(struct skein_session *session) {
    const enum skein_session_state state = skein_session_state(session);

    return state == SKEIN_STATE_RUNNING || state == SKEIN_STATE_ENDED ||
           (state == SKEIN_STATE_FAILED && skein_session_header(session)->start_ns != 0);
}

/* The raw snapshot beside the session, which QEMU has written and nobody has packed. */
static int pack_snapshot(struct skein_recovery *r, const char *dir, struct skein_error *err) {
    char raw[PATH_MAX + 16];

    if (r->session == NULL) {
        return -ENOENT;
    }
    snprintf(raw, sizeof(raw), "%s.snapshot", r->out->session);
    if (!has_begun(r->session) || access(raw, R_OK) != 0) {
        return -ENOENT;
    }
    return skein_snapshot_compress(raw, dir, &r->out->manifest.snapshot,
                                   &r->out->manifest.snapshot_raw_bytes, err);
}

static int find_snapshot(struct skein_recovery *r, const char *dir, const char *path,
                         struct skein_error *err) {
    int rc = pack_snapshot(r, dir, err);

    if (rc == 0) {
        r->out->changed = true;
        return 0;
    }
    if (rc != -ENOENT) {
        return rc;
    }
    rc = adopt_snapshot(r, path, err);
    if (rc == -ENOENT || rc == -EBADMSG) {
        r->out->manifest.snapshot = (struct skein_manifest_file){.size_bytes = 0};
        rc = lose_file(r, "the snapshot: without it nothing can be replayed");
    }
    return rc;
}

static int check_snapshot(struct skein_recovery *r, const char *path, struct skein_error *err) {
    struct skein_manifest_file found = {.size_bytes = 0};
    const struct skein_manifest_file *want = &r->out->manifest.snapshot;

    if (access(path, F_OK) != 0) {
        return lose_file(r, "the snapshot is gone: without it nothing can be replayed");
    }
    if (skein_manifest_file_fill(&found, path, err) != 0) {
        return -EIO;
    }
    if (found.size_bytes != want->size_bytes || found.xxh64 != want->xxh64) {
        return lose_file(r, "the snapshot is damaged: what it says may be wrong");
    }
    return 0;
}

static int copy_beside(const struct skein_recovery *r, const char *name, struct skein_error *err) {
    char from[PATH_MAX], to[PATH_MAX];

    snprintf(from, sizeof(from), "%s/%s", r->dir, name);
    snprintf(to, sizeof(to), "%s/%s", r->base, name);
    if (access(from, F_OK) != 0 || access(to, F_OK) == 0) {
        return 0;
    }
    return skein_recovery_copy(from, to, err);
}

static int take_files(struct skein_recovery *r, struct skein_error *err) {
    struct skein_manifest *m = &r->out->manifest;
    const char *dir = r->opts->out != NULL ? r->base : r->dir;
    char path[PATH_MAX];
    int rc;

    snprintf(path, sizeof(path), "%s/%s", r->dir, SKEIN_SNAPSHOT_NAME);
    rc = m->snapshot.size_bytes != 0 ? check_snapshot(r, path, err)
                                     : find_snapshot(r, dir, path, err);
    if (rc == 0 && r->opts->out != NULL && r->dir[0] != '\0' &&
        (rc = copy_beside(r, SKEIN_SNAPSHOT_NAME, err)) == 0) {
        rc = copy_beside(r, SKEIN_CONSOLE_NAME, err);
    }
    snprintf(path, sizeof(path), "%s/%s", dir, SKEIN_CONSOLE_NAME);
    if (rc == 0 && !r->final && access(path, R_OK) == 0 &&
        (rc = skein_manifest_file_fill(&m->console, path, err)) == 0) {
        snprintf(m->console.path, sizeof(m->console.path), "%s", SKEIN_CONSOLE_NAME);
    }
    return rc;
}

static bool all_ended(const struct skein_recovery *r) {
    for (uint32_t i = 0; i < r->identity.shard_count; i++) {
        if (r->last_kind[i] != SKEIN_END) {
            return false;
        }
    }
    return true;
}

/* Before the last END there is no telling how long it was. */
static int check_console(struct skein_recovery *r) {
    const uint64_t bytes = r->out->manifest.console.size_bytes;

    if (r->final || !all_ended(r) || bytes >= r->console_bytes) {
        return 0;
    }
    return lose_file(r, "the end of console.log: a replay makes it again");
}

static int lose_end(struct skein_recovery *r, enum skein_loss_kind kind, uint32_t shard,
                    const char *what) {
    struct skein_loss loss = {.kind = kind,
                              .shard = shard,
                              .first_tick = r->clock[shard] + 1,
                              .last_tick = kind == SKEIN_LOSS_EVENTS ? r->known[shard] : 0};

    snprintf(loss.what, sizeof(loss.what), "%s", what);
    return skein_recovery_lose(r, &loss);
}

/* What is missing of one shard behind the place where the result ends. */
static int note_shard_end(struct skein_recovery *r, uint32_t shard) {
    if (r->shard_state[shard] == SKEIN_RECOVERY_SHARD_LOST) {
        return lose_end(r, SKEIN_LOSS_UNKNOWN, shard,
                        "the shard's memory is damaged, and does not say how much was in it");
    }
    if (r->clock[shard] >= r->known[shard]) {
        return 0;
    }
    return lose_end(r, SKEIN_LOSS_EVENTS, shard,
                    r->shard_state[shard] != SKEIN_RECOVERY_SHARD_GOOD
                        ? "the shard's memory is damaged"
                    : r->session != NULL ? "they follow events that are missing"
                                         : "their blocks are damaged or missing");
}

/* Events that are known to have been, or may have been, behind where the result ends. */
static int note_missing_end(struct skein_recovery *r) {
    int rc = 0;

    for (uint32_t i = 0; i < r->identity.shard_count && rc == 0; i++) {
        rc = note_shard_end(r, i);
        /* The recorder was killed, and what it left in memory cannot be read or is gone. */
        if (rc == 0 && !r->final && r->session == NULL && r->last_kind[i] != SKEIN_END) {
            rc = lose_end(r, SKEIN_LOSS_UNKNOWN, i,
                          r->out->session[0] != '\0'
                              ? "the session's shared memory is damaged"
                              : "the session's shared memory is gone, and what only that held");
        }
    }
    return rc;
}

static bool is_complete(const struct skein_recovery *r) {
    const struct skein_manifest *m = &r->out->manifest;

    return !m->loss && r->out->loss_count == 0 && all_ended(r) && m->snapshot.size_bytes != 0;
}

static void say_end(struct skein_recovery *r) {
    struct skein_manifest *m = &r->out->manifest;
    const struct skein_recovered *o = r->out;

    m->loss |= o->loss_count != 0;
    m->complete = is_complete(r);
    m->end = all_ended(r) ? r->end : 0;
    if (m->complete) {
        m->end_reason[0] = '\0';
    } else if (o->loss_count != 0) {
        snprintf(m->end_reason, sizeof(m->end_reason), "recovered, and not whole: %s",
                 o->losses[0].what);
    } else if (!r->final || o->changed) {
        snprintf(m->end_reason, sizeof(m->end_reason),
                 "recovered: the recorder or QEMU was killed before the end");
    }
}

int skein_recovery_complete_manifest(struct skein_recovery *r, struct skein_error *err) {
    struct skein_manifest *m = &r->out->manifest;
    int rc = r->has_manifest ? 0 : rebuild(r);

    if (rc == 0) {
        rc = take_files(r, err);
    }
    if (rc == 0) {
        rc = note_missing_end(r);
    }
    if (rc == 0) {
        rc = check_console(r);
    }
    if (rc == -ENOMEM) {
        return skein_error_set(err, rc, "out of memory");
    }
    if (rc != 0) {
        return rc;
    }
    r->out->changed |= !r->final || !r->has_manifest;
    /* QEMU died when all was said: every shard has its END, so nothing is missing. */
    r->out->changed |= !m->complete && is_complete(r);
    /* Whole files are gone: nothing of what is there has to be written anew, but this. */
    r->out->changed |= m->complete && !is_complete(r);
    if (m->loss && r->out->loss_count == 0) {
        rc = lose_file(r, m->end_reason);
    }
    if (r->out->changed) {
        if (r->session != NULL) {
            use_session(r);
        }
        m->stats = r->stats;
        m->stats.shard_count = r->identity.shard_count;
        say_end(r);
    }
    return rc;
}
