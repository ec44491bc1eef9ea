#include "pipeline/snapshot_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "pipeline/recording.h"

#define BUFFER_BYTES (1u << 20)

struct skein_snapshot_stream {
    struct skein_manifest_file want;
    uint64_t want_raw_bytes;
    int fd;
    char path[PATH_MAX];
    ZSTD_DCtx *zstd;
    XXH64_state_t *hash;
    ZSTD_inBuffer in;
    bool pending; /* zstd may have output without more input */
    uint64_t in_bytes, out_bytes;
    uint8_t buffer[BUFFER_BYTES];
};

int skein_snapshot_stream_open(const char *dir, const struct skein_manifest *manifest,
                               struct skein_snapshot_stream **out, struct skein_error *err) {
    struct skein_snapshot_stream *s = malloc(sizeof(*s));

    if (s == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    s->want = manifest->snapshot;
    s->want_raw_bytes = manifest->snapshot_raw_bytes;
    s->zstd = ZSTD_createDCtx();
    s->hash = XXH64_createState();
    s->in = (ZSTD_inBuffer){s->buffer, 0, 0};
    s->pending = false;
    s->in_bytes = s->out_bytes = 0;
    snprintf(s->path, sizeof(s->path), "%s/%s", dir, SKEIN_SNAPSHOT_NAME);
    s->fd = open(s->path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0 || s->zstd == NULL || s->hash == NULL) {
        const int rc = s->fd < 0 ? skein_error_sys(err, -errno, "cannot open %s", s->path)
                                 : skein_error_set(err, -ENOMEM, "out of memory");
        skein_snapshot_stream_close(s);
        return rc;
    }
    XXH64_reset(s->hash, 0);
    *out = s;
    return 0;
}

void skein_snapshot_stream_close(struct skein_snapshot_stream *s) {
    if (s == NULL) {
        return;
    }
    if (s->fd >= 0) {
        close(s->fd);
    }
    ZSTD_freeDCtx(s->zstd);
    XXH64_freeState(s->hash);
    free(s);
}

const char *skein_snapshot_stream_path(const struct skein_snapshot_stream *s) {
    return s->path;
}

/* -ENODATA: the file has ended. */
static int refill(struct skein_snapshot_stream *s) {
    const ssize_t got = read(s->fd, s->buffer, sizeof(s->buffer));

    if (got <= 0) {
        return got < 0 ? -errno : -ENODATA;
    }
    s->in = (ZSTD_inBuffer){s->buffer, (size_t)got, 0};
    s->in_bytes += (uint64_t)got;
    XXH64_update(s->hash, s->buffer, (size_t)got);
    return 0;
}

static int expand(struct skein_snapshot_stream *s, void *to, size_t bytes) {
    ZSTD_outBuffer out = {to, bytes, 0};

    while (out.pos < bytes) {
        if (s->in.pos == s->in.size && !s->pending) {
            const int rc = refill(s);
            if (rc != 0) {
                return rc;
            }
        }
        if (ZSTD_isError(ZSTD_decompressStream(s->zstd, &out, &s->in))) {
            return -EBADMSG;
        }
        s->pending = out.pos == out.size;
    }
    s->out_bytes += bytes;
    return s->out_bytes <= s->want_raw_bytes ? 0 : -EBADMSG;
}

int skein_snapshot_stream_read(void *stream, void *to, size_t bytes) {
    struct skein_snapshot_stream *s = stream;
    uint8_t nowhere[4096];
    int rc = 0;

    if (to != NULL) {
        return expand(s, to, bytes);
    }
    while (bytes != 0 && rc == 0) {
        const size_t n = bytes < sizeof(nowhere) ? bytes : sizeof(nowhere);
        rc = expand(s, nowhere, n);
        bytes -= n;
    }
    return rc;
}

int skein_snapshot_stream_finish(struct skein_snapshot_stream *s, struct skein_error *err) {
    uint8_t more;
    int rc = expand(s, &more, 1);

    if (rc != 0 && rc != -ENODATA && rc != -EBADMSG) {
        return skein_error_sys(err, rc, "cannot read %s", s->path);
    }
    if (rc != -ENODATA || s->in_bytes != s->want.size_bytes || s->out_bytes != s->want_raw_bytes ||
        XXH64_digest(s->hash) != s->want.xxh64) {
        return skein_error_set(err, -EBADMSG,
                               "%s is not the snapshot of this recording, or is damaged", s->path);
    }
    return 0;
}
