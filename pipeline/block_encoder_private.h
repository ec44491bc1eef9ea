/*
 * The inside of the block encoder: the columns of a block while events are added
 * (block_encoder_add.c), and what makes a block of them (block_encoder.c).
 */
#ifndef SKEIN_PIPELINE_BLOCK_ENCODER_PRIVATE_H
#define SKEIN_PIPELINE_BLOCK_ENCODER_PRIVATE_H

#include <zstd.h>

#include "pipeline/block.h"
#include "pipeline/block_column.h"
#include "pipeline/tsc_grid.h"
#include "proto/skein.pb-c.h"

/* Columns by their offset in the message, in units of 8 bytes: where capacities are kept. */
#define SKEIN_ENCODER_COLUMNS (sizeof(Skein__ShardColumns) / 8)

struct skein_encoder_shard {
    Skein__ShardColumns columns;
    size_t capacity[SKEIN_ENCODER_COLUMNS];
    Skein__SlotColumn slot[SKEIN_SLOT_COUNT];
    size_t slot_capacity[SKEIN_SLOT_COUNT];
    Skein__SlotColumn *slot_list[SKEIN_SLOT_COUNT];
    struct skein_series series;
    size_t kind_capacity; /* of the columns kind and flags */
    size_t low_capacity;
    bool any_flags;
};

struct skein_block_encoder {
    uint32_t shard_count;
    int level;
    ZSTD_CCtx *zstd;
    struct skein_block_info info;
    uint64_t tokens; /* in this block */
    struct skein_tsc_finder counters;
    struct skein_column run_shard, run_events;
    size_t run_capacity[2];
    uint8_t *packed;
    size_t packed_capacity;
    uint8_t *compressed;
    size_t compressed_capacity;
    Skein__ShardColumns *shard_list[SKEIN_MAX_SHARDS];
    struct skein_encoder_shard shards[];
};

#endif
