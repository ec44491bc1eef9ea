#include "pipeline/checkpoint_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "pipeline/checkpoint_parse.h"
#include "pipeline/file.h"
#include "pipeline/test_point.h"

#define LEVEL 1 /* as for the snapshot */

struct skein_checkpoint_writer {
    struct skein_checkpoint_header header;
    uint64_t header_xxh64;
    int fd;
    char *path, *partial;
    uint64_t offset;
    ZSTD_CCtx *zstd;
    int part;
    uint64_t part_bytes[SKEIN_CHECKPOINT_PARTS];
    size_t chunk_count, chunk_capacity;
    struct skein_checkpoint_chunk *chunks;
    size_t used, packed_capacity;
    uint8_t *packed;
    uint8_t chunk[SKEIN_CHECKPOINT_CHUNK_BYTES];
};

static void writer_free(struct skein_checkpoint_writer *w) {
    if (w->fd >= 0) {
        close(w->fd);
    }
    ZSTD_freeCCtx(w->zstd);
    free(w->chunks);
    free(w->packed);
    free(w->path);
    free(w->partial);
    free(w);
}

void skein_checkpoint_writer_abandon(struct skein_checkpoint_writer *w) {
    if (w == NULL) {
        return;
    }
    if (w->fd >= 0) {
        unlink(w->partial);
    }
    writer_free(w);
}

static int put(struct skein_checkpoint_writer *w, const void *bytes, size_t n,
               struct skein_error *err) {
    const int rc = skein_file_write(w->fd, bytes, n);

    w->offset += n;
    return rc == 0 ? 0 : skein_error_sys(err, rc, "cannot write %s", w->partial);
}

static uint64_t frame_xxh64(const uint8_t *frame, size_t bytes) {
    uint64_t hash;

    memcpy(&hash, frame + bytes - sizeof(hash), sizeof(hash));
    return hash;
}

static int prepare(struct skein_checkpoint_writer *w, const char *dir) {
    const size_t size = strlen(dir) + 64;

    w->path = malloc(size);
    w->partial = malloc(size + 16);
    w->packed_capacity = ZSTD_compressBound(SKEIN_CHECKPOINT_CHUNK_BYTES);
    w->packed = malloc(w->packed_capacity);
    w->zstd = ZSTD_createCCtx();
    if (w->path == NULL || w->partial == NULL || w->packed == NULL || w->zstd == NULL) {
        return -ENOMEM;
    }
    skein_checkpoint_path(dir, w->header.number, w->path, size);
    snprintf(w->partial, size + 16, "%s.partial", w->path);
    return 0;
}

static int write_header(struct skein_checkpoint_writer *w, struct skein_error *err) {
    uint8_t *frame;
    size_t bytes;
    int rc = skein_checkpoint_header_build(&w->header, &frame, &bytes);

    if (rc != 0) {
        return skein_error_set(err, rc, "out of memory");
    }
    w->header_xxh64 = frame_xxh64(frame, bytes);
    rc = put(w, frame, bytes, err);
    SKEIN_TEST_POINT("checkpoint_writer.header_written");
    free(frame);
    return rc;
}

int skein_checkpoint_writer_open(const char *dir, const struct skein_checkpoint_header *header,
                                 struct skein_checkpoint_writer **out, struct skein_error *err) {
    struct skein_checkpoint_writer *w = calloc(1, sizeof(*w));
    int rc;

    if (w == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    w->fd = -1;
    w->header = *header;
    rc = prepare(w, dir);
    if (rc != 0) {
        skein_error_set(err, rc, "out of memory");
    } else {
        w->fd = open(w->partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        SKEIN_TEST_POINT("checkpoint_writer.created");
        rc = w->fd < 0 ? skein_error_sys(err, -errno, "cannot create %s", w->partial)
                       : write_header(w, err);
    }
    if (rc != 0) {
        skein_checkpoint_writer_abandon(w);
        return rc;
    }
    *out = w;
    return 0;
}

static int remember_chunk(struct skein_checkpoint_writer *w, size_t bytes) {
    if (w->chunk_count == w->chunk_capacity) {
        const size_t capacity = w->chunk_capacity != 0 ? 2 * w->chunk_capacity : 64;
        struct skein_checkpoint_chunk *grown = realloc(w->chunks, capacity * sizeof(*grown));
        if (grown == NULL) {
            return -ENOMEM;
        }
        w->chunks = grown;
        w->chunk_capacity = capacity;
    }
    w->chunks[w->chunk_count++] = (struct skein_checkpoint_chunk){
        .offset = w->offset, .bytes = bytes, .xxh64 = XXH64(w->packed, bytes, 0)};
    return 0;
}

static int flush_chunk(struct skein_checkpoint_writer *w, struct skein_error *err) {
    const size_t bytes =
        ZSTD_compressCCtx(w->zstd, w->packed, w->packed_capacity, w->chunk, w->used, LEVEL);
    int rc;

    if (ZSTD_isError(bytes) || remember_chunk(w, bytes) != 0) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    w->used = 0;
    rc = put(w, w->packed, bytes, err);
    SKEIN_TEST_POINT("checkpoint_writer.chunk_written");
    return rc;
}

int skein_checkpoint_writer_add(struct skein_checkpoint_writer *w, const void *bytes, size_t n,
                                struct skein_error *err) {
    const uint8_t *from = bytes;
    int rc = 0;

    w->part_bytes[w->part] += n;
    while (n != 0 && rc == 0) {
        const size_t room = sizeof(w->chunk) - w->used, some = n < room ? n : room;
        memcpy(w->chunk + w->used, from, some);
        w->used += some;
        from += some;
        n -= some;
        if (w->used == sizeof(w->chunk)) {
            rc = flush_chunk(w, err);
        }
    }
    return rc;
}

int skein_checkpoint_writer_end_part(struct skein_checkpoint_writer *w, struct skein_error *err) {
    w->part++;
    return w->used != 0 ? flush_chunk(w, err) : 0;
}

static int write_footer(struct skein_checkpoint_writer *w,
                        const struct skein_checkpoint_footer *footer, uint64_t *footer_xxh64,
                        struct skein_error *err) {
    struct skein_checkpoint_footer copy = *footer;
    const uint64_t footer_offset = w->offset;
    uint8_t *frame;
    size_t bytes;
    int rc;

    memcpy(copy.part_bytes, w->part_bytes, sizeof(copy.part_bytes));
    copy.chunk_count = w->chunk_count;
    copy.chunks = w->chunks;
    rc = skein_checkpoint_footer_build(&w->header, w->header_xxh64, &copy, &frame, &bytes);
    if (rc != 0) {
        return skein_error_sys(err, rc, "cannot make the footer of %s", w->path);
    }
    *footer_xxh64 = frame_xxh64(frame, bytes);
    rc = put(w, frame, bytes, err);
    free(frame);
    SKEIN_TEST_POINT("checkpoint_writer.footer_written");
    if (rc == 0 && (rc = put(w, &footer_offset, sizeof(footer_offset), err)) == 0) {
        rc = put(w, SKEIN_CHECKPOINT_TRAILER, 8, err);
    }
    SKEIN_TEST_POINT("checkpoint_writer.trailer_written");
    return rc;
}

int skein_checkpoint_writer_seal(struct skein_checkpoint_writer *w,
                                 const struct skein_checkpoint_footer *footer,
                                 uint64_t *footer_xxh64, struct skein_error *err) {
    int rc = write_footer(w, footer, footer_xxh64, err);

    if (rc == 0 && fsync(w->fd) != 0) {
        rc = skein_error_sys(err, -errno, "cannot write %s", w->partial);
    }
    SKEIN_TEST_POINT("checkpoint_writer.synced");
    if (rc == 0 && rename(w->partial, w->path) != 0) {
        rc = skein_error_sys(err, -errno, "cannot rename %s", w->partial);
    }
    if (rc != 0) {
        skein_checkpoint_writer_abandon(w);
        return rc;
    }
    SKEIN_TEST_POINT("checkpoint_writer.renamed");
    rc = skein_file_sync_parent(w->path);
    if (rc != 0) {
        skein_error_sys(err, rc, "cannot sync the directory of %s", w->path);
    }
    SKEIN_TEST_POINT("checkpoint_writer.dir_synced");
    writer_free(w);
    return rc;
}
