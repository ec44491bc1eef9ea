#include "pipeline/feeder.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/atomics.h"
#include "pipeline/block_cache.h"
#include "pipeline/block_shape.h"
#include "pipeline/cut.h"
#include "pipeline/reader_shared.h"
#include "pipeline/shard.h"
#include "pipeline/shard_layout.h"

#define NAP_MIN_NS 50000
#define NAP_MAX_NS 3200000
#define BATCH_EVENTS 1024
/*
 * A ring that was full is filled again when this part of it is free, not for an event at a time.
 * The replay looks ahead by half a ring at most: it never waits for what such a ring lacks.
 */
#define REFILL_SHARE 16

/* One shard's way from the recording into the session. */
struct lane {
    struct skein_reader *reader;
    struct skein_shard_writer writer; /* its tick counts what was fed, all told */
    uint64_t tick;                    /* of the recording: the last one fed */
    uint64_t last_tick;               /* the last one to feed */
    bool closed;
    bool pending; /* `event` waits for room */
    bool full;    /* and there was too little of it */
    struct skein_event event;
};

struct skein_feeder {
    struct skein_session *session;
    struct skein_block_cache *cache;
    uint32_t shard_count;
    uint64_t seeks; /* requests fulfilled */
    struct lane lanes[SKEIN_MAX_SHARDS];
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    bool stop;
    struct skein_feeder_status status;
};

/* Whether an append of the record will not wait: it, and a pad that is smaller, fit. */
static bool has_room(struct lane *l, const struct skein_record *rec) {
    struct skein_shard_writer *w = &l->writer;
    const uint64_t ring = w->mask + 1, refill = l->full ? ring / REFILL_SHARE : 0;
    const uint64_t need = 2u * rec->size_bytes > refill ? 2u * rec->size_bytes : refill;

    if (w->head + need - w->cached_tail > ring) {
        /* Pairs with the release in skein_shard_release(). */
        w->cached_tail = skein_load_acquire_64(&w->mem->tail);
        l->full = w->head + need - w->cached_tail > ring;
    } else {
        l->full = false;
    }
    return !l->full;
}

/* Makes `event` the next one to feed. */
static int fetch(struct lane *l, struct skein_error *err) {
    int rc = skein_reader_next(l->reader, &l->event, err);

    if (rc < 0) {
        return rc;
    }
    if (rc == 0 || l->event.tick != l->tick + 1) {
        return skein_error_set(err, -EBADMSG, "shard %u lacks its event %llu",
                               l->writer.mem->shard_id, (unsigned long long)l->tick + 1);
    }
    if (!skein_shape_fits(l->event.record)) {
        return skein_error_set(err, -EBADMSG,
                               "event %llu of shard %u has not the shape of its kind",
                               (unsigned long long)l->event.tick, l->writer.mem->shard_id);
    }
    l->pending = true;
    return 0;
}

/* Feeds what fits, up to a batch; the number of events, or negative errno. */
static int feed(struct lane *l, struct skein_error *err) {
    int fed = 0;

    while (fed < BATCH_EVENTS && l->tick < l->last_tick) {
        int rc = l->pending ? 0 : fetch(l, err);
        if (rc != 0) {
            return rc;
        }
        const struct skein_record *rec = l->event.record;
        if (!has_room(l, rec)) {
            break;
        }
        skein_shard_append(&l->writer, rec->kind, rec->flags, rec->arg, rec + 1,
                           rec->size_bytes - sizeof(*rec));
        l->tick++;
        l->pending = false;
        fed++;
    }
    skein_shard_publish(&l->writer);
    if (l->tick == l->last_tick && !l->closed) {
        skein_shard_close(&l->writer);
        l->closed = true;
    }
    return fed;
}

/* The number of QEMU's last request to go on elsewhere; pairs with its release of it. */
static uint64_t seeks_wanted(const struct skein_feeder *f) {
    return skein_load_acquire_64(&skein_session_header(f->session)->seek);
}

/* What is fed from now on are the events after this tick. */
static int move(struct lane *l, uint64_t tick, struct skein_error *err) {
    if (tick > l->last_tick) {
        return skein_error_set(err, -EINVAL, "shard %u has no events after its %lluth",
                               l->writer.mem->shard_id, (unsigned long long)tick);
    }
    skein_reader_seek(l->reader, tick + 1);
    l->tick = tick;
    l->pending = false;
    if (l->closed) {
        skein_shard_reopen(&l->writer);
        l->closed = false;
    }
    return 0;
}

/*
 * Goes where QEMU wants to be. Nothing is read for it: QEMU can throw away what it has while the
 * first block is decoded. A request that comes meanwhile is a request of its own, so it does no
 * harm that the ticks read here may be partly its.
 */
static int answer_seek(struct skein_feeder *f, uint64_t seek, struct skein_error *err) {
    struct skein_session_header *h = skein_session_header(f->session);

    for (uint32_t i = 0; i < f->shard_count; i++) {
        struct lane *l = &f->lanes[i];
        int rc = move(l, skein_load_relaxed_64(&h->seek_tick[i]), err);
        if (rc != 0) {
            return rc;
        }
        skein_store_relaxed_64(&h->seek_from[i], l->writer.published);
    }
    f->seeks = seek;
    /* Pairs with QEMU's acquire: it sees where, and that shards are open. */
    skein_store_release_64(&h->seek_done, seek);
    return 0;
}

/*
 * One round over all shards; a request to go on elsewhere ends it, and is the next one's first
 * thing. Negative errno; 0: nothing could be done now; 1: something was.
 */
static int round_of(struct skein_feeder *f, struct skein_error *err) {
    uint64_t seek = seeks_wanted(f);
    int any = seek != f->seeks;

    if (any) {
        int rc = answer_seek(f, seek, err);
        if (rc != 0) {
            return rc;
        }
    }
    for (uint32_t i = 0; i < f->shard_count && seeks_wanted(f) == f->seeks; i++) {
        int n = f->lanes[i].closed ? 0 : feed(&f->lanes[i], err);
        if (n < 0) {
            return n;
        }
        any |= n != 0;
    }
    return any || seeks_wanted(f) != f->seeks;
}

/* Tells the others how far it is; true when the thread shall end. */
static bool report(struct skein_feeder *f, int rc, const struct skein_error *err) {
    enum skein_feeder_state state = SKEIN_FEEDER_DONE;
    uint64_t fed = 0;
    bool stop;

    for (uint32_t i = 0; i < f->shard_count; i++) {
        fed += f->lanes[i].tick;
        state = f->lanes[i].closed ? state : SKEIN_FEEDER_RUNNING;
    }
    pthread_mutex_lock(&f->lock);
    f->status.events_fed = fed;
    f->status.state = rc < 0 ? SKEIN_FEEDER_FAILED : state;
    f->status.error = *err;
    stop = f->stop;
    pthread_mutex_unlock(&f->lock);
    return stop || rc < 0;
}

static void *run(void *opaque) {
    struct timespec nap = {.tv_nsec = NAP_MIN_NS};
    struct skein_feeder *f = opaque;
    struct skein_error err = {""};
    int rc = round_of(f, &err);

    while (!report(f, rc, &err)) {
        if (rc == 0) {
            nanosleep(&nap, NULL);
            nap.tv_nsec = nap.tv_nsec < NAP_MAX_NS ? 2 * nap.tv_nsec : NAP_MAX_NS;
        } else {
            nap.tv_nsec = NAP_MIN_NS;
        }
        rc = round_of(f, &err);
    }
    return NULL;
}

/* The shard's events from the one after `tick` to the last one. */
static int open_lane(struct skein_feeder *f, const struct skein_feeder_opts *opts, uint32_t shard,
                     uint64_t tick, uint64_t last_tick, struct skein_error *err) {
    struct lane *l = &f->lanes[shard];
    size_t bytes;
    void *mem = skein_session_shard(f->session, shard, &bytes);
    int rc = skein_shard_writer_open(&l->writer, mem, bytes);

    if (rc != 0) {
        return skein_error_set(err, rc, "shard %u of the session is damaged", shard);
    }
    if (tick > last_tick) {
        return skein_error_set(err, -EINVAL,
                               "a replay of the recording ends at event %llu of shard %u",
                               (unsigned long long)last_tick, shard);
    }
    l->tick = tick;
    l->last_tick = last_tick;
    return skein_reader_open_shared(opts->recording, f->cache, shard, tick + 1, &l->reader, err);
}

static int prepare(struct skein_feeder *f, const struct skein_feeder_opts *opts,
                   struct skein_error *err) {
    struct skein_session_header *header = skein_session_header(opts->session);
    struct skein_clock cut;
    bool truncated = false;
    int rc;

    f->shard_count = skein_recording_shard_count(opts->recording);
    if (header->shard_count != f->shard_count || header->mode != SKEIN_MODE_REPLAY ||
        (opts->after != NULL && opts->after->shard_count != f->shard_count)) {
        return skein_error_set(err, -EINVAL, "the session is not one for replaying this recording");
    }
    if (skein_block_cache_create(opts->recording, &f->cache) != 0) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    rc = skein_cut_find(opts->recording, &cut, &truncated, err);
    for (uint32_t i = 0; i < f->shard_count && rc == 0; i++) {
        rc =
            open_lane(f, opts, i, opts->after != NULL ? opts->after->tick[i] : 0, cut.tick[i], err);
        f->status.events_total += cut.tick[i];
    }
    f->status.truncated = truncated;
    header->truncated = truncated;
    return rc;
}

static void release(struct skein_feeder *f) {
    for (uint32_t i = 0; i < f->shard_count; i++) {
        skein_reader_close(f->lanes[i].reader);
    }
    skein_block_cache_free(f->cache);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

int skein_feeder_start(const struct skein_feeder_opts *opts, struct skein_feeder **out,
                       struct skein_error *err) {
    struct skein_feeder *f = calloc(1, sizeof(*f));
    int rc;

    if (f == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    pthread_mutex_init(&f->lock, NULL);
    f->session = opts->session;
    rc = prepare(f, opts, err);
    if (rc == 0) {
        rc = -pthread_create(&f->thread, NULL, run, f);
        if (rc != 0) {
            skein_error_sys(err, rc, "cannot start the feeder");
        }
    }
    if (rc != 0) {
        release(f);
        return rc;
    }
    *out = f;
    return 0;
}

void skein_feeder_poll(struct skein_feeder *f, struct skein_feeder_status *status) {
    pthread_mutex_lock(&f->lock);
    *status = f->status;
    pthread_mutex_unlock(&f->lock);
}

void skein_feeder_free(struct skein_feeder *f) {
    if (f == NULL) {
        return;
    }
    pthread_mutex_lock(&f->lock);
    f->stop = true;
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    release(f);
}
