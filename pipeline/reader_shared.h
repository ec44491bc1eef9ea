/* Readers that share one cache of decoded blocks; all of them belong to one thread. */
#ifndef SKEIN_PIPELINE_READER_SHARED_H
#define SKEIN_PIPELINE_READER_SHARED_H

#include "pipeline/block_cache.h"
#include "pipeline/reader.h"

/* Like skein_reader_open_shard(); the cache must outlive the reader. */
int skein_reader_open_shared(struct skein_recording *rec, struct skein_block_cache *cache,
                             uint32_t shard, uint64_t first_tick, struct skein_reader **out,
                             struct skein_error *err);

/*
 * The next event will be this one of the reader's shard. Cheap when it is near the last one: what
 * is known of the segment stays known, and the cache has the block.
 */
void skein_reader_seek(struct skein_reader *reader, uint64_t first_tick);

#endif
