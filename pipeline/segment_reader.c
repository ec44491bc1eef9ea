#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "pipeline/file.h"
#include "pipeline/frame.h"
#include "pipeline/segment.h"
#include "pipeline/stats_proto.h"
#include "proto/skein.pb-c.h"

/* A segment file, mapped while its headers are read. */
struct scan {
    const uint8_t *bytes;
    uint64_t size;
    uint64_t at;
    enum skein_read_mode mode;
    bool partial; /* by its name */
    bool footer;
    uint64_t clock[SKEIN_MAX_SHARDS]; /* after what was read */
    struct skein_segment *seg;
    size_t capacity;
};

/* The frame at the scan's position, whole and parsed; -ENODATA: the file ends within it. */
static int read_frame(const struct scan *s, const char magic[8],
                      const ProtobufCMessageDescriptor *type, const char *what,
                      ProtobufCMessage **msg, size_t *frame_bytes, struct skein_error *err) {
    const uint64_t left = s->size - s->at;
    int rc;

    if (left < SKEIN_FRAME_PREFIX_BYTES) {
        return skein_error_set(err, -ENODATA, "the file ends where a %s should be", what);
    }
    rc = skein_frame_prefix(s->bytes + s->at, magic, what, frame_bytes, err);
    if (rc != 0) {
        return rc;
    }
    if (left < *frame_bytes) {
        return skein_error_set(err, -ENODATA, "the file ends within a %s", what);
    }
    return skein_frame_parse(s->bytes + s->at, *frame_bytes, magic, type, what, msg, err);
}

static bool same_uuid(const ProtobufCBinaryData *uuid, const uint8_t expected[16]) {
    return uuid->len == 16 && memcmp(uuid->data, expected, 16) == 0;
}

static int read_start(struct scan *s, struct skein_error *err) {
    struct skein_segment_start *start = &s->seg->start;
    ProtobufCMessage *base = NULL;
    const Skein__SegmentHeader *msg;
    size_t bytes;
    int rc = read_frame(s, SKEIN_FRAME_SEGMENT, &skein__segment_header__descriptor,
                        "segment header", &base, &bytes, err);

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
        .offset = data_at,
        .data_bytes = msg->data_bytes,
        .data_xxh64 = msg->data_xxh64,
        .number = msg->block,
        .info = {.events = msg->events,
                 .raw_bytes = msg->raw_bytes,
                 .packed_bytes = msg->packed_bytes,
                 .slices = msg->slices,
                 .gap = msg->gap},
    };
    memcpy(b->info.clock, msg->clock, msg->n_clock * 8);
    memcpy(b->info.clock_after, msg->clock_after, msg->n_clock_after * 8);
    memcpy(s->clock, msg->clock_after, msg->n_clock_after * 8);
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
    int rc = read_frame(s, SKEIN_FRAME_BLOCK, &skein__block_header__descriptor, "block header",
                        &base, &bytes, err);

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

static bool footer_fits(const struct scan *s, const Skein__SegmentFooter *msg, size_t bytes) {
    const struct skein_segment *seg = s->seg;
    const uint8_t *trailer = s->bytes + s->at + bytes;

    /* A trailer follows, it names this footer, and the file ends there. */
    return s->size - s->at - bytes == SKEIN_SEGMENT_TRAILER_BYTES &&
           memcmp(trailer, &s->at, 8) == 0 && memcmp(trailer + 8, SKEIN_SEGMENT_TRAILER, 8) == 0 &&
           same_uuid(&msg->uuid, seg->start.uuid) && msg->segment == seg->start.number &&
           msg->n_clock == seg->start.shard_count &&
           memcmp(msg->clock, s->clock, msg->n_clock * 8) == 0 &&
           msg->n_block_offset == seg->block_count;
}

static int read_footer(struct scan *s, struct skein_error *err) {
    ProtobufCMessage *base = NULL;
    const Skein__SegmentFooter *msg;
    size_t bytes;
    int rc = read_frame(s, SKEIN_FRAME_FOOTER, &skein__segment_footer__descriptor, "segment footer",
                        &base, &bytes, err);

    if (rc != 0) {
        return rc;
    }
    msg = (const void *)base;
    if (s->size - s->at - bytes < SKEIN_SEGMENT_TRAILER_BYTES) {
        rc = skein_error_set(err, -ENODATA, "the file ends behind its footer");
    } else if (footer_fits(s, msg, bytes)) {
        skein_stats_from_message(msg->stats, &s->seg->stats);
        s->seg->stats.disk_bytes = s->size;
        s->footer = true;
        s->at = s->size;
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
        return read_footer(s, err);
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
        if (rc == -ENODATA && s->partial) {
            s->seg->lost_bytes += s->size - s->at;
            s->at = s->size;
        } else if (s->mode == SKEIN_READ_SALVAGE) {
            resync(s);
        } else {
            return rc == -EPROTO ? rc : -EBADMSG;
        }
    }
    if (!s->footer && !s->partial && s->mode == SKEIN_READ_STRICT) {
        return skein_error_set(err, -EBADMSG, "it is cut short: the footer is missing");
    }
    return 0;
}

static int scan_file(struct skein_segment *seg, int fd, enum skein_read_mode mode,
                     struct skein_error *err) {
    struct scan s = {.size = seg->size_bytes, .mode = mode, .seg = seg};
    const size_t path_length = strlen(seg->path);
    void *map;
    int rc;

    if (s.size == 0) {
        return skein_error_set(err, -EBADMSG, "it is empty");
    }
    map = mmap(NULL, s.size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        return skein_error_sys(err, -errno, "it cannot be mapped");
    }
    s.bytes = map;
    s.partial = path_length > 8 && strcmp(seg->path + path_length - 8, ".partial") == 0;
    rc = read_start(&s, err);
    if (rc == 0) {
        rc = scan_blocks(&s, err);
    }
    if (seg->block_count != 0) {
        seg->lost_blocks = seg->blocks[seg->block_count - 1].number - seg->block_count;
    }
    seg->sealed = s.footer;
    munmap(map, s.size);
    return rc;
}

int skein_segment_open(const char *path, enum skein_read_mode mode, struct skein_segment **out,
                       struct skein_error *err) {
    struct skein_segment *seg = calloc(1, sizeof(*seg));
    struct skein_error why = {""};
    struct stat st;
    int fd, rc;

    if (seg == NULL || (seg->path = strdup(path)) == NULL) {
        free(seg);
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        rc = skein_error_sys(&why, -errno, "it cannot be opened");
    } else {
        seg->size_bytes = (uint64_t)st.st_size;
        rc = scan_file(seg, fd, mode, &why);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (rc != 0) {
        skein_error_set(err, rc, "segment %s: %.300s", path, why.text);
        skein_segment_close(seg);
        return rc;
    }
    *out = seg;
    return 0;
}

static int load_data(const struct skein_segment *seg, const struct skein_segment_block *b,
                     uint8_t *data, struct skein_error *why) {
    int fd = open(seg->path, O_RDONLY | O_CLOEXEC), rc;

    if (fd < 0) {
        return skein_error_sys(why, -errno, "cannot open it");
    }
    rc = skein_file_read_at(fd, data, b->data_bytes, b->offset);
    close(fd);
    if (rc != 0) {
        return skein_error_sys(why, rc, "cannot read it");
    }
    if (XXH64(data, b->data_bytes, 0) != b->data_xxh64) {
        return skein_error_set(why, -EBADMSG, "it is damaged (checksum)");
    }
    return 0;
}

int skein_segment_load(const struct skein_segment *seg, size_t i, struct skein_block **out,
                       struct skein_error *err) {
    const struct skein_segment_block *b = &seg->blocks[i];
    struct skein_error why = {""};
    uint8_t *data = malloc(b->data_bytes + 1);
    int rc;

    if (data == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    rc = load_data(seg, b, data, &why);
    if (rc == 0) {
        rc = skein_block_decode(data, b->data_bytes, &b->info, seg->start.shard_count, out, &why);
    }
    free(data);
    if (rc != 0) {
        skein_error_set(err, rc, "segment %s, block %" PRIu64 ": %.300s", seg->path, b->number,
                        why.text);
    }
    return rc;
}

void skein_segment_close(struct skein_segment *seg) {
    if (seg == NULL) {
        return;
    }
    free(seg->path);
    free(seg->blocks);
    free(seg);
}
