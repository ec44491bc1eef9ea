/*
 * Which blocks of a recording somebody needs who does not need all events: known from the headers
 * of blocks, before any block is read.
 */
#ifndef SKEIN_PIPELINE_BLOCK_PLAN_H
#define SKEIN_PIPELINE_BLOCK_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/error.h"
#include "pipeline/reader.h"
#include "pipeline/recording.h"

/* Events of these shards, in both ranges (first and last included). */
struct skein_block_want {
    bool shard[SKEIN_MAX_SHARDS];
    uint64_t first_tick, last_tick;
    uint64_t first_slice, last_slice;
    uint32_t lead_in; /* so many blocks before each wanted one are needed too */
};

struct skein_block_plan;

/*
 * A block that may hold a wanted event is in the plan. Reads the headers of all blocks: -EBADMSG
 * when some are damaged, and what reading files may give.
 */
int skein_block_plan_create(struct skein_recording *rec, const struct skein_block_want *want,
                            struct skein_block_plan **out, struct skein_error *err);
void skein_block_plan_free(struct skein_block_plan *plan);

bool skein_block_plan_has(const struct skein_block_plan *plan, size_t segment, size_t block);

/*
 * From here on, the reader passes over the blocks that are not in the plan. Set it before the first
 * event is read; it must outlive the reader.
 */
void skein_reader_follow(struct skein_reader *reader, const struct skein_block_plan *plan);

#endif
