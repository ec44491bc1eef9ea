/*
 * A tape: the events of a recording in canonical order, in memory, to be written into shards again
 * and again. A tape that is played several times in a row is one history: the tokens of later
 * rounds name the ticks of their own round, and only the last round has the END events.
 */
#ifndef SKEIN_BENCH_TAPE_H
#define SKEIN_BENCH_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/error.h"
#include "pipeline/event.h"
#include "pipeline/stats.h"

/* Events of one shard that follow each other. */
struct tape_run {
    uint32_t shard;
    uint32_t events;
};

struct tape {
    uint32_t shard_count;
    uint64_t events; /* of one round, END events among them */
    uint64_t bytes;
    uint64_t end_events, end_bytes; /* of these, in END events */
    uint64_t duration_ns;           /* of the recording */
    uint64_t ticks[SKEIN_MAX_SHARDS];
    uint32_t last_shard; /* of the last event before the END events */
    size_t run_count, run_capacity;
    struct tape_run *runs;
    size_t capacity;
    uint8_t *records;
};

int tape_load(const char *dir, struct tape *tape, struct skein_error *err);
void tape_free(struct tape *tape);

/* What so many rounds hold. */
uint64_t tape_events(const struct tape *tape, uint64_t rounds);
uint64_t tape_bytes(const struct tape *tape, uint64_t rounds);

/* Where a player or a checker of a tape stands. */
struct tape_cursor {
    const struct tape *tape;
    uint64_t rounds, round;
    size_t run;
    uint32_t left; /* events of the run that are to come */
    const uint8_t *at;
    struct {
        struct skein_record header;
        struct skein_token_payload payload;
    } token; /* of a later round */
};

void tape_start(struct tape_cursor *cursor, const struct tape *tape, uint64_t rounds);

/* The next event, valid until the next call; false at the end. */
bool tape_next(struct tape_cursor *cursor, uint32_t *shard, const struct skein_record **record);

#endif
