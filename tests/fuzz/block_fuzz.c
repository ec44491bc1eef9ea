/*
 * A block: what its header says about it, then the Block message before compression. A compressed
 * one would let hardly any change through to the decoder.
 */
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "pipeline/block.h"
#include "pipeline/shard_layout.h"
#include "tests/fuzz/fuzz.h"
#include "tests/pipeline/events.h"

#define RAW_LIMIT (1u << 20)

/* Decoded events encode to a block that decodes to the same events. */
static void check_again(const struct skein_block *b) {
    struct skein_block_encoder *encoder;
    struct skein_block_info info;
    struct skein_block *again;
    const uint8_t *data;
    size_t data_bytes;

    FUZZ_CHECK(skein_block_encoder_create(b->shard_count, 0, &encoder) == 0);
    skein_block_encoder_seek(encoder, b->info.clock, b->info.slices);
    for (uint32_t i = 0; i < b->info.events; i++) {
        FUZZ_CHECK(skein_block_encoder_add(encoder, b->events[i].shard, skein_block_record(b, i)) ==
                   0);
    }
    FUZZ_CHECK(skein_block_encoder_finish(encoder, &info, &data, &data_bytes) == 0);
    FUZZ_CHECK(info.events == b->info.events && info.raw_bytes == b->info.raw_bytes);
    FUZZ_CHECK(skein_block_decode(data, data_bytes, &info, b->shard_count, &again, NULL) == 0);
    FUZZ_CHECK(memcmp(again->records, b->records, info.raw_bytes) == 0);
    skein_block_free(again);
    skein_block_encoder_free(encoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct fuzz_input in = {bytes, size};
    struct skein_block_info info = {.events = 0};
    struct skein_error err = {""};
    struct skein_block *block;
    const uint32_t shard_count = (uint32_t)fuzz_take(&in, 1);

    info.events = fuzz_take(&in, 4);
    info.raw_bytes = fuzz_take(&in, 4) % RAW_LIMIT;
    info.slices = fuzz_take(&in, 8);
    for (uint32_t i = 0; i < shard_count && i < SKEIN_MAX_SHARDS; i++) {
        info.clock[i] = 1000u * i;
        info.clock_after[i] = info.clock[i] + fuzz_take(&in, 2);
    }
    info.packed_bytes = in.left;
    uint8_t *data = malloc(ZSTD_compressBound(in.left));
    const size_t data_bytes =
        ZSTD_compress(data, ZSTD_compressBound(in.left), in.bytes, in.left, 1);
    if (skein_block_decode(data, data_bytes, &info, shard_count, &block, &err) == 0) {
        if (block->info.events != 0) {
            check_again(block);
        }
        skein_block_free(block);
    } else {
        FUZZ_CHECK(err.text[0] != '\0');
    }
    free(data);
    return 0;
}

static void add_history(fuzz_add add, uint64_t seed_number, uint32_t shards, size_t count) {
    struct history h = history_make(seed_number, shards, count, 1);
    struct skein_block_encoder *encoder;
    uint64_t clock[SKEIN_MAX_SHARDS];
    struct skein_block_info info;
    const uint8_t *data;
    size_t data_bytes, at = 1;

    FUZZ_CHECK(skein_block_encoder_create(shards, 0, &encoder) == 0);
    for (uint32_t i = 0; i < shards; i++) {
        clock[i] = 1000u * i;
    }
    skein_block_encoder_seek(encoder, clock, 0);
    for (size_t i = 0; i < h.count; i++) {
        FUZZ_CHECK(skein_block_encoder_add(encoder, h.events[i].shard, history_record(&h, i)) == 0);
    }
    FUZZ_CHECK(skein_block_encoder_finish(encoder, &info, &data, &data_bytes) == 0);
    uint8_t *seed = malloc(1 + 16 + 2u * shards + info.packed_bytes);
    seed[0] = (uint8_t)shards;
    memcpy(seed + at, &info.events, 4);
    memcpy(seed + at + 4, &info.raw_bytes, 4);
    memcpy(seed + at + 8, &info.slices, 8);
    at += 16;
    for (uint32_t i = 0; i < shards; i++, at += 2) {
        const uint16_t ticks = (uint16_t)(info.clock_after[i] - info.clock[i]);
        memcpy(seed + at, &ticks, 2);
    }
    FUZZ_CHECK(ZSTD_decompress(seed + at, info.packed_bytes, data, data_bytes) ==
               info.packed_bytes);
    add(seed, at + info.packed_bytes);
    free(seed);
    skein_block_encoder_free(encoder);
    history_free(&h);
}

void fuzz_seeds(fuzz_add add) {
    add_history(add, 1, 2, 5);
    add_history(add, 2, 3, 40);
    add_history(add, 3, 5, 200);
}
