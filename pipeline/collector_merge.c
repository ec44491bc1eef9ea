/* The merger thread: inboxes → canonical order → segments; it watches over QEMU, too. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pipeline/atomics.h"
#include "pipeline/collector_private.h"
#include "pipeline/test_point.h"

#define WATCH_NS 20000000   /* how often QEMU is looked after when nothing else happens */
#define EVENTS_PER_LOOK 64u /* at how much is merged */
#define STUCK_NS 10000000000ull

static void watch_qemu(struct skein_collector *c) {
    if (c->watch.pid == 0) {
        const pid_t pid = (pid_t)skein_load_acquire_32((const uint32_t *)&c->header->qemu_pid);
        if (pid != 0) {
            skein_process_watch_set(&c->watch, pid);
        }
    }
    if (skein_process_watch_gone(&c->watch)) {
        pthread_mutex_lock(&c->lock);
        c->status.qemu_died = true;
        c->ending = true;
        pthread_mutex_unlock(&c->lock);
    }
}

/* Moves the inboxes into the order, under the lock. True: something was new. */
static bool take_inboxes(struct skein_collector *c) {
    bool any = false;

    for (uint32_t i = 0; i < c->shard_count; i++) {
        struct skein_inbox *in = &c->inbox[i];
        for (struct skein_chunk *chunk = in->first, *next; chunk != NULL; chunk = next) {
            next = chunk->next;
            c->inbox_bytes -= chunk->used;
            skein_order_push(c->order, i, chunk);
            any = true;
        }
        in->first = NULL;
        in->last = NULL;
        if (in->closed && !in->closed_taken) {
            in->closed_taken = true;
            skein_order_close(c->order, i);
            any = true;
        }
    }
    return any;
}

static bool all_closed(const struct skein_collector *c) {
    for (uint32_t i = 0; i < c->shard_count; i++) {
        if (!c->inbox[i].closed_taken) {
            return false;
        }
    }
    return true;
}

static void wait_for_arrivals(struct skein_collector *c) {
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WATCH_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&c->arrived, &c->lock, &until);
}

/* Tells the others how far the merger is. */
static void report(struct skein_collector *c, bool starved) {
    pthread_mutex_lock(&c->lock);
    c->order_bytes = skein_order_buffered(c->order);
    c->status.stats = *skein_log_writer_stats(c->log);
    memcpy(c->written, skein_log_writer_written(c->log), sizeof(c->written));
    c->starved = starved;
    pthread_cond_broadcast(&c->room);
    pthread_mutex_unlock(&c->lock);
}

/*
 * Everything that the order can give now. force: one event is also taken when shards without events
 * might come first.
 */
static int merge_some(struct skein_collector *c, bool force, uint64_t *merged,
                      struct skein_error *err) {
    uint64_t reported = skein_order_buffered(c->order);
    const struct skein_record *rec;
    uint32_t shard;

    *merged = 0;
    while ((rec = skein_order_next(c->order, force, &shard)) != NULL) {
        force = false;
        ++*merged;
        c->last_kind[shard] = rec->kind;
        int rc = skein_log_writer_add(c->log, shard, rec, err);
        if (rc != 0) {
            return rc;
        }
        if (*merged % EVENTS_PER_LOOK == 0 &&
            reported - skein_order_buffered(c->order) > c->block_bytes) {
            report(c, false);
            reported = skein_order_buffered(c->order);
        }
    }
    return 0;
}

static uint64_t now_ns(void) {
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/*
 * A ring is full and the order says nothing: takes what is ready in spite of that. No recorder of
 * ours comes here (collector_private.h says why); one that is mad must not stand still for ever.
 */
static int unstick(struct skein_collector *c, struct skein_error *err) {
    uint64_t merged;
    int rc = merge_some(c, true, &merged, err);

    if (rc != 0 || merged != 0) {
        c->stuck_since_ns = 0;
        return rc;
    }
    if (c->stuck_since_ns == 0) {
        c->stuck_since_ns = now_ns();
    } else if (now_ns() - c->stuck_since_ns > STUCK_NS) {
        return skein_error_set(err, -EDEADLK,
                               "a shard is full of events that follow others which never came");
    }
    return 0;
}

/* Why the recording is not complete; false when it is. Under the lock, when all is merged. */
static bool find_flaw(struct skein_collector *c, char *reason, size_t size) {
    const uint64_t stranded = skein_order_buffered(c->order);

    for (uint32_t i = 0; i < c->shard_count; i++) {
        if (c->inbox[i].damaged) {
            snprintf(reason, size, "shard %" PRIu32 " held a damaged record", i);
            return true;
        }
    }
    for (uint32_t i = 0; i < c->shard_count; i++) {
        if (!c->inbox[i].ended_well) {
            snprintf(reason, size, "%s before the end of the recording",
                     c->status.qemu_died ? "QEMU died" : "the collector was stopped");
            return true;
        }
    }
    if (stranded != 0) {
        snprintf(reason, size, "%" PRIu64 " bytes of events follow others that never came",
                 stranded);
        return true;
    }
    for (uint32_t i = 0; i < c->shard_count; i++) {
        if (c->last_kind[i] != SKEIN_END) {
            snprintf(reason, size, "shard %" PRIu32 " has no end event", i);
            return true;
        }
    }
    return false;
}

static void finish(struct skein_collector *c, int rc, const struct skein_error *err) {
    report(c, true);
    pthread_mutex_lock(&c->lock);
    if (rc == 0) {
        c->status.complete = !find_flaw(c, c->status.reason, sizeof(c->status.reason));
        c->status.qemu_died &= !c->status.complete;
        c->status.state = SKEIN_COLLECTOR_DONE;
    } else {
        c->status.error = *err;
        c->status.state = SKEIN_COLLECTOR_FAILED;
    }
    pthread_cond_broadcast(&c->room);
    pthread_cond_broadcast(&c->done);
    pthread_mutex_unlock(&c->lock);
}

/* One round. *closed: no shard will bring more. */
static int merge_round(struct skein_collector *c, bool *closed, struct skein_error *err) {
    uint64_t merged;
    bool full;
    int rc;

    watch_qemu(c);
    pthread_mutex_lock(&c->lock);
    if (!take_inboxes(c)) {
        wait_for_arrivals(c);
        take_inboxes(c);
    }
    /* What made the ring full was in the inbox before this was said. */
    full = c->full;
    c->full = false;
    *closed = all_closed(c);
    c->order_bytes = skein_order_buffered(c->order);
    pthread_mutex_unlock(&c->lock);
    rc = merge_some(c, false, &merged, err);
    if (rc == 0 && full && merged == 0) {
        rc = unstick(c, err);
    } else if (merged != 0) {
        c->stuck_since_ns = 0;
    }
    report(c, true);
    return rc;
}

void *skein_collector_merge(void *opaque) {
    struct skein_collector *c = opaque;
    struct skein_error err = {""};
    bool closed = false;
    int rc = 0;

    while (rc == 0 && !closed) {
        rc = merge_round(c, &closed, &err);
    }
    if (rc == 0) {
        rc = skein_log_writer_finish(c->log, &err);
        SKEIN_TEST_POINT("collector.sealed");
    }
    finish(c, rc, &err);
    return NULL;
}
