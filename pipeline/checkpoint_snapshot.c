#include "pipeline/checkpoint_snapshot.h"

#include <errno.h>
#include <stdlib.h>

#include "pipeline/snapshot_stream.h"

static int walk_run(struct skein_raw *raw, struct skein_snapshot_walk *walk, uint8_t *buffer,
                    struct skein_error *err) {
    int rc = skein_raw_take(raw, buffer, raw->run_bytes, err);

    for (uint64_t at = 0; at < raw->run_bytes && rc == 0; at += SKEIN_PAGE_BYTES) {
        if (walk->page(walk->opaque, buffer + at, walk->pages++) != 0) {
            rc = skein_error_set(err, -ENOMEM, "out of memory");
        }
    }
    return rc;
}

static int walk_block(struct skein_raw *raw, struct skein_snapshot_walk *walk, uint8_t *buffer,
                      struct skein_error *err) {
    int rc;

    if (walk->block_count == SKEIN_RAW_BLOCKS_MAX) {
        return skein_error_set(err, -EBADMSG, "%s has too many blocks of RAM", raw->what);
    }
    walk->blocks[walk->block_count++] = raw->block;
    while ((rc = skein_raw_next_run(raw, err)) == 1) {
        if ((rc = walk_run(raw, walk, buffer, err)) != 0) {
            break;
        }
    }
    return rc;
}

static int walk_all(struct skein_raw *raw, struct skein_snapshot_walk *walk, uint8_t *buffer,
                    struct skein_error *err) {
    int rc = skein_raw_begin(raw, err);

    while (rc == 0 && (rc = skein_raw_next(raw, err)) == 0 && raw->type != SKEIN_RAW_END) {
        rc = raw->type == SKEIN_RAW_RAM ? walk_block(raw, walk, buffer, err)
                                        : skein_raw_take(raw, NULL, raw->bytes, err);
    }
    return rc;
}

int skein_snapshot_walk(const char *dir, const struct skein_manifest *manifest,
                        struct skein_snapshot_walk *walk, struct skein_error *err) {
    uint8_t *buffer = malloc(SKEIN_RAW_RUN_MAX);
    struct skein_snapshot_stream *stream = NULL;
    int rc = buffer != NULL ? 0 : skein_error_set(err, -ENOMEM, "out of memory");

    walk->pages = 0;
    walk->block_count = 0;
    if (rc == 0) {
        rc = skein_snapshot_stream_open(dir, manifest, &stream, err);
    }
    if (rc == 0) {
        struct skein_raw raw = {.read = skein_snapshot_stream_read,
                                .opaque = stream,
                                .what = skein_snapshot_stream_path(stream)};
        rc = walk_all(&raw, walk, buffer, err);
        if (rc == 0) {
            rc = skein_snapshot_stream_finish(stream, err);
        }
    }
    skein_snapshot_stream_close(stream);
    free(buffer);
    return rc;
}
