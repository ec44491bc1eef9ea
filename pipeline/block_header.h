/* What a block's header says of its events, out of its message. */
#ifndef SKEIN_PIPELINE_BLOCK_HEADER_H
#define SKEIN_PIPELINE_BLOCK_HEADER_H

#include <string.h>

#include "pipeline/block.h"
#include "proto/skein.pb-c.h"

/* The message has at most SKEIN_MAX_SHARDS entries in each clock. */
static inline void skein_block_info_from_header(const Skein__BlockHeader *msg,
                                                struct skein_block_info *info) {
    *info = (struct skein_block_info){
        .events = msg->events,
        .raw_bytes = msg->raw_bytes,
        .packed_bytes = msg->packed_bytes,
        .slices = msg->slices,
        .gap = msg->gap,
    };
    memcpy(info->clock, msg->clock, msg->n_clock * 8);
    memcpy(info->clock_after, msg->clock_after, msg->n_clock_after * 8);
}

#endif
