#include "pipeline/block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "pipeline/block_columns.h"
#include "pipeline/block_decoder.h"

/*
 * What columns may take packed: about 4 bytes for each byte of a record when every value is a run
 * of its own, and the fixed part of SKEIN_MAX_SHARDS shards.
 */
#define COLUMNS_PER_BYTE 8u
#define COLUMNS_MIN_BYTES (1u << 20)

static bool info_valid(const struct skein_block_info *info, uint32_t shard_count) {
    uint64_t events = 0;

    if (shard_count == 0 || shard_count > SKEIN_MAX_SHARDS || info->raw_bytes == 0 ||
        info->raw_bytes > SKEIN_BLOCK_RAW_MAX ||
        info->packed_bytes > COLUMNS_MIN_BYTES + COLUMNS_PER_BYTE * info->raw_bytes ||
        info->events > info->raw_bytes / sizeof(struct skein_record)) {
        return false;
    }
    for (uint32_t i = 0; i < shard_count; i++) {
        const uint64_t n = info->clock_after[i] - info->clock[i];
        if (n > info->events - events) {
            return false;
        }
        events += n;
    }
    return events == info->events;
}

/* The Block message, SKEIN_WIRE_PADDING behind it. */
static uint8_t *decompress(const uint8_t *data, size_t data_bytes, size_t packed_bytes) {
    /* The room for one byte more tells a frame that is longer than the header said. */
    uint8_t *packed = malloc(packed_bytes + 1 + SKEIN_WIRE_PADDING);

    if (packed == NULL ||
        ZSTD_decompress(packed, packed_bytes + 1, data, data_bytes) != packed_bytes) {
        free(packed);
        return NULL;
    }
    memset(packed + packed_bytes, 0, SKEIN_WIRE_PADDING);
    return packed;
}

static struct skein_block *block_alloc(const struct skein_block_info *info, uint32_t shard_count) {
    struct skein_block *b = calloc(1, sizeof(*b));

    if (b == NULL) {
        return NULL;
    }
    b->info = *info;
    b->shard_count = shard_count;
    b->records = malloc(info->raw_bytes);
    b->events = malloc(info->events * sizeof(*b->events) + 1);
    b->by_shard = malloc(info->events * sizeof(*b->by_shard) + 1);
    if (b->records == NULL || b->events == NULL || b->by_shard == NULL) {
        skein_block_free(b);
        return NULL;
    }
    for (uint32_t i = 0; i < shard_count; i++) {
        b->shard_start[i + 1] =
            b->shard_start[i] + (uint32_t)(info->clock_after[i] - info->clock[i]);
    }
    return b;
}

static int decode(const uint8_t *packed, const struct skein_block_info *info, uint32_t shard_count,
                  struct skein_block **out, struct skein_error *err) {
    struct skein_block_columns *columns = skein_block_columns_new(shard_count);
    struct skein_block *block = block_alloc(info, shard_count);
    int rc = -ENOMEM;

    if (columns != NULL && block != NULL) {
        rc = skein_block_columns_find(columns, packed, info->packed_bytes)
                 ? skein_block_decode_columns(block, columns)
                 : -EBADMSG;
    }
    free(columns);
    if (rc != 0) {
        skein_block_free(block);
        return skein_error_set(err, rc, "%s",
                               rc == -ENOMEM ? "out of memory"
                                             : "a block's columns do not fit together");
    }
    *out = block;
    return 0;
}

int skein_block_decode(const uint8_t *data, size_t data_bytes, const struct skein_block_info *info,
                       uint32_t shard_count, struct skein_block **out, struct skein_error *err) {
    uint8_t *packed;
    int rc;

    if (!info_valid(info, shard_count)) {
        return skein_error_set(err, -EBADMSG, "a block header holds impossible sizes");
    }
    packed = decompress(data, data_bytes, info->packed_bytes);
    if (packed == NULL) {
        return skein_error_set(err, -EBADMSG, "a block cannot be unpacked");
    }
    rc = decode(packed, info, shard_count, out, err);
    free(packed);
    return rc;
}

void skein_block_free(struct skein_block *b) {
    if (b == NULL) {
        return;
    }
    free(b->records);
    free(b->events);
    free(b->by_shard);
    free(b);
}
