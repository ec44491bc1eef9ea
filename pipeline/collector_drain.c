/* Drain threads: shards → chunks, by polling; the recorded machine never makes a call for it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/atomics.h"
#include "pipeline/collector_private.h"
#include "pipeline/shard_layout.h"

#define CHUNK_BYTES (256ull << 10)
#define NAP_NS 1000000

/* What one drain thread knows of a shard of its node. */
struct source {
    uint32_t shard;
    bool open;
    bool ending;
    uint64_t end; /* once ending: what was published then */
};

static void nap(void) {
    const struct timespec ts = {.tv_nsec = NAP_NS};

    nanosleep(&ts, NULL);
}

/* Waits while the merger is behind; false when the collector has failed. */
static bool wait_for_room(struct skein_collector *c) {
    bool running;

    pthread_mutex_lock(&c->lock);
    while (c->inbox_bytes + c->order_bytes > SKEIN_COLLECTOR_BUFFER_BYTES && !c->starved &&
           c->status.state == SKEIN_COLLECTOR_RUNNING) {
        pthread_cond_wait(&c->room, &c->lock);
    }
    running = c->status.state == SKEIN_COLLECTOR_RUNNING;
    pthread_mutex_unlock(&c->lock);
    return running;
}

static void deliver(struct skein_collector *c, uint32_t shard, struct skein_chunk *chunk) {
    struct skein_inbox *in = &c->inbox[shard];
    uint64_t buffered;

    pthread_mutex_lock(&c->lock);
    if (in->first == NULL) {
        in->first = chunk;
    } else {
        in->last->next = chunk;
    }
    in->last = chunk;
    c->inbox_bytes += chunk->used;
    c->starved = false;
    c->status.drained_bytes += chunk->used;
    buffered = c->inbox_bytes + c->order_bytes;
    if (c->status.buffered_peak_bytes < buffered) {
        c->status.buffered_peak_bytes = buffered;
    }
    pthread_cond_signal(&c->arrived);
    pthread_mutex_unlock(&c->lock);
}

static void close_source(struct skein_collector *c, struct source *s, bool damaged) {
    struct skein_inbox *in = &c->inbox[s->shard];

    s->open = false;
    pthread_mutex_lock(&c->lock);
    in->closed = true;
    in->damaged = damaged;
    in->ended_well = !damaged && skein_shard_drained(&c->readers[s->shard]);
    pthread_cond_signal(&c->arrived);
    pthread_mutex_unlock(&c->lock);
}

/* Takes up to a chunk of what is published. */
static struct skein_chunk *take(struct skein_shard_reader *r, uint64_t available, bool *bad) {
    const uint64_t capacity = available < CHUNK_BYTES ? available : CHUNK_BYTES;
    struct skein_chunk *chunk = skein_chunk_new(capacity);
    uint64_t cursor = r->tail, taken = r->tail, ticks = 0;
    const struct skein_record *rec;

    if (chunk == NULL) {
        return NULL; /* memory may come back: the shard keeps its records meanwhile */
    }
    while ((rec = skein_shard_peek(r, &cursor, bad)) != NULL &&
           chunk->used + rec->size_bytes <= capacity) {
        memcpy(chunk->bytes + chunk->used, rec, rec->size_bytes);
        chunk->used += rec->size_bytes;
        taken = cursor;
        ticks++;
    }
    skein_shard_release(r, taken, ticks);
    if (chunk->used == 0) {
        free(chunk);
        return NULL;
    }
    return chunk;
}

/* One look at a shard. True: there may be more at once. */
static bool visit(struct skein_collector *c, struct source *s) {
    struct skein_shard_reader *r = &c->readers[s->shard];
    /* Before the head: a shard seen closed and then empty is really over. */
    const bool closed = skein_load_acquire_32(&r->mem->closed) != 0;
    const uint64_t available = skein_load_acquire_64(&r->mem->head) - r->tail;
    struct skein_chunk *chunk;
    bool bad = false;

    if (available == 0) {
        if (closed || (s->ending && r->tail - s->end < UINT64_MAX / 2)) {
            close_source(c, s, false);
        }
        return false;
    }
    if (!wait_for_room(c)) {
        s->open = false;
        return false;
    }
    chunk = take(r, available, &bad);
    if (chunk != NULL) {
        deliver(c, s->shard, chunk);
    }
    if (bad || (s->ending && r->tail - s->end < UINT64_MAX / 2)) {
        close_source(c, s, bad);
        return false;
    }
    return available > CHUNK_BYTES;
}

static bool is_ending(struct skein_collector *c) {
    bool ending;

    pthread_mutex_lock(&c->lock);
    ending = c->ending;
    pthread_mutex_unlock(&c->lock);
    return ending;
}

static uint32_t find_sources(struct skein_collector *c, uint32_t node, struct source *sources) {
    uint32_t count = 0;

    for (uint32_t i = 0; i < c->shard_count; i++) {
        if (skein_topology_shard_node(c->topology, i) == node) {
            sources[count++] = (struct source){.shard = i, .open = true};
        }
    }
    return count;
}

void *skein_collector_drain(void *opaque) {
    const struct skein_drain *drain = opaque;
    struct skein_collector *c = drain->collector;
    struct source sources[SKEIN_MAX_SHARDS];
    const uint32_t count = find_sources(c, drain->node, sources);
    uint32_t open = count;

    /* Where binding is not allowed the thread runs anywhere, which is only slower. */
    skein_topology_bind_thread(c->topology, drain->node);
    while (open != 0) {
        const bool ending = is_ending(c);
        bool more = false;
        open = 0;
        for (uint32_t i = 0; i < count; i++) {
            struct source *s = &sources[i];
            if (s->open && ending && !s->ending) {
                s->ending = true;
                s->end = skein_load_acquire_64(&c->readers[s->shard].mem->head);
            }
            if (s->open) {
                more |= visit(c, s);
                open += s->open;
            }
        }
        if (!more && open != 0) {
            nap();
        }
    }
    return NULL;
}
