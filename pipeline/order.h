/*
 * The canonical order of events: a topological order of the edges that depends on the events only,
 * never on when they arrive.
 *
 * Kernel execution is serialized by a token, so the edges chain all slices one after the other, and
 * every event but END belongs to a slice (event.h). The order follows that chain: events of the
 * shard that holds the token, until another shard's TOKEN names the point where it was given up.
 * END events come last, in the order of the shards.
 *
 * Watermarks: a shard is known up to the last tick pushed. What an event depends on stands in the
 * event: a TOKEN is given out only when the tick that it names has been. So a slow shard holds back
 * what follows it and is never overtaken, an idle one holds back nothing, and any prefix of the
 * order is a consistent cut.
 *
 * A history that is no chain (which no recorder of ours writes) still gets a topological order; it
 * takes the lowest ready shard once every shard has an event waiting or is closed.
 *
 * Not thread-safe: the merger's own.
 */
#ifndef SKEIN_PIPELINE_ORDER_H
#define SKEIN_PIPELINE_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/event.h"

/* Records of one shard, one after the other. */
struct skein_chunk {
    struct skein_chunk *next;
    size_t used;
    size_t capacity;
    _Alignas(8) uint8_t bytes[];
};

struct skein_chunk *skein_chunk_new(size_t capacity);

struct skein_order;

int skein_order_create(uint32_t shard_count, struct skein_order **out);
void skein_order_free(struct skein_order *order);

/*
 * Goes on behind events that another order has given out: the last tick of each shard, and whose
 * the last event was (SKEIN_SHARD_NONE: nobody knows). Nothing may be pushed yet.
 */
void skein_order_seek(struct skein_order *order, const uint64_t *clock, uint32_t last_shard);

/* The next records of a shard. The chunk (not empty, its records valid) is the order's now. */
void skein_order_push(struct skein_order *order, uint32_t shard, struct skein_chunk *chunk);

/* No more will be pushed for this shard. */
void skein_order_close(struct skein_order *order, uint32_t shard);

/*
 * The next event in canonical order; NULL when what was pushed does not say which it is. With
 * `force`, an event is also taken when shards without events might come first. The record is valid
 * until the next call.
 */
const struct skein_record *skein_order_next(struct skein_order *order, bool force, uint32_t *shard);

/* Bytes pushed and not yet given out. */
uint64_t skein_order_buffered(const struct skein_order *order);

#endif
