/*
 * The time of events for a reader that does not see all of them: where events of a shard are
 * missing, that shard's instructions are counted from the next one on.
 */
#ifndef SKEIN_CLI_EVENT_CLOCK_H
#define SKEIN_CLI_EVENT_CLOCK_H

#include <stdbool.h>

#include "pipeline/reader.h"
#include "pipeline/timebase.h"

struct skein_event_clock {
    struct skein_timebase base;
    uint64_t tick[SKEIN_MAX_SHARDS];
    bool gap[SKEIN_MAX_SHARDS]; /* behind missing events, before the next icount */
    bool behind;                /* events are missing since the last read of the counter */
};

void skein_event_clock_init(struct skein_event_clock *c, const struct skein_manifest *manifest);

/* Nanoseconds since the recording began. */
static inline uint64_t skein_event_clock_ns(struct skein_event_clock *c,
                                            const struct skein_event *event) {
    const uint32_t s = event->shard;
    const uint64_t before_ns = c->base.now_ns;
    uint64_t icount, now_ns;
    if (event->tick != c->tick[s] + 1)
        c->gap[s] = c->behind = true;
    c->tick[s] = event->tick;
    if (c->gap[s] && skein_record_icount(event->record, &icount)) {
        c->base.icount[s] = icount;
        c->gap[s] = false;
    }
    now_ns = skein_timebase_ns(&c->base, s, event->record);
    if (event->record->kind == SKEIN_VALUE && now_ns != before_ns)
        c->behind = false;
    return now_ns;
}

#endif
