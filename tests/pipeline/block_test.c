#include "pipeline/block.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <zstd.h>

#include "pipeline/shard_layout.h"
#include "proto/skein.pb-c.h"
#include "tests/pipeline/events.h"

static struct skein_block *round_trip(struct skein_block_encoder *enc, uint32_t shards) {
    struct skein_block_info info;
    struct skein_block *block = NULL;
    struct skein_error err = {""};
    const uint8_t *data;
    size_t bytes;

    cr_assert_eq(skein_block_encoder_finish(enc, &info, &data, &bytes), 0);
    cr_assert_eq(skein_block_decode(data, bytes, &info, shards, &block, &err), 0, "%s", err.text);
    return block;
}

static void check_against(const struct skein_block *block, const struct history *h, size_t from,
                          size_t to) {
    uint32_t seen[SKEIN_MAX_SHARDS] = {0};

    cr_assert_eq(block->info.events, to - from);
    for (size_t i = from; i < to; i++) {
        const uint32_t e = (uint32_t)(i - from), shard = h->events[i].shard;
        const struct skein_record *want = history_record(h, i);
        cr_assert_eq(block->events[e].shard, shard);
        cr_assert_eq(memcmp(skein_block_record(block, e), want, want->size_bytes), 0,
                     "event %zu of kind %u differs", i, want->kind);
        cr_assert_eq(block->by_shard[block->shard_start[shard] + seen[shard]++], e);
    }
}

Test(block, histories_come_back_byte_for_byte) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const uint32_t shards = 1 + (uint32_t)(seed % 5);
        struct history h = history_make(seed, shards, 3000, 1);
        struct skein_block_encoder *enc;
        size_t from = 0;

        cr_assert_eq(skein_block_encoder_create(shards, 0, &enc), 0);
        for (size_t i = 0; i < h.count; i++) {
            cr_assert_eq(skein_block_encoder_add(enc, h.events[i].shard, history_record(&h, i)), 0);
            /* Blocks of different lengths, so that one's leftovers would show in the next. */
            if (i + 1 == h.count || i - from == 100 * seed) {
                struct skein_block *block = round_trip(enc, shards);
                check_against(block, &h, from, i + 1);
                skein_block_free(block);
                from = i + 1;
            }
        }
        skein_block_encoder_free(enc);
        history_free(&h);
    }
}

Test(block, records_without_a_shape_come_back) {
    struct random rng = {7};
    struct skein_block_encoder *enc;

    cr_assert_eq(skein_block_encoder_create(3, 0, &enc), 0);
    for (int round = 0; round < 50; round++) {
        struct any_record *recs = malloc(500 * sizeof(*recs));
        for (uint32_t i = 0; i < 500; i++) {
            uint64_t icount = random_next(&rng);
            if (i % 2 == 0) {
                events_make_odd(&rng, &recs[i]);
            } else {
                events_make(&rng, (uint8_t)(1 + i % 13), &icount, &recs[i]);
                /* A byte set where the padding should be zero, or a wrong length. */
                recs[i].payload[random_below(&rng, 16)] ^= (uint8_t)random_next(&rng);
                recs[i].header.arg ^= (uint32_t)random_below(&rng, 2);
            }
            cr_assert_eq(skein_block_encoder_add(enc, i % 3, &recs[i].header), 0);
        }
        struct skein_block *block = round_trip(enc, 3);
        for (uint32_t i = 0; i < 500; i++) {
            cr_assert_eq(memcmp(skein_block_record(block, i), &recs[i], recs[i].header.size_bytes),
                         0);
        }
        skein_block_free(block);
        free(recs);
    }
    skein_block_encoder_free(enc);
}

Test(block, slices_and_clocks_go_on) {
    struct history h = history_make(3, 3, 2000, 0);
    struct skein_block_encoder *enc;
    uint64_t tokens = 0;

    cr_assert_eq(skein_block_encoder_create(3, 0, &enc), 0);
    for (size_t i = 0; i < h.count; i++) {
        skein_block_encoder_add(enc, h.events[i].shard, history_record(&h, i));
        tokens += history_record(&h, i)->kind == SKEIN_TOKEN;
        if (i % 500 == 499) {
            struct skein_block *block = round_trip(enc, 3);
            const struct skein_block_event *last = &block->events[block->info.events - 1];
            cr_assert_eq(block->info.slices + last->slices, tokens);
            cr_assert_eq(skein_block_encoder_info(enc)->slices, tokens);
            cr_assert_eq(memcmp(skein_block_encoder_info(enc)->clock, block->info.clock_after, 24),
                         0);
            skein_block_free(block);
        }
    }
    skein_block_encoder_free(enc);
    history_free(&h);
}

/* Whatever the bytes: an error or a block, never a crash (run under a sanitizer, too). */
Test(block, damaged_data_never_crash) {
    struct history h = history_make(5, 2, 300, 1);
    struct random rng = {11};
    struct skein_block_encoder *enc;
    struct skein_block_info info;
    const uint8_t *data;
    size_t bytes;

    cr_assert_eq(skein_block_encoder_create(2, 0, &enc), 0);
    for (size_t i = 0; i < h.count; i++) {
        skein_block_encoder_add(enc, h.events[i].shard, history_record(&h, i));
    }
    cr_assert_eq(skein_block_encoder_finish(enc, &info, &data, &bytes), 0);
    uint8_t *copy = malloc(bytes);
    for (int i = 0; i < 20000; i++) {
        struct skein_block_info wrong = info;
        struct skein_block *block = NULL;
        memcpy(copy, data, bytes);
        copy[random_below(&rng, bytes)] ^= (uint8_t)(1u << random_below(&rng, 8));
        if (i % 4 == 0) {
            wrong.events ^= 1u << random_below(&rng, 10);
        }
        if (i % 4 == 1) {
            wrong.raw_bytes ^= 1u << random_below(&rng, 16);
        }
        if (skein_block_decode(copy, bytes, &wrong, 2, &block, NULL) == 0) {
            skein_block_free(block);
        }
    }
    free(copy);
    skein_block_encoder_free(enc);
    history_free(&h);
}

/* A shard's writer takes no such record: it must not come out of a file either. */
Test(block, a_record_too_long_for_a_shard_is_refused) {
    static uint8_t longer[SKEIN_RECORD_LIMIT_BYTES + 8];
    const struct skein_record header = {sizeof(longer), SKEIN_VALUE, 0, 1};
    struct skein_block_encoder *enc;
    struct skein_block_info info;
    struct skein_block *block;
    const uint8_t *data;
    size_t bytes;

    cr_assert_eq(skein_block_encoder_create(1, 0, &enc), 0);
    memcpy(longer, &header, sizeof(header));
    cr_assert_eq(skein_block_encoder_add(enc, 0, (const void *)longer), 0);
    cr_assert_eq(skein_block_encoder_finish(enc, &info, &data, &bytes), 0);
    cr_assert_eq(skein_block_decode(data, bytes, &info, 1, &block, NULL), -EBADMSG);
    skein_block_encoder_free(enc);
}

/* Two bytes of it ask for the columns of one more shard: some hundred bytes of memory each. */
Test(block, a_message_that_needs_much_memory_is_refused) {
    const size_t packed_bytes = 1 << 20;
    const struct skein_block_info info = {
        .events = 1, .raw_bytes = 64, .packed_bytes = packed_bytes, .clock_after = {1}};
    const size_t room = ZSTD_compressBound(packed_bytes);
    uint8_t *packed = calloc(1, packed_bytes), *data = malloc(room);
    struct skein_block *block;
    struct rusage before, after;

    for (size_t i = 0; i < packed_bytes; i += 2) {
        packed[i] = 3 << 3 | 2; /* Block.shards, of length 0 */
    }
    const size_t bytes = ZSTD_compress(data, room, packed, packed_bytes, 1);
    getrusage(RUSAGE_SELF, &before);
    cr_assert_eq(skein_block_decode(data, bytes, &info, 1, &block, NULL), -EBADMSG);
    getrusage(RUSAGE_SELF, &after);
    cr_assert_lt(after.ru_maxrss - before.ru_maxrss, 64 << 10, "KiB");
    free(packed);
    free(data);
}

/* Once packed, all that is left in the column of values is zeros. */
Test(block, counters_from_zero_come_back) {
    struct skein_block_encoder *enc;

    cr_assert_eq(skein_block_encoder_create(2, 0, &enc), 0);
    for (uint64_t i = 0; i < 100; i++) {
        struct any_record rec = {.header = {16, SKEIN_VALUE, 0, SKEIN_VALUE_TSC | 8u << 8}};
        const uint64_t value = i * 49 / 2;
        memcpy(rec.payload, &value, sizeof(value));
        cr_assert_eq(skein_block_encoder_add(enc, 0, &rec.header), 0);
    }
    struct skein_block *block = round_trip(enc, 2);
    for (uint32_t i = 0; i < 100; i++) {
        uint64_t value;
        memcpy(&value, skein_block_record(block, i) + 1, sizeof(value));
        cr_assert_eq(value, i * 49 / 2);
    }
    skein_block_free(block);
    skein_block_encoder_free(enc);
}
