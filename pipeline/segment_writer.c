#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "pipeline/file.h"
#include "pipeline/frame.h"
#include "pipeline/segment.h"
#include "pipeline/stats_proto.h"
#include "pipeline/test_point.h"
#include "proto/skein.pb-c.h"

struct skein_segment_writer {
    struct skein_segment_start start;
    enum skein_durability durability;
    int fd;
    uint64_t offset; /* bytes written */
    uint64_t clock[SKEIN_MAX_SHARDS];
    uint64_t *block_offset;
    size_t block_count, block_capacity;
    bool gap;      /* a block has one */
    char *partial; /* the file's name until it is sealed */
    char *sealed;
};

static int write_error(const struct skein_segment_writer *w, int code, struct skein_error *err) {
    return skein_error_sys(err, code, "cannot write %s", w->partial);
}

static int write_frame(struct skein_segment_writer *w, const char magic[8],
                       const ProtobufCMessage *message, struct skein_error *err) {
    uint8_t *frame;
    size_t bytes;
    int rc = skein_frame_build(magic, message, &frame, &bytes);

    if (rc == 0) {
        rc = skein_file_write(w->fd, frame, bytes);
        free(frame);
    }
    if (rc != 0) {
        return write_error(w, rc, err);
    }
    w->offset += bytes;
    return 0;
}

static int write_header(struct skein_segment_writer *w, struct skein_error *err) {
    Skein__SegmentHeader msg = SKEIN__SEGMENT_HEADER__INIT;

    msg.uuid = (ProtobufCBinaryData){sizeof(w->start.uuid), w->start.uuid};
    msg.segment = w->start.number;
    msg.shard_count = w->start.shard_count;
    msg.n_clock = w->start.shard_count;
    msg.clock = w->start.clock;
    msg.slices = w->start.slices;
    msg.gap = w->start.gap;
    return write_frame(w, SKEIN_FRAME_SEGMENT, &msg.base, err);
}

static int make_names(struct skein_segment_writer *w, const char *dir) {
    if (asprintf(&w->sealed, "%s/segments/%06" PRIu64 ".skn", dir, w->start.number) < 0) {
        w->sealed = NULL;
        return -ENOMEM;
    }
    if (asprintf(&w->partial, "%s.partial", w->sealed) < 0) {
        w->partial = NULL;
        return -ENOMEM;
    }
    return 0;
}

int skein_segment_writer_open(const char *dir, const struct skein_segment_start *start,
                              enum skein_durability durability, struct skein_segment_writer **out,
                              struct skein_error *err) {
    struct skein_segment_writer *w = calloc(1, sizeof(*w));
    int rc;

    if (w == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    w->fd = -1;
    w->start = *start;
    w->durability = durability;
    memcpy(w->clock, start->clock, sizeof(w->clock));
    rc = make_names(w, dir);
    if (rc != 0) {
        skein_error_set(err, rc, "out of memory");
    } else {
        w->fd = open(w->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        SKEIN_TEST_POINT("segment_writer.created");
        rc = w->fd < 0 ? skein_error_sys(err, -errno, "cannot create %s", w->partial)
                       : write_header(w, err);
        SKEIN_TEST_POINT("segment_writer.header_written");
    }
    if (rc != 0) {
        skein_segment_writer_abandon(w);
        return rc;
    }
    *out = w;
    return 0;
}

static int remember_offset(struct skein_segment_writer *w) {
    if (w->block_count == w->block_capacity) {
        const size_t capacity = w->block_capacity != 0 ? 2 * w->block_capacity : 64;
        uint64_t *grown = realloc(w->block_offset, capacity * sizeof(*grown));
        if (grown == NULL) {
            return -ENOMEM;
        }
        w->block_offset = grown;
        w->block_capacity = capacity;
    }
    w->block_offset[w->block_count++] = w->offset;
    return 0;
}

static int write_block_header(struct skein_segment_writer *w, const struct skein_block_info *info,
                              const uint8_t *data, size_t data_bytes, struct skein_error *err) {
    struct skein_block_info copy = *info;
    Skein__BlockHeader msg = SKEIN__BLOCK_HEADER__INIT;

    msg.uuid = (ProtobufCBinaryData){sizeof(w->start.uuid), w->start.uuid};
    msg.segment = w->start.number;
    msg.block = w->block_count;
    msg.codec = SKEIN_CODEC_ZSTD_COLUMNS;
    msg.events = info->events;
    msg.raw_bytes = info->raw_bytes;
    msg.packed_bytes = info->packed_bytes;
    msg.data_bytes = data_bytes;
    msg.data_xxh64 = XXH64(data, data_bytes, 0);
    msg.n_clock = w->start.shard_count;
    msg.clock = copy.clock;
    msg.n_clock_after = w->start.shard_count;
    msg.clock_after = copy.clock_after;
    msg.slices = info->slices;
    msg.gap = info->gap;
    return write_frame(w, SKEIN_FRAME_BLOCK, &msg.base, err);
}

int skein_segment_writer_block(struct skein_segment_writer *w, const struct skein_block_info *info,
                               const uint8_t *data, size_t data_bytes, struct skein_error *err) {
    int rc = remember_offset(w);

    if (rc != 0) {
        return skein_error_set(err, rc, "out of memory");
    }
    rc = write_block_header(w, info, data, data_bytes, err);
    if (rc != 0) {
        return rc;
    }
    SKEIN_TEST_POINT("segment_writer.block_header_written");
    rc = skein_file_write(w->fd, data, data_bytes);
    SKEIN_TEST_POINT("segment_writer.block_written");
    if (rc == 0 && w->durability == SKEIN_DURABILITY_BLOCK && fdatasync(w->fd) != 0) {
        rc = -errno;
    }
    if (rc != 0) {
        return write_error(w, rc, err);
    }
    w->offset += data_bytes;
    memcpy(w->clock, info->clock_after, sizeof(w->clock));
    w->gap |= info->gap;
    return 0;
}

static int write_footer(struct skein_segment_writer *w, struct skein_stats *stats,
                        struct skein_error *err) {
    const uint64_t footer_offset = w->offset;
    Skein__SegmentFooter msg = SKEIN__SEGMENT_FOOTER__INIT;
    struct skein_stats_message stats_message;
    int rc;

    stats->segments = 1;
    stats->blocks = w->block_count;
    /* The footer's own size is not in it: the number would change the length of its varint. */
    stats->disk_bytes = w->offset;
    skein_stats_to_message(stats, &stats_message);
    msg.uuid = (ProtobufCBinaryData){sizeof(w->start.uuid), w->start.uuid};
    msg.segment = w->start.number;
    msg.n_block_offset = w->block_count;
    msg.block_offset = w->block_offset;
    msg.n_clock = w->start.shard_count;
    msg.clock = w->clock;
    msg.slices = w->start.slices + stats->slices;
    msg.gap = w->gap;
    msg.stats = &stats_message.stats;
    rc = write_frame(w, SKEIN_FRAME_FOOTER, &msg.base, err);
    if (rc == 0 && ((rc = skein_file_write(w->fd, &footer_offset, 8)) != 0 ||
                    (rc = skein_file_write(w->fd, SKEIN_SEGMENT_TRAILER, 8)) != 0)) {
        write_error(w, rc, err);
    }
    stats->disk_bytes = w->offset + SKEIN_SEGMENT_TRAILER_BYTES;
    return rc;
}

int skein_segment_writer_seal(struct skein_segment_writer *w, struct skein_stats *stats,
                              struct skein_error *err) {
    const bool durable = w->durability != SKEIN_DURABILITY_NONE;
    int rc = write_footer(w, stats, err);

    SKEIN_TEST_POINT("segment_writer.footer_written");
    if (rc == 0 && durable && fsync(w->fd) != 0) {
        rc = write_error(w, -errno, err);
    }
    SKEIN_TEST_POINT("segment_writer.synced");
    if (rc == 0 && rename(w->partial, w->sealed) != 0) {
        rc = skein_error_sys(err, -errno, "cannot rename %s", w->partial);
    }
    SKEIN_TEST_POINT("segment_writer.renamed");
    if (rc == 0 && durable && (rc = skein_file_sync_parent(w->sealed)) != 0) {
        skein_error_sys(err, rc, "cannot sync the directory of %s", w->sealed);
    }
    skein_segment_writer_abandon(w);
    return rc;
}

void skein_segment_writer_abandon(struct skein_segment_writer *w) {
    if (w == NULL) {
        return;
    }
    if (w->fd >= 0) {
        close(w->fd);
    }
    free(w->block_offset);
    free(w->partial);
    free(w->sealed);
    free(w);
}
