/*
 * The shape of each kind's records, and the columns of skein.ShardColumns that they go to. One
 * table (block_shape_table.h) drives the encoder and the decoder, so that they cannot disagree.
 */
#ifndef SKEIN_PIPELINE_BLOCK_SHAPE_H
#define SKEIN_PIPELINE_BLOCK_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/event.h"
#include "pipeline/stats.h"

/* How a word of the payload becomes a column's value; the series are those of skein.proto. */
enum skein_coding {
    SKEIN_CODE_PLAIN,
    SKEIN_CODE_EDGE,
    SKEIN_CODE_ICOUNT,
    SKEIN_CODE_POSITION, /* icount, or io with SKEIN_F_AT_IO */
    SKEIN_CODE_IP,
    SKEIN_CODE_VA,
    SKEIN_CODE_RAM,
    SKEIN_CODE_PAGE,
    SKEIN_CODE_VALUE, /* tsc, or plain */
};

enum skein_tail {
    SKEIN_TAIL_NONE,
    SKEIN_TAIL_BYTES, /* arg bytes */
    SKEIN_TAIL_SLOTS, /* ENTRY: popcount(mask) words, each in the column of its slot */
    SKEIN_TAIL_WORDS, /* FPU: popcount(mask_lo) + popcount(mask_hi) words */
};

/* How a column's integers are packed: the type in skein.proto. */
enum skein_packing {
    SKEIN_PACK_UINT64,
    SKEIN_PACK_SINT64,
    SKEIN_PACK_FIXED64,
};

#define SKEIN_SHAPE_WORDS 5u

/* Columns are offsets into Skein__ShardColumns, where a count and a pointer stand. */
struct skein_shape {
    uint8_t word_count;
    uint8_t tail;
    uint16_t arg_column;
    uint16_t tail_column; /* of TAIL_BYTES and TAIL_WORDS */
    struct {
        uint16_t column;
        uint8_t coding;
        uint8_t packing;
    } word[SKEIN_SHAPE_WORDS];
};

/* NULL for kinds that have no shape (pads and unknown ones): their records are stored raw. */
const struct skein_shape *skein_shape_of(uint8_t kind);

/* A count and a pointer, as protobuf-c lays out a repeated field and a bytes field. */
struct skein_column {
    size_t count;
    void *data;
};

/* What the values of one shard are relative to. */
struct skein_series {
    uint64_t icount;
    uint64_t io;
    uint64_t ip;
    uint64_t va;
    uint64_t ram;
    uint64_t page;
    uint64_t tsc;
    uint64_t slot[SKEIN_SLOT_COUNT];
};

/* `clock`: the last tick of each shard at this point, before the record. */
struct skein_coding_context {
    struct skein_series *series;
    const uint64_t *clock;
    uint32_t shard_count;
    uint32_t arg;
    uint8_t flags;
};

/* The series a coding belongs to; NULL: the value is the word itself. */
static inline uint64_t *skein_coding_series(const struct skein_coding_context *ctx,
                                            uint8_t coding) {
    struct skein_series *s = ctx->series;

    switch (coding) {
    case SKEIN_CODE_ICOUNT:
        return &s->icount;
    case SKEIN_CODE_POSITION:
        return (ctx->flags & SKEIN_F_AT_IO) != 0 ? &s->io : &s->icount;
    case SKEIN_CODE_IP:
        return &s->ip;
    case SKEIN_CODE_VA:
        return &s->va;
    case SKEIN_CODE_RAM:
        return &s->ram;
    case SKEIN_CODE_PAGE:
        return &s->page;
    case SKEIN_CODE_VALUE:
        return (ctx->arg & 0xff) == SKEIN_VALUE_TSC ? &s->tsc : NULL;
    default:
        return NULL;
    }
}

static inline uint64_t skein_coding_edge_base(const struct skein_coding_context *ctx) {
    return ctx->arg < ctx->shard_count ? ctx->clock[ctx->arg] : 0;
}

/* Word to column value and back. Both advance the series. */
static inline uint64_t skein_word_encode(const struct skein_coding_context *ctx, uint8_t coding,
                                         uint64_t word) {
    uint64_t *last = skein_coding_series(ctx, coding);
    uint64_t delta;

    if (coding == SKEIN_CODE_EDGE) {
        return word - skein_coding_edge_base(ctx);
    }
    if (last == NULL) {
        return word;
    }
    delta = word - *last;
    *last = word;
    return coding == SKEIN_CODE_PAGE ? delta >> 12 | delta << 52 : delta;
}

static inline uint64_t skein_word_decode(const struct skein_coding_context *ctx, uint8_t coding,
                                         uint64_t value) {
    uint64_t *last = skein_coding_series(ctx, coding);

    if (coding == SKEIN_CODE_EDGE) {
        return value + skein_coding_edge_base(ctx);
    }
    if (last == NULL) {
        return value;
    }
    *last += coding == SKEIN_CODE_PAGE ? value << 12 | value >> 52 : value;
    return *last;
}

#define SKEIN_KIND_RAW 0x80u /* in the kind column: the record is in the raw columns */
#define SKEIN_ENTRY_MASK_WORD 3u

/*
 * Bytes of the tail of a record whose arg and payload words are given; false when the words allow
 * no such record.
 */
static inline bool skein_shape_tail_bytes(const struct skein_shape *shape, uint32_t arg,
                                          const uint64_t *words, size_t *bytes) {
    switch (shape->tail) {
    case SKEIN_TAIL_BYTES:
        *bytes = arg;
        return arg <= UINT16_MAX;
    case SKEIN_TAIL_SLOTS:
        *bytes = 8u * (size_t)__builtin_popcountll(words[SKEIN_ENTRY_MASK_WORD]);
        return words[SKEIN_ENTRY_MASK_WORD] >> SKEIN_SLOT_COUNT == 0;
    case SKEIN_TAIL_WORDS:
        *bytes = 8u * (size_t)(__builtin_popcountll(words[0]) + __builtin_popcountll(words[1]));
        return true;
    default:
        *bytes = 0;
        return true;
    }
}

/*
 * The record has the shape of its kind: columns give back the same bytes. Then *tail_bytes is what
 * follows its words, without padding.
 */
bool skein_shape_match(const struct skein_record *rec, size_t *tail_bytes);

static inline bool skein_shape_fits(const struct skein_record *rec) {
    size_t tail_bytes;

    return skein_shape_match(rec, &tail_bytes);
}

#endif
