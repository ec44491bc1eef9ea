/*
 * Time-stamp counters of many machines move in steps: one that counts 2450 MHz from a clock of
 * 100 MHz only ever shows multiples of 24.5, rounded down. Values of such a counter lie on a grid,
 *
 *     t = origin + floor((k * step + phase) / 2^shift)
 *
 * and the small integers k are about half as long in a recording as the values are, whose low bits
 * look random but are not. The origin is the shard's first value in the block. What does not lie on
 * the grid keeps its distance from it, so that nothing is lost whatever the values are.
 *
 * For the block encoder and decoder; the columns are those of skein.ShardColumns.
 */
#ifndef SKEIN_PIPELINE_TSC_GRID_H
#define SKEIN_PIPELINE_TSC_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skein_tsc_grid {
    uint32_t step; /* 0: no grid */
    uint32_t shift;
    uint32_t phase; /* less than 2^shift */
};

/* Further from the origin nothing is packed, so that no product overflows. */
#define SKEIN_TSC_DISTANCE_MAX (1ll << 48)

/* The place of k. Rounds down, for negative ones too. */
static inline int64_t skein_tsc_on_grid(struct skein_tsc_grid g, int64_t k) {
    return (k * g.step + g.phase) >> g.shift;
}

/* The VALUE columns of a shard: count values and their args. */
struct skein_tsc_values {
    size_t count;
    const uint64_t *arg;
    int64_t *value; /* of counters: the difference to the one before, the first as it is */
};

/* Columns of their own, for counters on a grid: one entry for each but the first. */
struct skein_tsc_columns {
    size_t count;
    uint8_t *low;      /* of the difference of k, zigzag, its low byte: noise, kept from the rest */
    size_t rest_count; /* count, or 0: all zeros */
    int64_t *rest;     /* the distance from the grid */
};

/* What is known from earlier shards and blocks; starts with zeros. */
struct skein_tsc_finder {
    struct skein_tsc_grid last;
    uint32_t pause;
};

/* The grid that the shard's counters lie on, or no grid. */
struct skein_tsc_grid skein_tsc_grid_find(struct skein_tsc_finder *finder,
                                          const struct skein_tsc_values *values);

/*
 * Differences of counters become differences of k, zigzag, without their low bytes. The columns
 * have room for `values->count` entries each; their counts are set.
 */
void skein_tsc_grid_pack(const struct skein_tsc_values *values, struct skein_tsc_grid grid,
                         struct skein_tsc_columns *columns);

/* A grid that packing may have used. */
bool skein_tsc_grid_valid(struct skein_tsc_grid grid);

/* What unpacking one counter after the other needs to know; starts with the grid and zeros. */
struct skein_tsc_unpacker {
    struct skein_tsc_grid grid;
    bool begun;
    uint64_t origin;
    int64_t k;
};

/* The first counter, which stands for itself. */
static inline void skein_tsc_unpack_first(struct skein_tsc_unpacker *u, uint64_t tsc) {
    u->begun = true;
    u->origin = tsc;
}

/* The next one: its value, low byte and rest. False: no grid goes that far. */
static inline bool skein_tsc_unpack_next(struct skein_tsc_unpacker *u, uint64_t value, uint8_t low,
                                         uint64_t rest, uint64_t *tsc) {
    const uint64_t delta = value << 8 | low;

    u->k = (int64_t)((uint64_t)u->k + (delta >> 1 ^ -(delta & 1)));
    if (u->k >= SKEIN_TSC_DISTANCE_MAX || u->k <= -SKEIN_TSC_DISTANCE_MAX) {
        return false;
    }
    *tsc = u->origin + (uint64_t)skein_tsc_on_grid(u->grid, u->k) + rest;
    return true;
}

#endif
