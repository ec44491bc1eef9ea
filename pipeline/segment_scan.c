#include "pipeline/segment_scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/block_header.h"
#include "pipeline/frame.h"
#include "pipeline/stats_proto.h"
#include "proto/skein.pb-c.h"

/*
 * What a header frame may take: twice what SKEIN_MAX_SHARDS shards need. Salvage asks at every
 * magic that it meets, and must not hash megabytes each time because a length is damaged.
 */
#define HEADER_MAX_BYTES 4096u

/* A segment file, mapped while its headers are read. */
struct scan {
    const uint8_t *bytes;
    uint64_t size;
    uint64_t at;
    enum skein_read_mode mode;
    bool partial; /* by its name */
    uint64_t first_block;
    uint64_t clock[SKEIN_MAX_SHARDS]; /* after what was read */
    struct skein_segment *seg;
    size_t capacity;
};

/* The kinds of frames, and how long each may be. */
struct frame_type {
    char magic[9];
    const char *what;
    const ProtobufCMessageDescriptor *message;
    size_t max_bytes;
};

static const struct frame_type start_frame = {SKEIN_FRAME_SEGMENT, "segment header",
                                              &skein__segment_header__descriptor, HEADER_MAX_BYTES};
static const struct frame_type block_frame = {SKEIN_FRAME_BLOCK, "block header",
                                              &skein__block_header__descriptor, HEADER_MAX_BYTES};
static const struct frame_type footer_frame = {SKEIN_FRAME_FOOTER, "segment footer",
                                               &skein__segment_footer__descriptor, SIZE_MAX};

/* The frame at the scan's position, whole and parsed; -ENODATA: the file ends within it. */
static int read_frame(const struct scan *s, const struct frame_type *type, ProtobufCMessage **msg,
                      size_t *frame_bytes, struct skein_error *err) {
    const uint64_t left = s->size - s->at;
    int rc;

    if (left < SKEIN_FRAME_PREFIX_BYTES) {
        return skein_error_set(err, -ENODATA, "the file ends where a %s should be", type->what);
    }
    rc = skein_frame_prefix(s->bytes + s->at, type->magic, type->what, frame_bytes, err);
    if (rc != 0) {
        return rc;
    }
    if (*frame_bytes > type->max_bytes) {
        return skein_error_set(err, -EBADMSG, "the %s has an impossible length", type->what);
    }
    if (left < *frame_bytes) {
        return skein_error_set(err, -ENODATA, "the file ends within a %s", type->what);
    }
    return skein_frame_parse(s->bytes + s->at, *frame_bytes, type->magic, type->message, type->what,
                             msg, err);
}

static bool same_uuid(const ProtobufCBinaryData *uuid, const uint8_t expected[16]) {
    return uuid->len == 16 && memcmp(uuid->data, expected, 16) == 0;
}

static int read_start(struct scan *s, struct skein_error *err) {
    struct skein_segment_start *start = &s->seg->start;
    ProtobufCMessage *base = NULL;
    const Skein__SegmentHeader *msg;
    size_t bytes;
    int rc = read_frame(s, &start_frame, &base, &bytes, err);

    if (rc != 0) {
        return rc == -ENODATA ? -EBADMSG : rc;
    }
    msg = (const void *)base;
    if (msg->uuid.len != 16 || msg->shard_count == 0 || msg->shard_count > SKEIN_MAX_SHARDS ||
        msg->n_clock != msg->shard_count) {
        rc = skein_error_set(err, -EBADMSG, "the segment header holds impossible values");
    } else {
        memcpy(start->uuid, msg->uuid.data, 16);
        memcpy(start->clock, msg->clock, msg->n_clock * 8);
        memcpy(s->clock, msg->clock, msg->n_clock * 8);
        start->number = msg->segment;
        start->shard_count = msg->shard_count;
        start->slices = msg->slices;
        start->gap = msg->gap;
        s->at = bytes;
        s->first_block = bytes;
    }
    protobuf_c_message_free_unpacked(base, NULL);
    return rc;
}

static int add_block(struct scan *s, const Skein__BlockHeader *msg, uint64_t data_at) {
    struct skein_segment *seg = s->seg;
    struct skein_segment_block *b;

    if (seg->block_count == s->capacity) {
        const size_t capacity = s->capacity != 0 ? 2 * s->capacity : 64;
        struct skein_segment_block *grown = realloc(seg->blocks, capacity * sizeof(*grown));
        if (grown == NULL) {
            return -ENOMEM;
        }
        seg->blocks = grown;
        s->capacity = capacity;
    }
    b = &seg->blocks[seg->block_count++];
    *b = (struct skein_segment_block){
        .header = s->at,
        .offset = data_at,
        .data_bytes = msg->data_bytes,
        .data_xxh64 = msg->data_xxh64,
        .number = msg->block,
    };
    skein_block_info_from_header(msg, &b->info);
    memcpy(s->clock, msg->clock_after, msg->n_clock_after * 8);
    seg->events += msg->events;
    return 0;
}

/* Whether the events that the clocks count are the header's, and follow what was read before. */
static bool clocks_fit(const struct scan *s, const Skein__BlockHeader *msg) {
    uint64_t events = 0;

    for (uint32_t i = 0; i < s->seg->start.shard_count; i++) {
        const bool follows = s->mode == SKEIN_READ_SALVAGE || msg->gap
                                 ? msg->clock[i] >= s->clock[i]
                                 : msg->clock[i] == s->clock[i];
        if (!follows || msg->clock_after[i] < msg->clock[i]) {
            return false;
        }
        events += msg->clock_after[i] - msg->clock[i];
    }
    return events == msg->events;
}

static int check_block(const struct scan *s, const Skein__BlockHeader *msg,
                       struct skein_error *err) {
    const struct skein_segment *seg = s->seg;
    const uint64_t last = seg->block_count != 0 ? seg->blocks[seg->block_count - 1].number : 0;

    if (!same_uuid(&msg->uuid, seg->start.uuid) || msg->segment != seg->start.number) {
        return skein_error_set(err, -EBADMSG, "a block belongs to another segment");
    }
    if (msg->codec != SKEIN_CODEC_ZSTD_COLUMNS) {
        return skein_error_set(err, -EPROTO, "block %" PRIu64 " has an unknown codec", msg->block);
    }
    if (msg->block <= last || (s->mode == SKEIN_READ_STRICT && msg->block != last + 1)) {
        return skein_error_set(err, -EBADMSG, "block %" PRIu64 " follows block %" PRIu64,
                               msg->block, last);
    }
    if (msg->n_clock != seg->start.shard_count || msg->n_clock_after != seg->start.shard_count ||
        !clocks_fit(s, msg)) {
        return skein_error_set(err, -EBADMSG, "the clocks of block %" PRIu64 " do not fit",
                               msg->block);
    }
    return 0;
}

static int read_block(struct scan *s, struct skein_error *err) {
    ProtobufCMessage *base = NULL;
    const Skein__BlockHeader *msg;
    size_t bytes;
    int rc = read_frame(s, &block_frame, &base, &bytes, err);

    if (rc != 0) {
        return rc;
    }
    msg = (const void *)base;
    rc = check_block(s, msg, err);
    if (rc == 0 && msg->data_bytes > s->size - s->at - bytes) {
        rc = skein_error_set(err, -ENODATA, "the file ends within block %" PRIu64, msg->block);
    }
    if (rc == 0) {
        rc = add_block(s, msg, s->at + bytes);
        s->at += bytes + msg->data_bytes;
    }
    protobuf_c_message_free_unpacked(base, NULL);
    return rc;
}

/* The blocks begin behind the header and follow one another up to the footer. */
static bool offsets_fit(const struct scan *s, const Skein__SegmentFooter *msg) {
    uint64_t last = s->first_block;

    if (msg->n_block_offset == 0) {
        return s->at == s->first_block;
    }
    for (size_t i = 0; i < msg->n_block_offset; i++) {
        if (i == 0 ? msg->block_offset[0] != last : msg->block_offset[i] <= last) {
            return false;
        }
        last = msg->block_offset[i];
    }
    return last < s->at;
}

/* What the footer says about itself and the segment's header, in all its places, is the same. */
static bool footer_consistent(const struct scan *s, const Skein__SegmentFooter *msg,
                              const struct skein_stats *stats) {
    const struct skein_segment_start *start = &s->seg->start;
    uint64_t events = 0;

    if (!same_uuid(&msg->uuid, start->uuid) || msg->segment != start->number ||
        msg->n_clock != start->shard_count || stats->shard_count > start->shard_count ||
        msg->slices != start->slices + stats->slices || stats->blocks != msg->n_block_offset ||
        stats->segments != 1 || stats->disk_bytes != s->at || !offsets_fit(s, msg)) {
        return false;
    }
    for (uint32_t i = 0; i < start->shard_count; i++) {
        const uint64_t n = skein_stats_shard(stats, i);
        if (msg->clock[i] < start->clock[i] || n > msg->clock[i] - start->clock[i] ||
            (!msg->gap && n != msg->clock[i] - start->clock[i])) {
            return false;
        }
        events += n;
    }
    return events == skein_stats_events(stats);
}

/* The blocks that were read are those that the footer has. */
static bool footer_has_blocks(const struct scan *s, const Skein__SegmentFooter *msg) {
    const struct skein_segment *seg = s->seg;

    if (msg->n_block_offset != seg->block_count ||
        memcmp(msg->clock, s->clock, msg->n_clock * 8) != 0) {
        return false;
    }
    for (size_t i = 0; i < seg->block_count; i++) {
        if (msg->block_offset[i] != seg->blocks[i].header) {
            return false;
        }
    }
    return true;
}

static void take_footer(struct scan *s, const Skein__SegmentFooter *msg) {
    struct skein_segment *seg = s->seg;

    seg->sealed = true;
    seg->stats.disk_bytes = s->size;
    seg->block_count = msg->n_block_offset;
    seg->events = skein_stats_events(&seg->stats);
    memcpy(s->clock, msg->clock, msg->n_clock * 8);
    s->at = s->size;
}

/* The trailer names the one place where a footer can be; no other is worth reading. */
static int check_trailer(const struct scan *s, struct skein_error *err) {
    const uint64_t left = s->size - s->at;
    const uint8_t *trailer = s->bytes + s->size - SKEIN_SEGMENT_TRAILER_BYTES;

    if (left < SKEIN_FRAME_OVERHEAD_BYTES + SKEIN_SEGMENT_TRAILER_BYTES ||
        memcmp(trailer + 8, SKEIN_SEGMENT_TRAILER, 8) != 0) {
        return skein_error_set(err, -ENODATA, "the file ends within its footer or behind it");
    }
    if (memcmp(trailer, &s->at, 8) != 0) {
        return skein_error_set(err, -EBADMSG, "there is a segment footer where none should be");
    }
    return 0;
}

static int read_footer(struct scan *s, bool blocks_read, struct skein_error *err) {
    ProtobufCMessage *base = NULL;
    const Skein__SegmentFooter *msg;
    struct skein_stats stats;
    size_t bytes;
    int rc = check_trailer(s, err);

    if (rc != 0 || (rc = read_frame(s, &footer_frame, &base, &bytes, err)) != 0) {
        return rc;
    }
    msg = (const void *)base;
    skein_stats_from_message(msg->stats, &stats);
    if (s->size - s->at - bytes == SKEIN_SEGMENT_TRAILER_BYTES &&
        footer_consistent(s, msg, &stats) && (!blocks_read || footer_has_blocks(s, msg))) {
        s->seg->stats = stats;
        take_footer(s, msg);
    } else {
        rc = skein_error_set(err, -EBADMSG, "the segment footer does not fit the blocks before it");
    }
    protobuf_c_message_free_unpacked(base, NULL);
    return rc;
}

/* Moves to the next place where a block or footer may begin; the bytes before it are lost. */
static void resync(struct scan *s) {
    const uint64_t from = s->at;

    do {
        const uint8_t *hit = memchr(s->bytes + s->at + 1, 'S', s->size - s->at - 1);
        s->at = hit != NULL ? (uint64_t)(hit - s->bytes) : s->size;
    } while (s->size - s->at >= 8 && memcmp(s->bytes + s->at, SKEIN_FRAME_BLOCK, 8) != 0 &&
             memcmp(s->bytes + s->at, SKEIN_FRAME_FOOTER, 8) != 0);
    if (s->size - s->at < 8) {
        s->at = s->size;
    }
    s->seg->lost_bytes += s->at - from;
}

static int read_next(struct scan *s, struct skein_error *err) {
    if (s->size - s->at >= 8 && memcmp(s->bytes + s->at, SKEIN_FRAME_FOOTER, 8) == 0) {
        return read_footer(s, true, err);
    }
    return read_block(s, err);
}

static int scan_blocks(struct scan *s, struct skein_error *err) {
    while (s->at != s->size) {
        int rc = read_next(s, err);
        if (rc == 0) {
            continue;
        }
        if (rc == -ENOMEM) {
            return rc;
        }
        if (s->mode == SKEIN_READ_SALVAGE) {
            resync(s);
        } else if (rc == -ENODATA && s->partial) {
            s->seg->lost_bytes += s->size - s->at;
            s->at = s->size;
        } else {
            return rc == -EPROTO ? rc : -EBADMSG;
        }
    }
    if (!s->seg->sealed && !s->partial && s->mode == SKEIN_READ_STRICT) {
        return skein_error_set(err, -EBADMSG, "it is cut short: the footer is missing");
    }
    return 0;
}

static bool is_partial(const char *path) {
    const size_t length = strlen(path);

    return length > 8 && strcmp(path + length - 8, ".partial") == 0;
}

int skein_segment_scan(struct skein_segment *seg, const uint8_t *bytes, enum skein_read_mode mode,
                       struct skein_error *err) {
    struct scan s = {.bytes = bytes, .size = seg->size_bytes, .mode = mode, .seg = seg};
    int rc;

    s.partial = is_partial(seg->path);
    rc = read_start(&s, err);
    if (rc == 0) {
        rc = scan_blocks(&s, err);
    }
    if (seg->block_count != 0) {
        seg->lost_blocks = seg->blocks[seg->block_count - 1].number - seg->block_count;
    }
    memcpy(seg->clock_end, s.clock, sizeof(seg->clock_end));
    return rc;
}

int skein_segment_scan_ends(struct skein_segment *seg, const uint8_t *bytes,
                            struct skein_error *err) {
    struct scan s = {.bytes = bytes, .size = seg->size_bytes, .seg = seg};
    uint64_t footer;
    int rc = is_partial(seg->path) ? -ENODATA : read_start(&s, err);

    if (rc != 0) {
        return rc;
    }
    if (s.size - s.at < SKEIN_SEGMENT_TRAILER_BYTES) {
        return skein_error_set(err, -ENODATA, "the file ends behind its header");
    }
    memcpy(&footer, bytes + s.size - SKEIN_SEGMENT_TRAILER_BYTES, sizeof(footer));
    if (footer < s.at || footer > s.size - SKEIN_SEGMENT_TRAILER_BYTES) {
        return skein_error_set(err, -EBADMSG, "its last bytes name no footer");
    }
    s.at = footer;
    rc = read_footer(&s, false, err);
    memcpy(seg->clock_end, s.clock, sizeof(seg->clock_end));
    return rc;
}
