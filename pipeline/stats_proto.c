#include "pipeline/stats_proto.h"

void skein_stats_to_message(struct skein_stats *stats, struct skein_stats_message *message) {
    skein__stats__init(&message->stats);
    message->stats.n_shards = stats->shard_count;
    message->stats.shards = message->shard_list;
    for (uint32_t i = 0; i < stats->shard_count; i++) {
        skein__shard_stats__init(&message->shard[i]);
        message->shard[i].n_events = SKEIN_KIND_COUNT;
        message->shard[i].events = stats->events[i];
        message->shard_list[i] = &message->shard[i];
    }
    message->stats.n_kind_bytes = SKEIN_KIND_COUNT;
    message->stats.kind_bytes = stats->kind_bytes;
    message->stats.slices = stats->slices;
    message->stats.edges = stats->edges;
    message->stats.disk_bytes = stats->disk_bytes;
    message->stats.blocks = stats->blocks;
    message->stats.segments = stats->segments;
}

void skein_stats_from_message(const Skein__Stats *message, struct skein_stats *stats) {
    *stats = (struct skein_stats){0};
    if (message == NULL) {
        return;
    }
    for (size_t i = 0; i < message->n_shards && i < SKEIN_MAX_SHARDS; i++) {
        const Skein__ShardStats *shard = message->shards[i];
        stats->shard_count = (uint32_t)i + 1;
        for (size_t kind = 0; kind < shard->n_events && kind < SKEIN_KIND_COUNT; kind++) {
            stats->events[i][kind] = shard->events[kind];
        }
    }
    for (size_t kind = 0; kind < message->n_kind_bytes && kind < SKEIN_KIND_COUNT; kind++) {
        stats->kind_bytes[kind] = message->kind_bytes[kind];
    }
    stats->slices = message->slices;
    stats->edges = message->edges;
    stats->disk_bytes = message->disk_bytes;
    stats->blocks = message->blocks;
    stats->segments = message->segments;
}
