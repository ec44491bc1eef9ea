/*
 * Drain threads: shards → chunks, by polling; the recorded machine never makes a call for it. A
 * thread reads ahead of the tail that the writer sees: the tail follows when events are written.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/atomics.h"
#include "pipeline/collector_private.h"
#include "pipeline/shard_layout.h"
#include "pipeline/test_point.h"

#define CHUNK_BYTES (256ull << 10)
#define NAP_NS 1000000

/* A mark covers at most this part of a ring, or one chunk; so two in a row cover more than it. */
#define MARK_SHARE 16u
#define MARK_COUNT (2 * MARK_SHARE + 2)

/* A stretch of the ring that was taken, and is given back as a whole. */
struct mark {
    uint64_t begin, end; /* ring positions */
    uint64_t tick;       /* of its last record */
};

/* What one drain thread knows of a shard of its node. */
struct source {
    uint32_t shard;
    bool open;
    bool ending;
    uint64_t end;    /* once ending: what was published then */
    uint64_t cursor; /* everything before it was taken */
    uint64_t tick;   /* of the last record taken */
    uint32_t first_mark, mark_count;
    struct mark marks[MARK_COUNT];
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

static void close_source(struct skein_collector *c, struct source *s, bool damaged, bool closed) {
    struct skein_inbox *in = &c->inbox[s->shard];

    s->open = false;
    pthread_mutex_lock(&c->lock);
    in->closed = true;
    in->damaged = damaged;
    in->ended_well = !damaged && closed;
    pthread_cond_signal(&c->arrived);
    pthread_mutex_unlock(&c->lock);
}

static uint64_t mark_limit(const struct skein_shard_reader *r) {
    const uint64_t share = (r->mask + 1) / MARK_SHARE;

    return share > SKEIN_RECORD_LIMIT_BYTES ? share : SKEIN_RECORD_LIMIT_BYTES;
}

/* Remembers that the ring was taken up to `end`; `ticks` records more. */
static void mark(struct source *s, const struct skein_shard_reader *r, uint64_t end,
                 uint64_t ticks) {
    struct mark *last = &s->marks[(s->first_mark + s->mark_count - 1) % MARK_COUNT];

    s->tick += ticks;
    if (s->mark_count == 0 || end - last->begin > mark_limit(r)) {
        assert(s->mark_count < MARK_COUNT);
        last = &s->marks[(s->first_mark + s->mark_count++) % MARK_COUNT];
        last->begin = s->cursor;
    }
    last->end = end;
    last->tick = s->tick;
    s->cursor = end;
}

static bool is_valid(const struct skein_record *rec) {
    return rec->size_bytes >= sizeof(*rec) && rec->size_bytes % 8 == 0 &&
           rec->size_bytes <= SKEIN_RECORD_LIMIT_BYTES && rec->kind < SKEIN_KIND_COUNT;
}

/*
 * Looks at what was copied, and not at the ring: a QEMU that writes where it must not may change
 * that in between. Keeps whole records, up to a pad; returns the bytes that are done with. cut: the
 * last record may be there in part.
 */
static uint64_t look_through(struct skein_chunk *chunk, bool cut, uint64_t *ticks, bool *bad) {
    uint64_t at = 0;

    *ticks = 0;
    while (at < chunk->capacity) {
        const struct skein_record *rec = (const void *)(chunk->bytes + at);
        if (!is_valid(rec) || (rec->size_bytes > chunk->capacity - at && !cut)) {
            *bad = true;
            break;
        }
        if (rec->size_bytes > chunk->capacity - at) {
            break;
        }
        at += rec->size_bytes;
        if (rec->kind == SKEIN_PAD) {
            break;
        }
        chunk->used = at;
        ++*ticks;
    }
    return at;
}

/* Takes up to a chunk of what is published. */
static struct skein_chunk *take(struct source *s, struct skein_shard_reader *r, bool *bad) {
    const uint64_t limit = mark_limit(r) < CHUNK_BYTES ? mark_limit(r) : CHUNK_BYTES;
    uint64_t available, taken, ticks;
    const uint8_t *from = skein_shard_span(r, s->cursor, &available, bad);
    struct skein_chunk *chunk;

    if (from == NULL) {
        return NULL;
    }
    chunk = skein_chunk_new(available < limit ? available : limit);
    if (chunk == NULL) {
        return NULL; /* memory may come back: the shard keeps its records meanwhile */
    }
    memcpy(chunk->bytes, from, chunk->capacity);
    taken = look_through(chunk, available > limit, &ticks, bad);
    if (taken != 0) {
        mark(s, r, s->cursor + taken, ticks);
    }
    if (chunk->used == 0) {
        free(chunk);
        return NULL;
    }
    return chunk;
}

/* Gives back what is written. */
static void give_back(struct skein_collector *c, struct source *s) {
    struct skein_shard_reader *r = &c->readers[s->shard];
    uint64_t written, tick = r->tick, end = r->tail;

    pthread_mutex_lock(&c->lock);
    written = c->written[s->shard];
    pthread_mutex_unlock(&c->lock);
    while (s->mark_count != 0 && s->marks[s->first_mark].tick <= written) {
        tick = s->marks[s->first_mark].tick;
        end = s->marks[s->first_mark].end;
        s->first_mark = (s->first_mark + 1) % MARK_COUNT;
        s->mark_count--;
    }
    if (end != r->tail) {
        skein_shard_release(r, end, tick - r->tick);
        SKEIN_TEST_POINT("collector.ring_released");
    }
}

/* Tells the merger when the writer may be waiting although all that it published was taken. */
static void look_if_full(struct skein_collector *c, const struct source *s) {
    const struct skein_shard_reader *r = &c->readers[s->shard];

    if (s->cursor - r->tail > r->mask + 1 - 2 * SKEIN_RECORD_LIMIT_BYTES) {
        pthread_mutex_lock(&c->lock);
        c->full = true;
        pthread_mutex_unlock(&c->lock);
    }
}

static bool reached_end(const struct source *s) {
    return s->ending && s->cursor - s->end < UINT64_MAX / 2;
}

/* One look at a shard. True: there may be more at once. */
static bool visit(struct skein_collector *c, struct source *s) {
    struct skein_shard_reader *r = &c->readers[s->shard];
    /* Before the head: a shard seen closed and then empty is really over. */
    const bool closed = skein_load_acquire_32(&r->mem->closed) != 0;
    const uint64_t available = skein_load_acquire_64(&r->mem->head) - s->cursor;
    struct skein_chunk *chunk;
    bool bad = false;

    if (available == 0) {
        look_if_full(c, s);
        if (closed || reached_end(s)) {
            close_source(c, s, false, closed);
        }
        return false;
    }
    if (!wait_for_room(c)) {
        s->open = false;
        return false;
    }
    chunk = take(s, r, &bad);
    if (chunk != NULL) {
        SKEIN_TEST_POINT("collector.chunk_copied");
        deliver(c, s->shard, chunk);
    }
    if (bad || reached_end(s)) {
        close_source(c, s, bad, closed);
        return false;
    }
    return chunk != NULL;
}

/* What the collector as a whole is up to. */
static void look_at_collector(struct skein_collector *c, bool *ending, bool *running) {
    pthread_mutex_lock(&c->lock);
    *ending = c->ending;
    *running = c->status.state == SKEIN_COLLECTOR_RUNNING;
    pthread_mutex_unlock(&c->lock);
}

static uint32_t find_sources(struct skein_collector *c, uint32_t node, struct source *sources) {
    uint32_t count = 0;

    for (uint32_t i = 0; i < c->shard_count; i++) {
        if (skein_topology_shard_node(c->topology, i) == node) {
            sources[count++] = (struct source){
                .shard = i, .open = true, .cursor = c->readers[i].tail, .tick = c->readers[i].tick};
        }
    }
    return count;
}

/* Looks once at every shard that is open. True: there may be more at once. */
static bool visit_all(struct skein_collector *c, struct source *sources, uint32_t count,
                      bool ending) {
    bool more = false;

    for (uint32_t i = 0; i < count; i++) {
        struct source *s = &sources[i];
        if (s->open && ending && !s->ending) {
            s->ending = true;
            s->end = skein_load_acquire_64(&c->readers[s->shard].mem->head);
        }
        give_back(c, s);
        if (s->open) {
            more |= visit(c, s);
        }
    }
    return more;
}

void *skein_collector_drain(void *opaque) {
    const struct skein_drain *drain = opaque;
    struct skein_collector *c = drain->collector;
    struct source sources[SKEIN_MAX_SHARDS];
    const uint32_t count = find_sources(c, drain->node, sources);
    bool ending, running;

    /* Where binding is not allowed the thread runs anywhere, which is only slower. */
    skein_topology_bind_thread(c->topology, drain->node);
    do {
        /* Before the visit: what is written when the collector ends is given back, too. */
        look_at_collector(c, &ending, &running);
        if (!visit_all(c, sources, count, ending) && running) {
            nap();
        }
    } while (running);
    return NULL;
}
