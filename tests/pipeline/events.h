/* Random events of all kinds, and random histories of shards under a token. */
#ifndef SKEIN_TESTS_PIPELINE_EVENTS_H
#define SKEIN_TESTS_PIPELINE_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/event.h"
#include "pipeline/stats.h"
#include "tests/pipeline/random.h"

/* A record and room for the largest payload. */
struct any_record {
    struct skein_record header;
    uint8_t payload[SKEIN_RECORD_MAX_BYTES + 64];
};

/* A record of that kind, in its kind's shape; icounts grow from *icount. */
void events_make(struct random *rng, uint8_t kind, uint64_t *icount, struct any_record *rec);

/* A record that has no shape: a random size and random bytes. */
void events_make_odd(struct random *rng, struct any_record *rec);

struct history_event {
    uint32_t shard;
    size_t offset; /* into records */
};

/* What a machine with a token logs, in the order in which it happens. */
struct history {
    uint32_t shard_count;
    size_t count;
    struct history_event *events;
    uint8_t *records;
    size_t bytes;
};

/* About `count` events; with an END on every shard when `ends`. */
struct history history_make(uint64_t seed, uint32_t shard_count, size_t count, int ends);
void history_free(struct history *h);

static inline const struct skein_record *history_record(const struct history *h, size_t i) {
    return (const void *)(h->records + h->events[i].offset);
}

#endif
