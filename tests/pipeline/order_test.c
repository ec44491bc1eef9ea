#include "pipeline/order.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pipeline/events.h"

/* Pushes the next few records of a shard; false when it has no more. */
static bool push_some(struct skein_order *order, const struct history *h, uint32_t shard,
                      size_t *next, uint64_t limit) {
    struct skein_chunk *chunk = skein_chunk_new(1 << 20);

    for (; *next < h->count && limit != 0; ++*next) {
        if (h->events[*next].shard == shard) {
            const struct skein_record *rec = history_record(h, *next);
            memcpy(chunk->bytes + chunk->used, rec, rec->size_bytes);
            chunk->used += rec->size_bytes;
            limit--;
        }
    }
    if (chunk->used == 0) {
        free(chunk);
        return false;
    }
    skein_order_push(order, shard, chunk);
    return true;
}

/* A history whose events arrive in random portions comes out as it happened. */
static void check_arrival(const struct history *h, uint64_t seed) {
    struct random rng = {seed};
    struct skein_order *order;
    size_t next[SKEIN_MAX_SHARDS] = {0}, got = 0;
    uint32_t open = h->shard_count;
    bool closed[SKEIN_MAX_SHARDS] = {false};

    cr_assert_eq(skein_order_create(h->shard_count, &order), 0);
    for (;;) {
        const struct skein_record *rec;
        uint32_t shard;
        while ((rec = skein_order_next(order, false, &shard)) != NULL) {
            const struct skein_record *want = history_record(h, got);
            cr_assert_eq(shard, h->events[got].shard, "event %zu: shard %u", got, shard);
            cr_assert_eq(memcmp(rec, want, want->size_bytes), 0);
            got++;
        }
        if (open == 0) {
            break;
        }
        shard = (uint32_t)random_below(&rng, h->shard_count);
        if (!closed[shard] &&
            !push_some(order, h, shard, &next[shard], 1 + random_below(&rng, 50))) {
            skein_order_close(order, shard);
            closed[shard] = true;
            open--;
        }
    }
    cr_assert_eq(got, h->count);
    cr_assert_eq(skein_order_buffered(order), 0u);
    skein_order_free(order);
}

Test(order, any_arrival_gives_the_order_of_the_token) {
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct history h = history_make(seed, 1 + (uint32_t)(seed % 6), 1500, 1);
        check_arrival(&h, seed);
        check_arrival(&h, seed + 1000);
        history_free(&h);
    }
}

static void push_one(struct skein_order *order, uint32_t shard, uint8_t kind, uint32_t arg,
                     uint64_t word) {
    struct skein_chunk *chunk = skein_chunk_new(64);
    const struct skein_record rec = {32, kind, 0, arg};

    memset(chunk->bytes, 0, 32);
    memcpy(chunk->bytes, &rec, sizeof(rec));
    memcpy(chunk->bytes + 8, &word, 8);
    chunk->used = 32;
    skein_order_push(order, shard, chunk);
}

Test(order, a_slow_shard_is_never_overtaken) {
    struct skein_order *order;
    uint32_t shard = 99;

    cr_assert_eq(skein_order_create(2, &order), 0);
    push_one(order, 1, SKEIN_TOKEN, 0, 2); /* follows (0, 2), of which nothing has come */
    push_one(order, 1, SKEIN_MARK, 0, 0);
    cr_assert_null(skein_order_next(order, true, &shard));
    push_one(order, 0, SKEIN_TOKEN, SKEIN_SHARD_NONE, 0);
    cr_assert_not_null(skein_order_next(order, false, &shard));
    cr_assert_eq(shard, 0u);
    cr_assert_null(skein_order_next(order, true, &shard), "its source is not inside yet");
    push_one(order, 0, SKEIN_VALUE, 0, 0);
    cr_assert_not_null(skein_order_next(order, false, &shard));
    cr_assert_eq(shard, 0u);
    cr_assert_not_null(skein_order_next(order, false, &shard));
    cr_assert_eq(shard, 1u);
    skein_order_free(order);
}

Test(order, an_edge_that_never_came_strands_what_follows) {
    struct skein_order *order;
    uint32_t shard;

    cr_assert_eq(skein_order_create(2, &order), 0);
    push_one(order, 0, SKEIN_TOKEN, SKEIN_SHARD_NONE, 0);
    push_one(order, 1, SKEIN_TOKEN, 0, 5);
    push_one(order, 1, SKEIN_MARK, 0, 0);
    skein_order_close(order, 0);
    skein_order_close(order, 1);
    cr_assert_not_null(skein_order_next(order, false, &shard));
    cr_assert_null(skein_order_next(order, true, &shard));
    cr_assert_eq(skein_order_buffered(order), 64u);
    skein_order_free(order);
}

Test(order, loose_events_come_before_their_shards_next_token) {
    struct skein_order *order;
    uint32_t shard;
    static const uint32_t expected[] = {0, 1, 1, 0, 1};

    cr_assert_eq(skein_order_create(2, &order), 0);
    push_one(order, 1, SKEIN_PAGE_DIRTY, 0, 0); /* shard 1 holds no token yet */
    cr_assert_null(skein_order_next(order, false, &shard));
    push_one(order, 0, SKEIN_TOKEN, SKEIN_SHARD_NONE, 0);
    push_one(order, 1, SKEIN_TOKEN, 0, 1);
    push_one(order, 0, SKEIN_END, 0, 0);
    push_one(order, 1, SKEIN_END, 0, 0);
    skein_order_close(order, 0);
    skein_order_close(order, 1);
    for (int i = 0; i < 5; i++) {
        const struct skein_record *rec = skein_order_next(order, false, &shard);
        cr_assert_not_null(rec);
        cr_assert_eq(shard, expected[i], "event %d", i);
    }
    skein_order_free(order);
}
