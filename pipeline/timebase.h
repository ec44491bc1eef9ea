/*
 * When events happened, for people who look at a recording: events carry no time, since replay
 * needs none and a clock read costs more than an event. The guest's own reads of its time-stamp
 * counter are in the log, though, and the manifest says where that counter stood when the recording
 * began and how fast it ran. Between two reads, time goes on with the instruction count.
 *
 * An estimate: exact at reads of the counter, behind by at most the distance to the next one
 * elsewhere. It never runs backwards. Not thread-safe.
 */
#ifndef SKEIN_PIPELINE_TIMEBASE_H
#define SKEIN_PIPELINE_TIMEBASE_H

#include <stdint.h>

#include "pipeline/event.h"
#include "pipeline/manifest.h"
#include "pipeline/stats.h"

struct skein_timebase {
    uint64_t tsc_start;
    uint64_t tsc_hz; /* 0: the manifest does not say; instructions are all there is */
    uint64_t now_ns;
    uint64_t icount[SKEIN_MAX_SHARDS]; /* last known */
};

void skein_timebase_init(struct skein_timebase *t, const struct skein_manifest *manifest);

/* Takes the next event in canonical order; nanoseconds since the recording began. */
uint64_t skein_timebase_ns(struct skein_timebase *t, uint32_t shard,
                           const struct skein_record *record);

#endif
