#include "pipeline/log_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/block.h"

#define SEGMENT_BYTES (64ull << 20)

struct skein_log_writer {
    struct skein_log_writer_opts opts;
    char *dir;
    struct skein_block_encoder *encoder;
    struct skein_segment_writer *segment; /* NULL between segments */
    uint64_t segment_number;              /* of the last one begun */
    uint64_t segment_raw_bytes;
    bool gap; /* before the next segment */
    uint64_t written[SKEIN_MAX_SHARDS];
    struct skein_stats segment_stats; /* of the segment being written */
    struct skein_stats sealed_stats;
    struct skein_stats stats; /* both, when somebody last asked */
};

int skein_log_writer_create(const struct skein_log_writer_opts *opts, struct skein_log_writer **out,
                            struct skein_error *err) {
    struct skein_log_writer *w = calloc(1, sizeof(*w));
    int rc;

    if (w == NULL || (w->dir = strdup(opts->dir)) == NULL) {
        free(w);
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    w->opts = *opts;
    w->opts.dir = w->dir;
    w->opts.block_bytes = opts->block_bytes != 0 ? opts->block_bytes : SKEIN_LOG_BLOCK_BYTES;
    w->opts.segment_bytes = opts->segment_bytes != 0 ? opts->segment_bytes : SEGMENT_BYTES;
    w->segment_stats.shard_count = opts->shard_count;
    w->sealed_stats.shard_count = opts->shard_count;
    if (w->opts.block_bytes > SKEIN_BLOCK_RAW_MAX / 2) {
        rc = skein_error_set(err, -EINVAL, "a block holds at most %llu MiB",
                             (SKEIN_BLOCK_RAW_MAX / 2) >> 20);
    } else {
        rc = skein_block_encoder_create(opts->shard_count, opts->zstd_level, &w->encoder);
        if (rc != 0) {
            skein_error_sys(err, rc, "cannot create an encoder");
        }
    }
    if (rc != 0) {
        skein_log_writer_free(w);
        return rc;
    }
    *out = w;
    return 0;
}

void skein_log_writer_seek(struct skein_log_writer *w, const struct skein_segment_start *start) {
    skein_block_encoder_seek(w->encoder, start->clock, start->slices);
    memcpy(w->written, start->clock, sizeof(w->written));
    w->segment_number = start->number - 1;
    w->gap = start->gap;
}

/* Begins the segment that the encoder's block will be the first of. */
static int begin_segment(struct skein_log_writer *w, struct skein_error *err) {
    const struct skein_block_info *info = skein_block_encoder_info(w->encoder);
    struct skein_segment_start start = {
        .number = ++w->segment_number,
        .shard_count = w->opts.shard_count,
        .slices = info->slices,
        .gap = w->gap,
    };

    w->gap = false;
    memcpy(start.uuid, w->opts.uuid, sizeof(start.uuid));
    memcpy(start.clock, info->clock, sizeof(start.clock));
    w->segment_raw_bytes = 0;
    return skein_segment_writer_open(w->dir, &start, w->opts.durability, &w->segment, err);
}

static int seal_segment(struct skein_log_writer *w, struct skein_error *err) {
    int rc = skein_segment_writer_seal(w->segment, &w->segment_stats, err);

    w->segment = NULL;
    if (rc != 0) { /* its events were added, but it is not sealed */
        w->segment_stats.disk_bytes = 0;
        w->segment_stats.blocks = 0;
        w->segment_stats.segments = 0;
    }
    skein_stats_add(&w->sealed_stats, &w->segment_stats);
    w->segment_stats = (struct skein_stats){.shard_count = w->opts.shard_count};
    return rc;
}

static int write_block(struct skein_log_writer *w, struct skein_error *err) {
    struct skein_block_info info;
    const uint8_t *data;
    size_t data_bytes;
    int rc = skein_block_encoder_finish(w->encoder, &info, &data, &data_bytes);

    if (rc != 0) {
        return skein_error_sys(err, rc, "cannot encode a block");
    }
    w->segment_raw_bytes += info.raw_bytes;
    rc = skein_segment_writer_block(w->segment, &info, data, data_bytes, err);
    if (rc == 0) {
        memcpy(w->written, info.clock_after, sizeof(w->written));
    }
    return rc;
}

int skein_log_writer_add(struct skein_log_writer *w, uint32_t shard, const struct skein_record *rec,
                         struct skein_error *err) {
    int rc = w->segment == NULL ? begin_segment(w, err) : 0;

    if (rc != 0) {
        return rc;
    }
    rc = skein_block_encoder_add(w->encoder, shard, rec);
    if (rc != 0) {
        return skein_error_sys(err, rc, "cannot encode an event");
    }
    skein_stats_count(&w->segment_stats, shard, rec);
    if (skein_block_encoder_info(w->encoder)->raw_bytes >= w->opts.block_bytes) {
        rc = write_block(w, err);
    }
    if (rc == 0 && w->segment_raw_bytes >= w->opts.segment_bytes) {
        rc = seal_segment(w, err);
    }
    return rc;
}

int skein_log_writer_finish(struct skein_log_writer *w, struct skein_error *err) {
    int rc = 0;

    if (skein_block_encoder_info(w->encoder)->events != 0) {
        rc = write_block(w, err);
    }
    return rc == 0 && w->segment != NULL ? seal_segment(w, err) : rc;
}

const struct skein_stats *skein_log_writer_stats(struct skein_log_writer *w) {
    w->stats = w->sealed_stats;
    skein_stats_add(&w->stats, &w->segment_stats);
    return &w->stats;
}

const uint64_t *skein_log_writer_written(const struct skein_log_writer *w) {
    return w->written;
}

void skein_log_writer_free(struct skein_log_writer *w) {
    if (w == NULL) {
        return;
    }
    skein_segment_writer_abandon(w->segment);
    skein_block_encoder_free(w->encoder);
    free(w->dir);
    free(w);
}
