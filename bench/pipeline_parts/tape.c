#include "bench/pipeline_parts/tape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/block_column.h"
#include "pipeline/reader.h"

static int add(struct tape *t, const struct skein_event *event) {
    const struct skein_record *rec = event->record;
    struct tape_run *last = t->run_count != 0 ? &t->runs[t->run_count - 1] : NULL;

    if (last == NULL || last->shard != event->shard || last->events == UINT32_MAX) {
        if (skein_column_reserve((void **)&t->runs, &t->run_capacity, t->run_count + 1,
                                 sizeof(*last)) != 0) {
            return -ENOMEM;
        }
        last = &t->runs[t->run_count++];
        *last = (struct tape_run){.shard = event->shard};
    }
    if (skein_column_reserve((void **)&t->records, &t->capacity, t->bytes + rec->size_bytes, 1) !=
        0) {
        return -ENOMEM;
    }
    memcpy(t->records + t->bytes, rec, rec->size_bytes);
    t->bytes += rec->size_bytes;
    t->events++;
    last->events++;
    if (rec->kind == SKEIN_END) {
        t->end_events++;
        t->end_bytes += rec->size_bytes;
    } else {
        t->ticks[event->shard]++;
        t->last_shard = event->shard;
    }
    return 0;
}

int tape_load(const char *dir, struct tape *tape, struct skein_error *err) {
    struct skein_recording *rec = NULL;
    struct skein_reader *reader = NULL;
    struct skein_event event;
    int rc = skein_recording_open(dir, SKEIN_READ_STRICT, &rec, err);

    *tape = (struct tape){0};
    if (rc != 0) {
        return rc;
    }
    tape->shard_count = skein_recording_shard_count(rec);
    tape->duration_ns = skein_recording_manifest(rec)->duration_ns;
    rc = skein_reader_open(rec, &reader, err);
    while (rc == 0 && (rc = skein_reader_next(reader, &event, err)) == 1) {
        rc = add(tape, &event);
        if (rc != 0) {
            skein_error_set(err, rc, "out of memory");
        }
    }
    if (rc == 0 && tape->events == tape->end_events) {
        rc = skein_error_set(err, -EINVAL, "%s holds no events", dir);
    }
    skein_reader_close(reader);
    skein_recording_close(rec);
    if (rc != 0) {
        tape_free(tape);
    }
    return rc;
}

void tape_free(struct tape *tape) {
    free(tape->runs);
    free(tape->records);
    *tape = (struct tape){0};
}

uint64_t tape_events(const struct tape *tape, uint64_t rounds) {
    return rounds * (tape->events - tape->end_events) + tape->end_events;
}

uint64_t tape_bytes(const struct tape *tape, uint64_t rounds) {
    return rounds * (tape->bytes - tape->end_bytes) + tape->end_bytes;
}

void tape_start(struct tape_cursor *cursor, const struct tape *tape, uint64_t rounds) {
    *cursor = (struct tape_cursor){
        .tape = tape,
        .rounds = rounds,
        .left = tape->runs[0].events,
        .at = tape->records,
    };
}

/* The edge of a token of a later round: ticks go on from round to round. */
static const struct skein_record *token_of_round(struct tape_cursor *c,
                                                 const struct skein_record *rec) {
    const struct tape *t = c->tape;

    memcpy(&c->token, rec, sizeof(c->token));
    if (c->token.header.arg >= t->shard_count) {
        /* The first slice of all now follows the last one of the round before. */
        c->token.header.arg = t->last_shard;
        c->token.payload.edge_tick = 0;
    }
    c->token.payload.edge_tick += c->round * t->ticks[c->token.header.arg];
    return &c->token.header;
}

/* Steps to the next run, or round; false at the end. */
static bool next_run(struct tape_cursor *c) {
    if (++c->run == c->tape->run_count) {
        if (++c->round == c->rounds) {
            return false;
        }
        c->run = 0;
        c->at = c->tape->records;
    }
    c->left = c->tape->runs[c->run].events;
    return true;
}

bool tape_next(struct tape_cursor *c, uint32_t *shard, const struct skein_record **record) {
    const struct skein_record *rec;

    do {
        if (c->round == c->rounds || (c->left == 0 && !next_run(c))) {
            return false;
        }
        rec = (const void *)c->at;
        c->at += rec->size_bytes;
        c->left--;
    } while (rec->kind == SKEIN_END && c->round + 1 < c->rounds);
    *shard = c->tape->runs[c->run].shard;
    *record = rec;
    if (rec->kind == SKEIN_TOKEN && c->round != 0 && rec->size_bytes == sizeof(c->token)) {
        *record = token_of_round(c, rec);
    }
    return true;
}
