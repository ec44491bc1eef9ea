/* Numbers to and from their message. */
#ifndef SKEIN_PIPELINE_STATS_PROTO_H
#define SKEIN_PIPELINE_STATS_PROTO_H

#include "pipeline/stats.h"
#include "proto/skein.pb-c.h"

/* The message and what it points to. It points into the struct, so it must not be moved. */
struct skein_stats_message {
    Skein__Stats stats;
    Skein__ShardStats shard[SKEIN_MAX_SHARDS];
    Skein__ShardStats *shard_list[SKEIN_MAX_SHARDS];
};

/* `stats` must outlive the message. */
void skein_stats_to_message(struct skein_stats *stats, struct skein_stats_message *message);

/* Unknown kinds and shards beyond the limits are left out; NULL gives zeros. */
void skein_stats_from_message(const Skein__Stats *message, struct skein_stats *stats);

#endif
