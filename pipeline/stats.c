#include "pipeline/stats.h"

#include <string.h>

void skein_stats_add(struct skein_stats *stats, const struct skein_stats *other) {
    if (stats->shard_count < other->shard_count) {
        stats->shard_count = other->shard_count;
    }
    for (uint32_t shard = 0; shard < other->shard_count; shard++) {
        for (uint32_t kind = 0; kind < SKEIN_KIND_COUNT; kind++) {
            stats->events[shard][kind] += other->events[shard][kind];
        }
    }
    for (uint32_t kind = 0; kind < SKEIN_KIND_COUNT; kind++) {
        stats->kind_bytes[kind] += other->kind_bytes[kind];
    }
    stats->slices += other->slices;
    stats->edges += other->edges;
    stats->disk_bytes += other->disk_bytes;
    stats->blocks += other->blocks;
    stats->segments += other->segments;
}

bool skein_stats_same_events(const struct skein_stats *a, const struct skein_stats *b) {
    return memcmp(a->events, b->events, sizeof(a->events)) == 0 &&
           memcmp(a->kind_bytes, b->kind_bytes, sizeof(a->kind_bytes)) == 0 &&
           a->slices == b->slices && a->edges == b->edges;
}

uint64_t skein_stats_kind(const struct skein_stats *stats, uint8_t kind) {
    uint64_t sum = 0;

    for (uint32_t shard = 0; shard < stats->shard_count; shard++) {
        sum += stats->events[shard][kind];
    }
    return sum;
}

uint64_t skein_stats_shard(const struct skein_stats *stats, uint32_t shard) {
    uint64_t sum = 0;

    for (uint32_t kind = 0; kind < SKEIN_KIND_COUNT; kind++) {
        sum += stats->events[shard][kind];
    }
    return sum;
}

uint64_t skein_stats_events(const struct skein_stats *stats) {
    uint64_t sum = 0;

    for (uint32_t shard = 0; shard < stats->shard_count; shard++) {
        sum += skein_stats_shard(stats, shard);
    }
    return sum;
}

uint64_t skein_stats_bytes(const struct skein_stats *stats) {
    uint64_t sum = 0;

    for (uint32_t kind = 0; kind < SKEIN_KIND_COUNT; kind++) {
        sum += stats->kind_bytes[kind];
    }
    return sum;
}
