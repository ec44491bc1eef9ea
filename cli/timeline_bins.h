/*
 * How busy each shard was, in a fixed number of bins over however long it takes: when time runs out
 * of them, neighbours are added up and the bins are twice as wide.
 */
#ifndef SKEIN_CLI_TIMELINE_BINS_H
#define SKEIN_CLI_TIMELINE_BINS_H

#include "cli/packed.h"
#include "cli/span.h"

#define SKEIN_TIMELINE_BINS 4096u

struct skein_timeline_bins {
    uint32_t shard_count;
    uint64_t start_ns; /* of the first bin */
    uint64_t width_ns;
    uint64_t *busy_ns; /* [shard][type][bin] */
    uint64_t *spans;   /* [shard][bin], by where they begin */
};

/* 0 or -ENOMEM. */
int skein_timeline_bins_init(struct skein_timeline_bins *b, uint32_t shard_count,
                             uint64_t start_ns);
void skein_timeline_bins_free(struct skein_timeline_bins *b);
void skein_timeline_bins_add(struct skein_timeline_bins *b, const struct skein_span *span);

/* For each shard: all bins of each type, then how many spans began in each bin. */
void skein_timeline_bins_pack(const struct skein_timeline_bins *b, struct skein_packed *out);

#endif
