/*
 * A block: some hundred KiB of events, in canonical order, encoded as columns (skein.Block) in one
 * zstd frame. Encoding and decoding are exact: the decoder gives back the same bytes.
 */
#ifndef SKEIN_PIPELINE_BLOCK_H
#define SKEIN_PIPELINE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/error.h"
#include "pipeline/event.h"
#include "pipeline/stats.h"

#define SKEIN_BLOCK_RAW_MAX (64ull << 20) /* what a reader accepts */

/* What the header of a block says about its events; the clocks: index is the shard. */
struct skein_block_info {
    uint64_t events;
    uint64_t raw_bytes;
    uint64_t packed_bytes;
    uint64_t slices; /* TOKEN events before this block */
    uint64_t clock[SKEIN_MAX_SHARDS];
    uint64_t clock_after[SKEIN_MAX_SHARDS];
    bool gap; /* recovered, and events before it are missing */
};

struct skein_block_encoder;

/* level: zstd's; 0 is the default of this library. */
int skein_block_encoder_create(uint32_t shard_count, int level, struct skein_block_encoder **out);
void skein_block_encoder_free(struct skein_block_encoder *encoder);

/* Adds the next event of `shard`; the order of the calls is the canonical order. */
int skein_block_encoder_add(struct skein_block_encoder *encoder, uint32_t shard,
                            const struct skein_record *record);

/* What was added since the last finish. */
const struct skein_block_info *skein_block_encoder_info(const struct skein_block_encoder *encoder);

/*
 * Encodes what was added and begins the next block where this one ends. *data is the encoder's,
 * until the next finish; *info is completed.
 */
int skein_block_encoder_finish(struct skein_block_encoder *encoder, struct skein_block_info *info,
                               const uint8_t **data, size_t *data_bytes);

/* Sets the clock and slice count from which the next block goes on. Nothing may be added yet. */
void skein_block_encoder_seek(struct skein_block_encoder *encoder, const uint64_t *clock,
                              uint64_t slices);

struct skein_block_event {
    uint32_t offset; /* of the record in `records` */
    uint32_t slices; /* TOKEN events in this block up to and including this one */
    uint32_t shard;
};

/* A decoded block. */
struct skein_block {
    struct skein_block_info info;
    uint32_t shard_count;
    uint8_t *records; /* in canonical order */
    struct skein_block_event *events;
    uint32_t *by_shard; /* indexes into events, shard by shard, ticks ascending */
    uint32_t shard_start[SKEIN_MAX_SHARDS + 1]; /* where each shard's begin in by_shard */
};

/*
 * Decodes a block whose header said `info`. Everything is checked against it: -EBADMSG, with a
 * sentence in err, when the data are no such block.
 */
int skein_block_decode(const uint8_t *data, size_t data_bytes, const struct skein_block_info *info,
                       uint32_t shard_count, struct skein_block **out, struct skein_error *err);
void skein_block_free(struct skein_block *block);

static inline const struct skein_record *skein_block_record(const struct skein_block *block,
                                                            uint32_t event) {
    return (const void *)(block->records + block->events[event].offset);
}

#endif
