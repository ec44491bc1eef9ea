/*
 * The shape of each kind's records, and the columns of skein.ShardColumns that they go to. One
 * table drives the encoder and the decoder, so that they cannot disagree.
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

/* Word to column value and back. Both advance the series. */
uint64_t skein_word_encode(const struct skein_coding_context *ctx, uint8_t coding, uint64_t word);
uint64_t skein_word_decode(const struct skein_coding_context *ctx, uint8_t coding, uint64_t value);

/*
 * Bytes of the tail of a record whose arg and payload words are given; false when the words allow
 * no such record.
 */
bool skein_shape_tail_bytes(const struct skein_shape *shape, uint32_t arg, const uint64_t *words,
                            size_t *bytes);

/*
 * The record has the shape of its kind: columns give back the same bytes. Then *tail_bytes is what
 * follows its words, without padding.
 */
bool skein_shape_fits(const struct skein_record *rec, size_t *tail_bytes);

#define SKEIN_KIND_RAW 0x80u /* in the kind column: the record is in the raw columns */
#define SKEIN_ENTRY_MASK_WORD 3u

#endif
