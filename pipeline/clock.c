#include "pipeline/clock.h"

#include <assert.h>

void skein_clock_init(struct skein_clock *clock, uint32_t shard_count) {
    assert(shard_count <= SKEIN_MAX_SHARDS);
    *clock = (struct skein_clock){.shard_count = shard_count};
}

uint64_t skein_clock_advance(struct skein_clock *clock, uint32_t shard) {
    assert(shard < clock->shard_count);
    return ++clock->tick[shard];
}

void skein_clock_join(struct skein_clock *clock, const struct skein_clock *other) {
    assert(clock->shard_count == other->shard_count);
    for (uint32_t i = 0; i < clock->shard_count; i++) {
        if (clock->tick[i] < other->tick[i]) {
            clock->tick[i] = other->tick[i];
        }
    }
}

enum skein_clock_order skein_clock_compare(const struct skein_clock *a,
                                           const struct skein_clock *b) {
    bool less = false, more = false;

    assert(a->shard_count == b->shard_count);
    for (uint32_t i = 0; i < a->shard_count; i++) {
        less |= a->tick[i] < b->tick[i];
        more |= a->tick[i] > b->tick[i];
    }
    if (less && more) {
        return SKEIN_CLOCK_CONCURRENT;
    }
    if (less) {
        return SKEIN_CLOCK_BEFORE;
    }
    return more ? SKEIN_CLOCK_AFTER : SKEIN_CLOCK_EQUAL;
}

bool skein_clock_has(const struct skein_clock *clock, uint32_t shard, uint64_t tick) {
    return shard < clock->shard_count && clock->tick[shard] >= tick;
}
