#include "pipeline/snapshot_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "pipeline/file.h"
#include "pipeline/recording.h"

#define LEVEL 1 /* RAM images: twice the time buys a few per cent */
#define IN_BYTES (1u << 20)

/* One pass from a file to a file through zstd, either way. */
struct pass {
    int in, out;
    uint8_t *in_buffer, *out_buffer;
    size_t out_capacity;
    uint64_t in_bytes, out_bytes;
    XXH64_state_t *hash; /* of the compressed side */
};

static int pass_open(struct pass *p, const char *from, const char *to, struct skein_error *err) {
    *p = (struct pass){.in = -1, .out = -1, .out_capacity = ZSTD_compressBound(IN_BYTES)};
    p->in_buffer = malloc(IN_BYTES);
    p->out_buffer = malloc(p->out_capacity);
    p->hash = XXH64_createState();
    if (p->in_buffer == NULL || p->out_buffer == NULL || p->hash == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    XXH64_reset(p->hash, 0);
    p->in = open(from, O_RDONLY | O_CLOEXEC);
    if (p->in < 0) {
        return skein_error_sys(err, -errno, "cannot open %s", from);
    }
    p->out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (p->out < 0) {
        return skein_error_sys(err, -errno, "cannot create %s", to);
    }
    return 0;
}

static void pass_close(struct pass *p) {
    if (p->in >= 0) {
        close(p->in);
    }
    if (p->out >= 0) {
        close(p->out);
    }
    free(p->in_buffer);
    free(p->out_buffer);
    XXH64_freeState(p->hash);
}

/* The next input; *n = 0 at the end. */
static int pass_read(struct pass *p, size_t *n) {
    const ssize_t got = read(p->in, p->in_buffer, IN_BYTES);

    if (got < 0) {
        return -errno;
    }
    *n = (size_t)got;
    p->in_bytes += *n;
    return 0;
}

static int compress_all(struct pass *p, ZSTD_CCtx *zstd) {
    size_t n = 0, left;
    int rc;

    do {
        if ((rc = pass_read(p, &n)) != 0) {
            return rc;
        }
        ZSTD_inBuffer in = {p->in_buffer, n, 0};
        do {
            ZSTD_outBuffer out = {p->out_buffer, p->out_capacity, 0};
            left = ZSTD_compressStream2(zstd, &out, &in, n != 0 ? ZSTD_e_continue : ZSTD_e_end);
            if (ZSTD_isError(left)) {
                return -ENOMEM;
            }
            XXH64_update(p->hash, p->out_buffer, out.pos);
            p->out_bytes += out.pos;
            if ((rc = skein_file_write(p->out, p->out_buffer, out.pos)) != 0) {
                return rc;
            }
        } while (n != 0 ? in.pos < in.size : left != 0);
    } while (n != 0);
    return fsync(p->out) == 0 ? 0 : -errno;
}

int skein_snapshot_compress(const char *raw_path, const char *dir, struct skein_manifest_file *file,
                            uint64_t *raw_bytes, struct skein_error *err) {
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    struct pass p;
    char path[PATH_MAX];
    int rc;

    snprintf(path, sizeof(path), "%s/%s", dir, SKEIN_SNAPSHOT_NAME);
    rc = pass_open(&p, raw_path, path, err);
    if (rc == 0) {
        ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, LEVEL);
        rc = compress_all(&p, zstd);
        if (rc != 0) {
            skein_error_sys(err, rc, "cannot compress the snapshot into %s", path);
        }
    }
    if (rc == 0) {
        snprintf(file->path, sizeof(file->path), "%s", SKEIN_SNAPSHOT_NAME);
        file->size_bytes = p.out_bytes;
        file->xxh64 = XXH64_digest(p.hash);
        *raw_bytes = p.in_bytes;
    }
    pass_close(&p);
    ZSTD_freeCCtx(zstd);
    return rc;
}

/* -EBADMSG: no zstd frame. */
static int expand_all(struct pass *p, ZSTD_DCtx *zstd, uint64_t limit) {
    size_t n = 0;
    int rc;

    while ((rc = pass_read(p, &n)) == 0 && n != 0) {
        ZSTD_inBuffer in = {p->in_buffer, n, 0};
        bool full = true;
        XXH64_update(p->hash, p->in_buffer, n);
        while (in.pos < in.size || full) {
            ZSTD_outBuffer out = {p->out_buffer, p->out_capacity, 0};
            if (ZSTD_isError(ZSTD_decompressStream(zstd, &out, &in))) {
                return -EBADMSG;
            }
            full = out.pos == out.size;
            p->out_bytes += out.pos;
            if (p->out_bytes > limit) {
                return -EBADMSG;
            }
            if ((rc = skein_file_write(p->out, p->out_buffer, out.pos)) != 0) {
                return rc;
            }
        }
    }
    return rc;
}

int skein_snapshot_expand(const char *dir, const struct skein_manifest *manifest,
                          const char *raw_path, struct skein_error *err) {
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    struct pass p;
    char path[PATH_MAX];
    int rc;

    snprintf(path, sizeof(path), "%s/%s", dir, SKEIN_SNAPSHOT_NAME);
    rc = pass_open(&p, path, raw_path, err);
    if (rc == 0) {
        rc = expand_all(&p, zstd, manifest->snapshot_raw_bytes);
        if (rc == -EBADMSG || (rc == 0 && (p.in_bytes != manifest->snapshot.size_bytes ||
                                           p.out_bytes != manifest->snapshot_raw_bytes ||
                                           XXH64_digest(p.hash) != manifest->snapshot.xxh64))) {
            rc = skein_error_set(err, -EBADMSG,
                                 "%s is not the snapshot of this recording, or is damaged", path);
        } else if (rc != 0) {
            skein_error_sys(err, rc, "cannot expand %s into %s", path, raw_path);
        }
    }
    pass_close(&p);
    ZSTD_freeDCtx(zstd);
    if (rc != 0 && p.out >= 0) {
        unlink(raw_path);
    }
    return rc;
}
