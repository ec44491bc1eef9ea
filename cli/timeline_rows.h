/*
 * Spans → what the timeline's page is given: three packed streams of numbers, and sums.
 *
 *   rows      for each span, in order: shard, name, flags, begin (after the end of the span
 *             before), duration, slice (after the last), first tick (after the shard's last),
 *             ticks (after the first), icount, instructions, log bytes, bytes of details, details:
 *             vector, error, cr2, rip, register mask, the registers in it. No details: 0 bytes.
 *   instants  for each: shard, name, time (after the last), tick, icount
 *   bins      timeline_bins.h
 *
 * Above `max` spans (or instants) there are no rows (instants), only bins and sums, so memory stays
 * bounded. cli/timeline/data.js reads it.
 */
#ifndef SKEIN_CLI_TIMELINE_ROWS_H
#define SKEIN_CLI_TIMELINE_ROWS_H

#include "cli/packed.h"
#include "cli/span.h"
#include "cli/span_names.h"
#include "cli/timeline_bins.h"

enum skein_timeline_flag {
    SKEIN_TIMELINE_OPENS_SLICE = 1,
    SKEIN_TIMELINE_ENTERED = 2,
    SKEIN_TIMELINE_FOLLOWS = 4,
};

struct skein_timeline_sum {
    uint64_t spans;
    uint64_t ns;
};

struct skein_timeline_rows {
    struct skein_packed *rows;     /* NULL: there are more than max */
    struct skein_packed *instants; /* the same */
    struct skein_timeline_bins bins;
    uint64_t max;
    uint64_t span_count, slice_count, instant_count;
    uint64_t first_ns, last_ns; /* of the spans */
    struct skein_timeline_sum by_name[SKEIN_SPAN_NAMES_MAX];
    uint64_t at_ns, at_slice, at_instant_ns;
    uint64_t at_tick[SKEIN_MAX_SHARDS];
};

/* 0 or -ENOMEM. */
int skein_timeline_rows_create(uint32_t shard_count, uint64_t from_ns, uint64_t max,
                               struct skein_timeline_rows **out);
void skein_timeline_rows_free(struct skein_timeline_rows *t);
struct skein_span_sink skein_timeline_rows_sink(struct skein_timeline_rows *t);

#endif
