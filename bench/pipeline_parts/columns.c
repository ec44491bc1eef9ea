/*
 * columns RECORDING: where the bytes of a recording's blocks go. For each column of each block:
 * its packed bytes, and what they take when compressed alone at the collector's level. A column
 * that is compressed alone shares no history with others, so the sum differs a little from the
 * blocks themselves, which the last lines give.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "pipeline/error.h"
#include "pipeline/event.h"
#include "pipeline/file.h"
#include "pipeline/segment.h"
#include "proto/skein.pb-c.h"

#define LEVEL 3
#define FIELD_MAX 256u
#define SLOT_FIELD 25u /* entry_slots: one column per slot */

struct total {
    uint64_t packed, alone;
};

struct report {
    struct total field[FIELD_MAX]; /* of ShardColumns */
    struct total slot[SKEIN_SLOT_COUNT];
    struct total runs; /* of Block itself */
    uint64_t events, raw, packed, data;
    ZSTD_CCtx *zstd;
};

struct bytes {
    const uint8_t *at, *end;
};

/* Protobuf's wire format, of messages that have been parsed before: what is wrong ends them. */
static uint64_t take_varint(struct bytes *b) {
    uint64_t value = 0;

    for (unsigned shift = 0; b->at != b->end && shift < 64; shift += 7) {
        const uint8_t byte = *b->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    b->at = b->end;
    return value;
}

/* The next field: its number, and its bytes when it has a length. 0: the end. */
static unsigned take_field(struct bytes *b, struct bytes *value, uint64_t *number) {
    const uint64_t tag = b->at != b->end ? take_varint(b) : 0;

    *value = (struct bytes){b->at, b->at};
    *number = take_varint(b);
    if ((tag & 7) == 2) {
        const uint64_t left = (uint64_t)(b->end - b->at);
        const uint64_t n = *number < left ? *number : left;
        *value = (struct bytes){b->at, b->at + n};
        b->at += n;
    }
    return (unsigned)(tag >> 3);
}

static int count(struct report *r, struct total *total, const struct bytes *column) {
    const size_t n = (size_t)(column->end - column->at);
    const size_t bound = ZSTD_compressBound(n);
    void *out = malloc(bound);
    size_t alone;

    if (out == NULL) {
        return -ENOMEM;
    }
    alone = ZSTD_compressCCtx(r->zstd, out, bound, column->at, n, LEVEL);
    free(out);
    total->packed += n;
    total->alone += ZSTD_isError(alone) ? n : alone;
    return 0;
}

static int count_slot(struct report *r, struct bytes message) {
    struct bytes value, column = {NULL, NULL};
    uint64_t number, slot = 0;

    while (take_field(&message, &value, &number) != 0) {
        if (value.at != value.end) {
            column = value;
        } else {
            slot = number;
        }
    }
    return slot < SKEIN_SLOT_COUNT && column.at != NULL ? count(r, &r->slot[slot], &column) : 0;
}

static int count_shard(struct report *r, struct bytes message) {
    struct bytes value;
    uint64_t number;
    unsigned field;
    int rc = 0;

    while (rc == 0 && (field = take_field(&message, &value, &number)) != 0) {
        if (field == SLOT_FIELD) {
            rc = count_slot(r, value);
        } else if (field < FIELD_MAX && value.at != value.end) {
            rc = count(r, &r->field[field], &value);
        }
    }
    return rc;
}

static int count_block(struct report *r, struct bytes message) {
    struct bytes value;
    uint64_t number;
    unsigned field;
    int rc = 0;

    while (rc == 0 && (field = take_field(&message, &value, &number)) != 0) {
        rc = field == 3 ? count_shard(r, value) : count(r, &r->runs, &value);
    }
    return rc;
}

static int read_block(struct report *r, int fd, const struct skein_segment_block *block,
                      struct skein_error *err) {
    uint8_t *data = malloc(block->data_bytes), *packed = malloc(block->info.packed_bytes);
    int rc = -ENOMEM;

    if (data != NULL && packed != NULL) {
        rc = skein_file_read_at(fd, data, block->data_bytes, block->offset);
    }
    if (rc == 0 && ZSTD_decompress(packed, block->info.packed_bytes, data, block->data_bytes) !=
                       block->info.packed_bytes) {
        rc = -EBADMSG;
    }
    if (rc == 0) {
        rc = count_block(r, (struct bytes){packed, packed + block->info.packed_bytes});
        r->events += block->info.events;
        r->raw += block->info.raw_bytes;
        r->packed += block->info.packed_bytes;
        r->data += block->data_bytes;
    }
    free(data);
    free(packed);
    return rc == 0 ? 0 : skein_error_sys(err, rc, "block %" PRIu64, block->number);
}

static int read_segment(struct report *r, const char *path, struct skein_error *err) {
    struct skein_segment *segment = NULL;
    int rc = skein_segment_open(path, SKEIN_READ_STRICT, &segment, err);
    int fd;

    if (rc != 0) {
        return rc;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    rc = fd >= 0 ? 0 : skein_error_sys(err, -errno, "%s", path);
    for (size_t i = 0; rc == 0 && i < segment->block_count; i++) {
        rc = read_block(r, fd, &segment->blocks[i], err);
    }
    if (fd >= 0) {
        close(fd);
    }
    skein_segment_close(segment);
    return rc;
}

static int read_recording(struct report *r, const char *dir, struct skein_error *err) {
    struct skein_recording *rec = NULL;
    int rc = skein_recording_open(dir, SKEIN_READ_STRICT, &rec, err);

    for (size_t i = 0; rc == 0 && i < skein_recording_segment_count(rec); i++) {
        struct skein_segment_info info;
        skein_recording_segment(rec, i, &info);
        rc = read_segment(r, info.path, err);
    }
    skein_recording_close(rec);
    return rc;
}

static void print_total(const char *name, unsigned slot, const struct total *t) {
    char text[64];

    if (t->packed != 0) {
        snprintf(text, sizeof(text), slot < SKEIN_SLOT_COUNT ? "%s[%u]" : "%s", name, slot);
        printf("%-20s packed=%" PRIu64 " alone=%" PRIu64 "\n", text, t->packed, t->alone);
    }
}

static void print_report(const struct report *r) {
    const ProtobufCMessageDescriptor *d = &skein__shard_columns__descriptor;

    print_total("runs", SKEIN_SLOT_COUNT, &r->runs);
    for (unsigned i = 0; i < d->n_fields; i++) {
        if (d->fields[i].id < FIELD_MAX) {
            print_total(d->fields[i].name, SKEIN_SLOT_COUNT, &r->field[d->fields[i].id]);
        }
    }
    for (unsigned i = 0; i < SKEIN_SLOT_COUNT; i++) {
        print_total("entry_slots", i, &r->slot[i]);
    }
    printf("blocks events=%" PRIu64 " raw=%" PRIu64 " packed=%" PRIu64 " data=%" PRIu64 "\n",
           r->events, r->raw, r->packed, r->data);
}

int main(int argc, char **argv) {
    struct report r = {.zstd = ZSTD_createCCtx()};
    struct skein_error err = {""};
    int rc;

    if (argc != 2 || r.zstd == NULL) {
        fputs("usage: columns RECORDING\n", stderr);
        return 2;
    }
    rc = read_recording(&r, argv[1], &err);
    ZSTD_freeCCtx(r.zstd);
    if (rc != 0) {
        fprintf(stderr, "columns: %s\n", err.text);
        return 1;
    }
    print_report(&r);
    return 0;
}
