/* What a recording holds, in numbers: kept by the collector, stored in footers and manifest. */
#ifndef SKEIN_PIPELINE_STATS_H
#define SKEIN_PIPELINE_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/event.h"
#include "pipeline/session.h"

#define SKEIN_MAX_SHARDS (SKEIN_MAX_VCPUS + 1)

struct skein_stats {
    uint32_t shard_count;
    uint64_t events[SKEIN_MAX_SHARDS][SKEIN_KIND_COUNT];
    uint64_t kind_bytes[SKEIN_KIND_COUNT]; /* as records in shards */
    uint64_t slices;                       /* TOKEN events */
    uint64_t edges;                        /* of these, the ones that name another shard */
    uint64_t disk_bytes;                   /* of segments */
    uint64_t blocks;
    uint64_t segments;
};

/* Counts one record. */
static inline void skein_stats_count(struct skein_stats *stats, uint32_t shard,
                                     const struct skein_record *rec) {
    stats->events[shard][rec->kind]++;
    stats->kind_bytes[rec->kind] += rec->size_bytes;
    if (rec->kind == SKEIN_TOKEN) {
        stats->slices++;
        stats->edges += rec->arg != shard && rec->arg != SKEIN_SHARD_NONE;
    }
}

/* Adds what `other` counted. */
void skein_stats_add(struct skein_stats *stats, const struct skein_stats *other);

/* Both count the same events; how they lie on disk may differ. */
bool skein_stats_same_events(const struct skein_stats *a, const struct skein_stats *b);

uint64_t skein_stats_events(const struct skein_stats *stats);
uint64_t skein_stats_kind(const struct skein_stats *stats, uint8_t kind);
uint64_t skein_stats_shard(const struct skein_stats *stats, uint32_t shard);
uint64_t skein_stats_bytes(const struct skein_stats *stats); /* as records in shards */

#endif
