/*
 * Vector clocks: one tick per shard, what a point of the execution has seen. An event (shard,
 * tick) happened before a point iff the point's clock has at least that tick for that shard.
 */
#ifndef SKEIN_PIPELINE_CLOCK_H
#define SKEIN_PIPELINE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/stats.h"

struct skein_clock {
    uint32_t shard_count;
    uint64_t tick[SKEIN_MAX_SHARDS];
};

enum skein_clock_order {
    SKEIN_CLOCK_EQUAL,
    SKEIN_CLOCK_BEFORE,
    SKEIN_CLOCK_AFTER,
    SKEIN_CLOCK_CONCURRENT,
};

/* All zeros: has seen nothing. */
void skein_clock_init(struct skein_clock *clock, uint32_t shard_count);

/* The next event of `shard`; returns its tick. */
uint64_t skein_clock_advance(struct skein_clock *clock, uint32_t shard);

/* Sees all that `other` has seen: the maximum of each component. Both have as many shards. */
void skein_clock_join(struct skein_clock *clock, const struct skein_clock *other);

/* How a stands to b. */
enum skein_clock_order skein_clock_compare(const struct skein_clock *a,
                                           const struct skein_clock *b);

/* True when the event is inside: the target of an edge may only be inside when its source is. */
bool skein_clock_has(const struct skein_clock *clock, uint32_t shard, uint64_t tick);

#endif
