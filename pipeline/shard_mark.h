/*
 * The marks of a shard, and the sums in them ("Marks" in shard.h). For shard.c, which is both
 * sides, and for recovery.
 */
#ifndef SKEIN_PIPELINE_SHARD_MARK_H
#define SKEIN_PIPELINE_SHARD_MARK_H

#include <stdint.h>

#include "pipeline/shard.h"
#include "pipeline/shard_layout.h"

/* Goes on with the sums over so many bytes, a multiple of 8. */
void skein_shard_sum_words(struct skein_shard_sums *sums, const uint8_t *at, uint64_t bytes);

/* The same for a part of the ring by its positions, which may wrap. */
void skein_shard_sum_ring(struct skein_shard_sums *sums, const uint8_t *ring, uint64_t mask,
                          uint64_t from, uint64_t to);

/* Stores a mark; the position is to be stored behind it, with release. */
void skein_shard_mark_store(struct skein_shard_mark *to, uint64_t at, uint64_t ticks,
                            const struct skein_shard_sums *sums);

/*
 * The position and its mark, whoever moves it meanwhile. -EAGAIN: the other side moves too fast;
 * -EBADMSG: there is no mark for the position.
 */
int skein_shard_mark_load(const uint64_t *position, const struct skein_shard_mark marks[2],
                          struct skein_shard_mark *mark);

/* The index of the mark that may be overwritten: not the position's. */
uint32_t skein_shard_mark_spare(const struct skein_shard_mark marks[2], uint64_t at);

#endif
