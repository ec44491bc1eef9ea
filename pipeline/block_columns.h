/*
 * The columns of a packed Block message, found in place: which bytes are which column. Each column
 * stands in one piece, as our writer packs it; fields that are not known are passed over.
 */
#ifndef SKEIN_PIPELINE_BLOCK_COLUMNS_H
#define SKEIN_PIPELINE_BLOCK_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/event.h"
#include "pipeline/tsc_grid.h"
#include "pipeline/wire.h"
#include "proto/skein.pb-c.h"

/* A column's index is the offset of its field in Skein__ShardColumns (block_shape.h) by 8. */
#define SKEIN_COLUMN_COUNT (sizeof(Skein__ShardColumns) / 8)
#define SKEIN_COLUMN_KIND (offsetof(Skein__ShardColumns, kind) / 8)
#define SKEIN_COLUMN_FLAGS (offsetof(Skein__ShardColumns, flags) / 8)
#define SKEIN_COLUMN_RAW_SIZE (offsetof(Skein__ShardColumns, n_raw_size) / 8)
#define SKEIN_COLUMN_RAW (offsetof(Skein__ShardColumns, raw) / 8)
#define SKEIN_COLUMN_TSC_LOW (offsetof(Skein__ShardColumns, tsc_low) / 8)
#define SKEIN_COLUMN_TSC_REST (offsetof(Skein__ShardColumns, n_tsc_rest) / 8)

/* A column that is absent or empty: NULL and NULL. */
struct skein_shard_columns {
    bool present;
    struct skein_tsc_grid counters; /* step 0: on no grid */
    struct skein_wire column[SKEIN_COLUMN_COUNT];
    struct skein_wire slot[SKEIN_SLOT_COUNT];
};

struct skein_block_columns {
    struct skein_wire run_shard, run_events;
    uint32_t shard_count;
    struct skein_shard_columns shards[];
};

/* NULL: out of memory. */
struct skein_block_columns *skein_block_columns_new(uint32_t shard_count);

/* `packed` is followed by SKEIN_WIRE_PADDING. False: it is no Block of that many shards. */
bool skein_block_columns_find(struct skein_block_columns *columns, const uint8_t *packed,
                              size_t packed_bytes);

/* Every column has been read to its end. */
bool skein_block_columns_used_up(const struct skein_block_columns *columns);

#endif
