/* Recovery: events that are in the shards only, put in order and written behind the files'. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/log_writer.h"
#include "pipeline/order.h"
#include "pipeline/recover_private.h"
#include "pipeline/shard.h"
#include "pipeline/shard_layout.h"

#define CHUNK_BYTES (1ull << 20)

/* Events of the shards, on their way. */
struct drain {
    struct skein_recovery *r;
    struct skein_order *order;
    struct skein_log_writer *log;
    uint64_t from[SKEIN_MAX_SHARDS]; /* the last tick that is not taken from here */
    uint64_t waiting;                /* events pushed into the order */
};

/* The mark of what the writer has published; NULL: it is damaged. */
static const struct skein_shard_mark *published(const struct skein_shard_mem *mem) {
    for (int i = 0; i < 2; i++) {
        if (mem->published[i].at == mem->head) {
            return &mem->published[i];
        }
    }
    return NULL;
}

/* Nothing of that shard can be believed, except perhaps how many events there were. */
static void give_up(struct skein_recovery *r, uint32_t shard, const struct skein_shard_mem *mem) {
    const struct skein_shard_mark *mark = published(mem);

    if (mark == NULL || mark->ticks < r->clock[shard]) {
        r->shard_state[shard] = SKEIN_RECOVERY_SHARD_LOST;
        return;
    }
    r->shard_state[shard] = SKEIN_RECOVERY_SHARD_DAMAGED;
    if (r->known[shard] < mark->ticks) {
        r->known[shard] = mark->ticks;
    }
}

static int push(struct drain *d, uint32_t shard, struct skein_chunk **chunk,
                const struct skein_record *rec) {
    if (*chunk != NULL && (*chunk)->used + rec->size_bytes > (*chunk)->capacity) {
        skein_order_push(d->order, shard, *chunk);
        *chunk = NULL;
    }
    if (*chunk == NULL && (*chunk = skein_chunk_new(CHUNK_BYTES)) == NULL) {
        return -ENOMEM;
    }
    memcpy((*chunk)->bytes + (*chunk)->used, rec, rec->size_bytes);
    (*chunk)->used += rec->size_bytes;
    d->waiting++;
    return 0;
}

/* Whether the ring holds as many records as both sides' marks say; the peeks check its sums. */
static bool is_sound(struct skein_shard_reader *r) {
    const struct skein_shard_mark *mark = published(r->mem);
    uint64_t cursor = r->tail, tick = r->tick;
    bool bad = false;

    while (skein_shard_peek(r, &cursor, &bad) != NULL) {
        tick++;
    }
    return !bad && mark != NULL && mark->ticks == tick;
}

/* Takes what the ring holds behind d->from: the reader's mark says how the ticks go on. */
static int take_ring(struct drain *d, uint32_t shard, struct skein_shard_reader *r) {
    struct skein_chunk *chunk = NULL;
    const struct skein_record *rec;
    uint64_t cursor = r->tail, tick = r->tick;
    bool bad = false;
    int rc = 0;

    while (rc == 0 && (rec = skein_shard_peek(r, &cursor, &bad)) != NULL) {
        if (++tick > d->from[shard]) {
            rc = push(d, shard, &chunk, rec);
        }
    }
    if (chunk != NULL) {
        skein_order_push(d->order, shard, chunk);
    }
    d->r->known[shard] = d->r->known[shard] > tick ? d->r->known[shard] : tick;
    return rc;
}

/*
 * Opens the shards and finds where each goes on: behind the files, or, where these have lost their
 * end, behind what the collector had written.
 */
static void open_shards(struct drain *d, struct skein_shard_reader *readers, bool *open) {
    struct skein_recovery *r = d->r;

    for (uint32_t i = 0; i < r->identity.shard_count; i++) {
        size_t bytes;
        void *mem = skein_session_shard(r->session, i, &bytes);
        open[i] = skein_shard_reader_open(&readers[i], mem, bytes) == 0 && is_sound(&readers[i]);
        d->from[i] = r->clock[i];
        if (!open[i]) {
            give_up(r, i, mem);
        } else if (readers[i].tick > d->from[i]) {
            d->from[i] = readers[i].tick;
        }
    }
}

/* What the files have lost between their end and the shards. */
static int note_gap(struct drain *d) {
    struct skein_loss loss = {.kind = SKEIN_LOSS_EVENTS};
    int rc = 0;

    snprintf(loss.what, sizeof(loss.what), "%s",
             d->r->dir[0] != '\0' ? "they were written to a segment that is damaged or missing"
                                  : "they were written to the recording, which is not here");
    for (uint32_t i = 0; i < d->r->identity.shard_count && rc == 0; i++) {
        if (d->from[i] > d->r->clock[i]) {
            loss.shard = i;
            loss.first_tick = d->r->clock[i] + 1;
            loss.last_tick = d->from[i];
            rc = skein_recovery_lose(d->r, &loss);
        }
    }
    return rc;
}

/* Writes everything that the order gives. */
static int write_events(struct drain *d, struct skein_error *err) {
    struct skein_recovery *r = d->r;
    const struct skein_record *rec;
    uint32_t shard;
    int rc = 0;

    while (rc == 0 && (rec = skein_order_next(d->order, false, &shard)) != NULL) {
        rc = skein_log_writer_add(d->log, shard, rec, err);
        r->clock[shard]++;
        r->last_kind[shard] = rec->kind;
        r->last_shard = shard;
        if (rec->kind == SKEIN_END) {
            r->end = rec->arg;
            r->console_bytes = skein_end_console_bytes(rec);
        }
        r->out->events_from_shards++;
        d->waiting--;
    }
    if (rc == 0) {
        rc = skein_log_writer_finish(d->log, err);
    }
    return rc;
}

static int write_log(struct drain *d, bool gap, struct skein_error *err) {
    struct skein_recovery *r = d->r;
    struct skein_log_writer_opts opts = {.dir = r->base,
                                         .shard_count = r->identity.shard_count,
                                         .durability = SKEIN_DURABILITY_SEGMENT,
                                         .block_bytes = r->opts->block_bytes,
                                         .segment_bytes = r->opts->segment_bytes};
    struct skein_segment_start start = {
        .number = r->last_number + 1, .slices = r->slices, .gap = gap};
    int rc;

    memcpy(opts.uuid, r->identity.uuid, sizeof(opts.uuid));
    memcpy(start.clock, d->from, sizeof(start.clock));
    rc = skein_log_writer_create(&opts, &d->log, err);
    if (rc == 0) {
        skein_log_writer_seek(d->log, &start);
        memcpy(r->clock, d->from, sizeof(r->clock));
        rc = write_events(d, err);
        skein_stats_add(&r->stats, skein_log_writer_stats(d->log));
        r->new_segments = skein_log_writer_stats(d->log)->segments;
        r->out->changed = true;
    }
    skein_log_writer_free(d->log);
    return rc;
}

static int drain_open(struct drain *d, struct skein_shard_reader *readers, const bool *open,
                      struct skein_error *err) {
    struct skein_recovery *r = d->r;
    bool gap = memcmp(d->from, r->clock, r->identity.shard_count * sizeof(*r->clock)) != 0;
    int rc = 0;

    skein_order_seek(d->order, d->from, gap ? SKEIN_SHARD_NONE : r->last_shard);
    for (uint32_t i = 0; i < r->identity.shard_count && rc == 0; i++) {
        rc = open[i] ? take_ring(d, i, &readers[i]) : 0;
        skein_order_close(d->order, i);
    }
    if (rc == 0 && d->waiting != 0) {
        rc = note_gap(d);
    }
    if (rc != 0) {
        return skein_error_set(err, rc, "out of memory");
    }
    rc = d->waiting != 0 ? write_log(d, gap, err) : 0;
    r->session_spent = rc == 0 && d->waiting == 0;
    for (uint32_t i = 0; i < r->identity.shard_count; i++) {
        r->session_spent &=
            r->shard_state[i] == SKEIN_RECOVERY_SHARD_GOOD ||
            (r->shard_state[i] == SKEIN_RECOVERY_SHARD_DAMAGED && r->known[i] <= r->clock[i]);
    }
    return rc;
}

int skein_recovery_drain(struct skein_recovery *r, struct skein_error *err) {
    struct skein_shard_reader *readers = calloc(SKEIN_MAX_SHARDS, sizeof(*readers));
    struct drain d = {.r = r};
    bool open[SKEIN_MAX_SHARDS] = {false};
    int rc;

    if (readers == NULL || skein_order_create(r->identity.shard_count, &d.order) != 0) {
        free(readers);
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    open_shards(&d, readers, open);
    rc = drain_open(&d, readers, open, err);
    skein_order_free(d.order);
    free(readers);
    return rc;
}
