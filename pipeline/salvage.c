#include "pipeline/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "pipeline/block_header.h"
#include "pipeline/frame.h"
#include "proto/skein.pb-c.h"

/* Larger headers are not ours; hashing them at every false start would take for ever. */
#define HEADER_MAX_BYTES 4096u
#define FOOTER_MAX_BYTES (4u << 20)

/* A walk over a file's bytes. */
struct walk {
    struct skein_salvage *file;
    struct skein_salvage_identity *identity;
    uint64_t at;
    uint64_t whole_until; /* the end of the last frame or block that was whole */
    size_t capacity;
    int version_error; /* -EPROTO: there is a frame of a version that we do not know */
};

/* Unpacks the whole frame at w->at, if there is one. */
static bool parse_frame(struct walk *w, const char magic[8], const char *what,
                        const ProtobufCMessageDescriptor *type, size_t max_bytes,
                        ProtobufCMessage **message, size_t *frame_bytes) {
    const struct skein_salvage *f = w->file;
    const uint8_t *at = f->bytes + w->at;
    int rc;

    if (f->size - w->at < SKEIN_FRAME_OVERHEAD_BYTES || memcmp(at, magic, 8) != 0) {
        return false;
    }
    rc = skein_frame_prefix(at, magic, what, frame_bytes, NULL);
    if (rc == 0 && *frame_bytes <= max_bytes && *frame_bytes <= f->size - w->at) {
        return skein_frame_parse(at, *frame_bytes, magic, type, what, message, NULL) == 0;
    }
    if (rc == -EPROTO && skein_frame_whole(at, f->size - w->at)) {
        w->version_error = rc;
    }
    return false;
}

/* Whether the frame is of our recording; the first one says which that is. */
static bool is_ours(struct skein_salvage_identity *id, const ProtobufCBinaryData *uuid,
                    size_t shard_count) {
    if (uuid->len != 16 || shard_count < 2 || shard_count > SKEIN_MAX_SHARDS) {
        return false;
    }
    if (!id->known) {
        id->known = true;
        memcpy(id->uuid, uuid->data, 16);
        id->shard_count = (uint32_t)shard_count;
    }
    return memcmp(uuid->data, id->uuid, 16) == 0 && shard_count == id->shard_count;
}

static void note_clock(struct skein_salvage *f, const uint64_t *clock, size_t n) {
    for (size_t i = 0; i < n; i++) {
        f->known[i] = f->known[i] > clock[i] ? f->known[i] : clock[i];
    }
}

static void passed(struct walk *w, uint64_t bytes) {
    w->at += bytes;
    w->whole_until = w->at;
}

static bool take_start(struct walk *w) {
    struct skein_salvage *f = w->file;
    ProtobufCMessage *base = NULL;
    const Skein__SegmentHeader *msg;
    size_t bytes;
    bool good;

    if (!parse_frame(w, SKEIN_FRAME_SEGMENT, "segment header", &skein__segment_header__descriptor,
                     HEADER_MAX_BYTES, &base, &bytes)) {
        return false;
    }
    msg = (const void *)base;
    good = !f->has_start && msg->n_clock == msg->shard_count &&
           is_ours(w->identity, &msg->uuid, msg->n_clock);
    if (good) {
        f->has_start = true;
        f->start.gap = msg->gap;
        f->start.slices = msg->slices;
        memcpy(f->start.clock, msg->clock, msg->n_clock * 8);
        note_clock(f, msg->clock, msg->n_clock);
        passed(w, bytes);
    }
    protobuf_c_message_free_unpacked(base, NULL);
    return good;
}

static bool take_footer(struct walk *w) {
    ProtobufCMessage *base = NULL;
    const Skein__SegmentFooter *msg;
    size_t bytes;
    bool good;

    if (!parse_frame(w, SKEIN_FRAME_FOOTER, "segment footer", &skein__segment_footer__descriptor,
                     FOOTER_MAX_BYTES, &base, &bytes)) {
        return false;
    }
    msg = (const void *)base;
    good = is_ours(w->identity, &msg->uuid, msg->n_clock);
    if (good) {
        note_clock(w->file, msg->clock, msg->n_clock);
        passed(w, bytes);
        if (w->file->size - w->at == SKEIN_SEGMENT_TRAILER_BYTES) {
            passed(w, SKEIN_SEGMENT_TRAILER_BYTES);
        }
    }
    protobuf_c_message_free_unpacked(base, NULL);
    return good;
}

/* What the rest of recovery wants to know of a block's events. */
static void summarize(struct skein_salvage *f, struct skein_salvage_block *b,
                      const struct skein_block *events) {
    for (uint32_t e = 0; e < b->info.events; e++) {
        const struct skein_record *rec = skein_block_record(events, e);
        b->last_shard = events->events[e].shard;
        b->last_kind[b->last_shard] = rec->kind;
        if (rec->kind == SKEIN_END) {
            b->end = rec->arg;
            b->console_bytes = skein_end_console_bytes(rec);
        }
        skein_stats_count(&f->stats, b->last_shard, rec);
    }
    b->slices_after = b->info.slices;
    if (b->info.events != 0) {
        b->slices_after += events->events[b->info.events - 1].slices;
    }
}

static struct skein_salvage_block *new_block(struct walk *w) {
    struct skein_salvage *f = w->file;

    if (f->block_count == w->capacity) {
        const size_t capacity = w->capacity != 0 ? 2 * w->capacity : 16;
        struct skein_salvage_block *grown = realloc(f->blocks, capacity * sizeof(*grown));
        if (grown == NULL) {
            return NULL;
        }
        f->blocks = grown;
        w->capacity = capacity;
    }
    return &f->blocks[f->block_count];
}

/* 1: the block's data are its events; 0: they are not. */
static int keep_block(struct walk *w, const Skein__BlockHeader *msg, size_t header_bytes) {
    struct skein_salvage *f = w->file;
    struct skein_salvage_block *b = new_block(w);
    struct skein_block *events;
    int rc;

    if (b == NULL) {
        return -ENOMEM;
    }
    *b = (struct skein_salvage_block){
        .offset = w->at + header_bytes,
        .data_bytes = msg->data_bytes,
        .number = msg->block,
        .lost_before = w->at - w->whole_until,
    };
    skein_block_info_from_header(msg, &b->info);
    rc = skein_block_decode(f->bytes + b->offset, b->data_bytes, &b->info, w->identity->shard_count,
                            &events, NULL);
    if (rc != 0) {
        return rc == -ENOMEM ? rc : 0;
    }
    summarize(f, b, events);
    skein_block_free(events);
    f->block_count++;
    return 1;
}

/* 1: a whole block; 0: none. */
static int take_block(struct walk *w) {
    ProtobufCMessage *base = NULL;
    const Skein__BlockHeader *msg;
    size_t bytes;
    int rc = 0;

    if (!parse_frame(w, SKEIN_FRAME_BLOCK, "block header", &skein__block_header__descriptor,
                     HEADER_MAX_BYTES, &base, &bytes)) {
        return 0;
    }
    msg = (const void *)base;
    if (msg->n_clock == msg->n_clock_after && msg->codec == SKEIN_CODEC_ZSTD_COLUMNS &&
        is_ours(w->identity, &msg->uuid, msg->n_clock)) {
        note_clock(w->file, msg->clock_after, msg->n_clock_after);
        if (msg->data_bytes <= w->file->size - w->at - bytes &&
            XXH64(w->file->bytes + w->at + bytes, msg->data_bytes, 0) == msg->data_xxh64) {
            rc = keep_block(w, msg, bytes);
        }
        if (rc == 1) {
            passed(w, bytes + msg->data_bytes);
        }
    }
    protobuf_c_message_free_unpacked(base, NULL);
    return rc;
}

static int walk_file(struct walk *w) {
    struct skein_salvage *f = w->file;

    while (f->size - w->at >= SKEIN_FRAME_OVERHEAD_BYTES) {
        const uint8_t *hit;
        int rc = take_block(w);
        if (rc < 0) {
            return rc;
        }
        if (rc != 0 || take_start(w) || take_footer(w)) {
            continue;
        }
        /* Never past a place where something whole may begin, whatever a header says. */
        hit = memchr(f->bytes + w->at + 1, 'S', f->size - w->at - 1);
        w->at = hit != NULL ? (uint64_t)(hit - f->bytes) : f->size;
    }
    f->lost_after = f->size - w->whole_until;
    return 0;
}

/* The judgement of who reads it later. */
static bool reads_well(const struct skein_salvage *f) {
    struct skein_segment *seg;
    bool good;

    if (skein_segment_open(f->path, SKEIN_READ_STRICT, &seg, NULL) != 0) {
        return false;
    }
    good = seg->sealed && seg->block_count == f->block_count &&
           seg->start.number == f->start.number &&
           memcmp(seg->stats.events, f->stats.events, sizeof(f->stats.events)) == 0 &&
           memcmp(seg->stats.kind_bytes, f->stats.kind_bytes, sizeof(f->stats.kind_bytes)) == 0 &&
           seg->stats.slices == f->stats.slices && seg->stats.edges == f->stats.edges;
    skein_segment_close(seg);
    return good;
}

static int map_file(struct skein_salvage *f, struct skein_error *err) {
    int fd = open(f->path, O_RDONLY | O_CLOEXEC), rc = 0;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0) {
        rc = skein_error_sys(err, -errno, "cannot read %s", f->path);
    } else if (!S_ISREG(st.st_mode)) {
        rc = skein_error_set(err, -EINVAL, "%s is not a file", f->path);
    } else if (st.st_size != 0) {
        void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED) {
            rc = skein_error_sys(err, -errno, "cannot map %s", f->path);
        } else {
            f->bytes = map;
            f->size = (uint64_t)st.st_size;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

int skein_salvage_open(const char *path, uint64_t number, struct skein_salvage_identity *identity,
                       struct skein_salvage **out, struct skein_error *err) {
    struct skein_salvage *f = calloc(1, sizeof(*f));
    struct walk w = {.file = f, .identity = identity};
    int rc;

    if (f == NULL || (f->path = strdup(path)) == NULL) {
        free(f);
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    rc = map_file(f, err);
    if (rc == 0 && (rc = walk_file(&w)) != 0) {
        skein_error_set(err, rc, "out of memory");
    }
    if (rc == 0 && w.version_error != 0 && f->block_count == 0) {
        rc = skein_error_set(err, w.version_error, "%s is of another format version", path);
    }
    if (rc != 0) {
        skein_salvage_close(f);
        return rc;
    }
    f->start.number = number;
    f->start.shard_count = identity->shard_count;
    f->stats.shard_count = identity->shard_count;
    memcpy(f->start.uuid, identity->uuid, 16);
    if (!f->has_start && f->block_count != 0) {
        memcpy(f->start.clock, f->blocks[0].info.clock, sizeof(f->start.clock));
        f->start.slices = f->blocks[0].info.slices;
    }
    f->intact = f->has_start && f->lost_after == 0 && reads_well(f);
    *out = f;
    return 0;
}

void skein_salvage_close(struct skein_salvage *file) {
    if (file == NULL) {
        return;
    }
    if (file->size != 0) {
        munmap((void *)file->bytes, file->size);
    }
    free(file->blocks);
    free(file->path);
    free(file);
}

uint64_t skein_segment_name_number(const char *name) {
    char *rest;
    const uint64_t number = strtoull(name, &rest, 10);

    if (name[0] < '0' || name[0] > '9' || rest - name < 6 ||
        (strcmp(rest, ".skn") != 0 && strcmp(rest, ".skn.partial") != 0)) {
        return 0;
    }
    return number;
}
