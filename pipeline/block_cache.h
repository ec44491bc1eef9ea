/*
 * Decoded blocks, shared by the readers of one thread: shards that stand near each other in a
 * recording decode a block once.
 */
#ifndef SKEIN_PIPELINE_BLOCK_CACHE_H
#define SKEIN_PIPELINE_BLOCK_CACHE_H

#include <stddef.h>

#include "pipeline/block.h"
#include "pipeline/error.h"
#include "pipeline/recording.h"

struct skein_block_cache;

int skein_block_cache_create(const struct skein_recording *rec, struct skein_block_cache **out);
void skein_block_cache_free(struct skein_block_cache *cache);

/* The block, decoded; put it back when done. */
int skein_block_cache_get(struct skein_block_cache *cache, size_t segment, size_t block,
                          const struct skein_block **out, struct skein_error *err);
void skein_block_cache_put(struct skein_block_cache *cache, const struct skein_block *block);

#endif
