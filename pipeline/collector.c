#include "pipeline/collector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/collector_private.h"

static void init_locks(struct skein_collector *c) {
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->arrived, &attr);
    pthread_cond_init(&c->room, &attr);
    pthread_cond_init(&c->done, &attr);
    pthread_condattr_destroy(&attr);
}

static int open_shards(struct skein_collector *c, struct skein_error *err) {
    for (uint32_t i = 0; i < c->shard_count; i++) {
        size_t bytes;
        void *mem = skein_session_shard(c->session, i, &bytes);
        int rc = skein_shard_reader_open(&c->readers[i], mem, bytes);
        if (rc != 0) {
            return skein_error_set(err, rc, "shard %u of the session is damaged", i);
        }
        /* Where binding is not allowed the shard stays where it is, which is only slower. */
        skein_topology_bind_memory(c->topology, i, mem, bytes);
    }
    return 0;
}

/* Of the parameters only, so that blocks are the same on every run. */
static uint64_t choose_block_bytes(const struct skein_collector *c, uint64_t wanted) {
    const uint64_t most = c->header->ring_bytes / SKEIN_COLLECTOR_BLOCK_SHARE;

    wanted = wanted != 0 ? wanted : SKEIN_LOG_BLOCK_BYTES;
    return wanted < most ? wanted : most;
}

static int prepare(struct skein_collector *c, const struct skein_collector_opts *opts,
                   struct skein_error *err) {
    struct skein_log_writer_opts log = {
        .dir = opts->dir,
        .shard_count = c->shard_count,
        .durability = opts->durability,
        .zstd_level = opts->zstd_level,
        .block_bytes = c->block_bytes,
        .segment_bytes = opts->segment_bytes,
    };
    int rc;

    memcpy(log.uuid, c->header->uuid, sizeof(log.uuid));
    if ((rc = skein_topology_plan(c->shard_count, &c->topology, err)) != 0 ||
        (rc = open_shards(c, err)) != 0 ||
        (rc = skein_log_writer_create(&log, &c->log, err)) != 0) {
        return rc;
    }
    rc = skein_order_create(c->shard_count, &c->order);
    if (rc != 0) {
        return skein_error_sys(err, rc, "cannot start the collector");
    }
    c->drains = calloc(skein_topology_nodes(c->topology), sizeof(*c->drains));
    return c->drains != NULL ? 0 : skein_error_set(err, -ENOMEM, "out of memory");
}

static void release(struct skein_collector *c) {
    for (uint32_t i = 0; i < c->shard_count; i++) {
        for (struct skein_chunk *chunk = c->inbox[i].first, *next; chunk != NULL; chunk = next) {
            next = chunk->next;
            free(chunk);
        }
    }
    skein_process_watch_close(&c->watch);
    skein_order_free(c->order);
    skein_log_writer_free(c->log);
    skein_topology_free(c->topology);
    pthread_cond_destroy(&c->arrived);
    pthread_cond_destroy(&c->room);
    pthread_cond_destroy(&c->done);
    pthread_mutex_destroy(&c->lock);
    free(c->drains);
    free(c);
}

static void join_drains(struct skein_collector *c) {
    for (uint32_t i = 0; i < c->drain_count; i++) {
        pthread_join(c->drains[i].thread, NULL);
    }
}

static int start_threads(struct skein_collector *c) {
    int rc = 0;

    for (uint32_t i = 0; i < skein_topology_nodes(c->topology) && rc == 0; i++) {
        c->drains[i] = (struct skein_drain){.collector = c, .node = i};
        rc = pthread_create(&c->drains[i].thread, NULL, skein_collector_drain, &c->drains[i]);
        c->drain_count += rc == 0;
    }
    if (rc == 0) {
        rc = pthread_create(&c->merger, NULL, skein_collector_merge, c);
    }
    if (rc != 0) {
        pthread_mutex_lock(&c->lock);
        c->status.state = SKEIN_COLLECTOR_FAILED;
        c->ending = true;
        pthread_cond_broadcast(&c->room);
        pthread_mutex_unlock(&c->lock);
        join_drains(c);
    }
    return -rc;
}

int skein_collector_start(const struct skein_collector_opts *opts, struct skein_collector **out,
                          struct skein_error *err) {
    struct skein_collector *c = calloc(1, sizeof(*c));
    int rc;

    if (c == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    init_locks(c);
    c->session = opts->session;
    c->header = skein_session_header(opts->session);
    c->shard_count = c->header->shard_count;
    c->block_bytes = choose_block_bytes(c, opts->block_bytes);
    skein_process_watch_init(&c->watch);
    if (opts->qemu_pid != 0) {
        skein_process_watch_set(&c->watch, opts->qemu_pid);
    }
    rc = prepare(c, opts, err);
    if (rc == 0) {
        c->status.stats.shard_count = c->shard_count;
        c->status.drain_threads = skein_topology_nodes(c->topology);
        rc = start_threads(c);
        if (rc != 0) {
            skein_error_sys(err, rc, "cannot start the collector's threads");
        }
    }
    if (rc != 0) {
        release(c);
        return rc;
    }
    *out = c;
    return 0;
}

void skein_collector_poll(struct skein_collector *c, struct skein_collector_status *status) {
    pthread_mutex_lock(&c->lock);
    *status = c->status;
    status->buffered_bytes = c->inbox_bytes + c->order_bytes;
    pthread_mutex_unlock(&c->lock);
    skein_session_waits(c->session, &status->ring_waits, &status->ring_wait_ns);
}

int skein_collector_wait(struct skein_collector *c, int timeout_ms) {
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&c->lock);
    while (c->status.state == SKEIN_COLLECTOR_RUNNING && rc == 0) {
        rc = timeout_ms < 0 ? pthread_cond_wait(&c->done, &c->lock)
                            : pthread_cond_timedwait(&c->done, &c->lock, &until);
    }
    pthread_mutex_unlock(&c->lock);
    return -rc;
}

void skein_collector_stop(struct skein_collector *c) {
    pthread_mutex_lock(&c->lock);
    c->ending = true;
    pthread_cond_signal(&c->arrived);
    pthread_mutex_unlock(&c->lock);
    skein_collector_wait(c, -1);
    if (!c->joined) {
        join_drains(c);
        pthread_join(c->merger, NULL);
        c->joined = true;
    }
}

void skein_collector_free(struct skein_collector *c) {
    if (c == NULL) {
        return;
    }
    skein_collector_stop(c);
    release(c);
}
