/* Which events of a recording are wanted: the filters of cat, and what they have in common. */
#ifndef SKEIN_CLI_EVENT_FILTER_H
#define SKEIN_CLI_EVENT_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/block_plan.h"
#include "pipeline/reader.h"

/* First and last are both included. */
struct skein_range {
    uint64_t first, last;
};

struct skein_event_filter {
    uint32_t kinds; /* bit: the kind */
    bool vcpu[SKEIN_MAX_VCPUS];
    bool devices;
    struct skein_range tick, slice, time_ns;
    bool by_shard; /* --vcpu was given */
};

/* Lets everything pass. */
void skein_event_filter_init(struct skein_event_filter *f);

/* "entry,value"; "0,2,devices"; false when it is anything else. */
bool skein_event_filter_kinds(struct skein_event_filter *f, const char *text);
bool skein_event_filter_vcpus(struct skein_event_filter *f, const char *text);

/* "7", "7..9", "7..", "..9"; seconds: with decimals, into nanoseconds. */
bool skein_range_parse(struct skein_range *range, const char *text);
bool skein_range_parse_seconds(struct skein_range *range, const char *text);

/* Whether there may be blocks without wanted events: their headers tell shards, ticks and slices.
 */
bool skein_event_filter_skips(const struct skein_event_filter *f);

/* What is wanted, in these. */
void skein_event_filter_want(const struct skein_event_filter *f, uint32_t shard_count,
                             struct skein_block_want *want);

static inline bool skein_range_has(const struct skein_range *r, uint64_t value) {
    return value >= r->first && value <= r->last;
}

static inline bool skein_event_filter_shard(const struct skein_event_filter *f,
                                            uint32_t shard_count, uint32_t shard) {
    return shard + 1 == shard_count ? f->devices : shard < SKEIN_MAX_VCPUS && f->vcpu[shard];
}

static inline bool skein_event_filter_has(const struct skein_event_filter *f, uint32_t shard_count,
                                          const struct skein_event *event, uint64_t time_ns) {
    return (f->kinds >> event->record->kind & 1) != 0 &&
           skein_event_filter_shard(f, shard_count, event->shard) &&
           skein_range_has(&f->tick, event->tick) && skein_range_has(&f->slice, event->slice) &&
           skein_range_has(&f->time_ns, time_ns);
}

#endif
