#include "pipeline/shard.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "pipeline/atomics.h"
#include "pipeline/shard_layout.h"
#include "pipeline/shard_mark.h"

#define RING_MIN_BYTES (64ull << 10)
#define RING_MAX_BYTES (1ull << 30)
#define HEADER_BYTES sizeof(struct skein_record)
#define FULL_SPINS 2000
#define FULL_NAP_NS 50000

static_assert(2 * SKEIN_RECORD_LIMIT_BYTES <= RING_MIN_BYTES,
              "an empty ring takes any pad and record");

size_t skein_shard_mem_bytes(uint64_t ring_bytes) {
    return SKEIN_SHARD_RING_OFFSET + (size_t)ring_bytes;
}

static bool ring_size_valid(uint64_t ring_bytes) {
    return ring_bytes >= RING_MIN_BYTES && ring_bytes <= RING_MAX_BYTES &&
           (ring_bytes & (ring_bytes - 1)) == 0;
}

int skein_shard_create(void *mem, uint64_t ring_bytes, uint32_t shard_id, const uint8_t uuid[16]) {
    struct skein_shard_mem *s = mem;

    if (!ring_size_valid(ring_bytes)) {
        return -EINVAL;
    }
    memset(s, 0, SKEIN_SHARD_RING_OFFSET);
    s->version = SKEIN_SHARD_VERSION;
    s->shard_id = shard_id;
    memcpy(s->uuid, uuid, 16);
    s->ring_bytes = ring_bytes;
    /* The magic comes last, so that nobody opens half a header; pairs with check_mem(). */
    skein_store_release_64(&s->magic, SKEIN_SHARD_MAGIC);
    return 0;
}

static int check_mem(const struct skein_shard_mem *s, size_t mem_bytes) {
    if (mem_bytes < SKEIN_SHARD_RING_OFFSET ||
        skein_load_acquire_64(&s->magic) != SKEIN_SHARD_MAGIC ||
        s->version != SKEIN_SHARD_VERSION || !ring_size_valid(s->ring_bytes) ||
        skein_shard_mem_bytes(s->ring_bytes) > mem_bytes) {
        return -EPROTO;
    }
    return 0;
}

static bool positions_valid(uint64_t head, uint64_t tail, uint64_t ring_bytes) {
    return head - tail <= ring_bytes && head % 8 == 0 && tail % 8 == 0;
}

/* Both sides' marks, of a shard that lies still or whose caller is one of the sides. */
static int load_marks(const struct skein_shard_mem *s, struct skein_shard_mark *published,
                      struct skein_shard_mark *released) {
    if (skein_shard_mark_load(&s->tail, s->released, released) != 0 ||
        skein_shard_mark_load(&s->head, s->published, published) != 0 ||
        !positions_valid(published->at, released->at, s->ring_bytes)) {
        return -EBADMSG;
    }
    return 0;
}

int skein_shard_writer_open(struct skein_shard_writer *w, void *mem, size_t mem_bytes) {
    struct skein_shard_mem *s = mem;
    struct skein_shard_mark published, released;

    if (check_mem(s, mem_bytes) != 0) {
        return -EPROTO;
    }
    if (load_marks(s, &published, &released) != 0) {
        return -EBADMSG;
    }
    *w = (struct skein_shard_writer){
        .mem = s,
        .ring = (uint8_t *)mem + SKEIN_SHARD_RING_OFFSET,
        .mask = s->ring_bytes - 1,
        .head = published.at,
        .limit = published.at, /* the first append finds it out */
        .tick = published.ticks,
        .sums = {published.sum, published.sum_of_sums},
        .published = published.at,
        .cached_tail = released.at,
        .next_mark = skein_shard_mark_spare(s->published, published.at),
    };
    return 0;
}

int skein_shard_reader_open(struct skein_shard_reader *r, void *mem, size_t mem_bytes) {
    struct skein_shard_mem *s = mem;
    struct skein_shard_mark released;
    uint64_t head;

    if (check_mem(s, mem_bytes) != 0) {
        return -EPROTO;
    }
    if (skein_shard_mark_load(&s->tail, s->released, &released) != 0) {
        return -EBADMSG;
    }
    head = skein_load_acquire_64(&s->head);
    if (!positions_valid(head, released.at, s->ring_bytes)) {
        return -EBADMSG;
    }
    *r = (struct skein_shard_reader){
        .mem = s,
        .ring = (const uint8_t *)mem + SKEIN_SHARD_RING_OFFSET,
        .mask = s->ring_bytes - 1,
        .tail = released.at,
        .cached_head = released.at,
        .tick = released.ticks,
        .seen = {released.sum, released.sum_of_sums},
        .released = {released.sum, released.sum_of_sums},
        .next_mark = skein_shard_mark_spare(s->released, released.at),
    };
    return 0;
}

static uint64_t now_ns(void) {
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static bool has_room(struct skein_shard_writer *w, uint64_t need) {
    if (w->head + need - w->cached_tail <= w->mask + 1) {
        return true;
    }
    /* Pairs with the release in skein_shard_release(): the reader is done with that room. */
    w->cached_tail = skein_load_acquire_64(&w->mem->tail);
    return w->head + need - w->cached_tail <= w->mask + 1;
}

/* Waits until the reader has made room. False: on_full gave up. */
static bool wait_for_room(struct skein_shard_writer *w, uint64_t need) {
    const struct timespec nap = {.tv_nsec = FULL_NAP_NS};
    uint64_t start;
    bool room = false;

    skein_shard_publish(w);
    start = now_ns();
    for (int i = 0; i < FULL_SPINS && !room; i++) {
        skein_cpu_relax();
        room = has_room(w, need);
    }
    while (!room) {
        if (w->on_full != NULL && w->on_full(w->opaque) != 0) {
            break;
        }
        nanosleep(&nap, NULL);
        room = has_room(w, need);
    }
    /* Only this thread writes them; others may look at any time. */
    skein_store_relaxed_64(&w->mem->waits, skein_load_relaxed_64(&w->mem->waits) + 1);
    skein_store_relaxed_64(&w->mem->wait_ns,
                           skein_load_relaxed_64(&w->mem->wait_ns) + (now_ns() - start));
    return room;
}

/* Fills the ring up to its end, which a record must not straddle. */
static void put_pad(struct skein_shard_writer *w, uint64_t bytes) {
    const struct skein_record rec = {.size_bytes = (uint16_t)bytes, .kind = SKEIN_PAD};
    uint8_t *at = w->ring + (w->head & w->mask);

    memcpy(at, &rec, sizeof(rec));
    memset(at + sizeof(rec), 0, bytes - sizeof(rec));
    skein_shard_sum_words(&w->sums, at, bytes);
    w->head += bytes;
    SKEIN_TEST_POINT("shard.pad_appended");
}

/* Makes room for a record of that size at w->head. False: on_full gave up. */
static bool make_room(struct skein_shard_writer *w, uint64_t size) {
    const uint64_t to_end = w->mask + 1 - (w->head & w->mask);
    const uint64_t pad = to_end < size ? to_end : 0;
    uint64_t ring_end;

    if (!has_room(w, pad + size) && !wait_for_room(w, pad + size)) {
        return false;
    }
    if (pad != 0) {
        put_pad(w, pad);
    }
    ring_end = w->head - (w->head & w->mask) + w->mask + 1;
    w->limit = w->cached_tail + w->mask + 1;
    if (w->limit - w->head > ring_end - w->head) {
        w->limit = ring_end;
    }
    return true;
}

uint64_t skein_shard_append2(struct skein_shard_writer *w, uint8_t kind, uint8_t flags,
                             uint32_t arg, const void *fixed, size_t fixed_len, const void *bytes,
                             size_t len) {
    const uint64_t used = HEADER_BYTES + fixed_len + len;
    const uint64_t size = (used + 7) & ~7ull;
    const struct skein_record rec = {(uint16_t)size, kind, flags, arg};
    uint8_t *at;

    assert(size <= SKEIN_RECORD_LIMIT_BYTES);
    if (w->limit - w->head < size && !make_room(w, size)) {
        return 0;
    }
    at = w->ring + (w->head & w->mask);
    memcpy(at, &rec, sizeof(rec));
    if (fixed_len != 0) {
        memcpy(at + HEADER_BYTES, fixed, fixed_len);
    }
    if (len != 0) {
        memcpy(at + HEADER_BYTES + fixed_len, bytes, len);
    }
    memset(at + used, 0, size - used);
    skein_shard_sum_words(&w->sums, at, size);
    w->head += size;
    SKEIN_TEST_POINT("shard.bytes_appended");
    return ++w->tick;
}

uint64_t skein_shard_append_slowly(struct skein_shard_writer *w, struct skein_record rec,
                                   const uint64_t *words) {
    return skein_shard_append2(w, rec.kind, rec.flags, rec.arg, words,
                               rec.size_bytes - HEADER_BYTES, NULL, 0);
}

uint64_t skein_shard_append(struct skein_shard_writer *w, uint8_t kind, uint8_t flags, uint32_t arg,
                            const void *payload, size_t len) {
    return skein_shard_append2(w, kind, flags, arg, payload, len, NULL, 0);
}

void skein_shard_publish(struct skein_shard_writer *w) {
    if (w->published == w->head) {
        return;
    }
    skein_shard_mark_store(&w->mem->published[w->next_mark], w->head, w->tick, &w->sums);
    w->next_mark ^= 1;
    SKEIN_TEST_POINT("shard.mark_stored");
    /* Pairs with the acquire in skein_shard_mark_load(): records before head, and its mark, are
     * whole. */
    skein_store_release_64(&w->mem->head, w->head);
    w->published = w->head;
    SKEIN_TEST_POINT("shard.head_stored");
}

void skein_shard_close(struct skein_shard_writer *w) {
    skein_shard_publish(w);
    /* Pairs with the acquire in skein_shard_drained(): the head before it is the last one. */
    skein_store_release_32(&w->mem->closed, 1);
    SKEIN_TEST_POINT("shard.closed");
}

void skein_shard_reopen(struct skein_shard_writer *w) {
    /* Whoever asks is told later, by other means, that there is more: nothing to pair with. */
    skein_store_release_32(&w->mem->closed, 0);
}

/* Looks for more, and believes in it only when its sums are right. */
static void look_again(struct skein_shard_reader *r, bool *bad) {
    struct skein_shard_sums sums = r->seen;
    struct skein_shard_mark mark;
    int rc;

    if (skein_load_relaxed_64(&r->mem->head) == r->cached_head) {
        return;
    }
    rc = skein_shard_mark_load(&r->mem->head, r->mem->published, &mark);
    if (rc == -EAGAIN) {
        return;
    }
    if (rc != 0 || !positions_valid(mark.at, r->tail, r->mask + 1) ||
        mark.at - r->tail < r->cached_head - r->tail) {
        *bad = true;
        return;
    }
    skein_shard_sum_ring(&sums, r->ring, r->mask, r->cached_head, mark.at);
    if (sums.sum != mark.sum || sums.sum_of_sums != mark.sum_of_sums) {
        *bad = true;
        return;
    }
    r->seen = sums;
    r->cached_head = mark.at;
}

static bool more_at(struct skein_shard_reader *r, uint64_t cursor, bool *bad) {
    if (cursor == r->cached_head) {
        look_again(r, bad);
    }
    if (cursor - r->tail > r->cached_head - r->tail) {
        *bad = true;
    }
    return !*bad && cursor != r->cached_head;
}

const uint8_t *skein_shard_span(struct skein_shard_reader *r, uint64_t cursor, uint64_t *bytes,
                                bool *bad) {
    const uint64_t index = cursor & r->mask, to_end = r->mask + 1 - index;

    *bad = false;
    if (!more_at(r, cursor, bad)) {
        return NULL;
    }
    *bytes = r->cached_head - cursor;
    if (*bytes > to_end) {
        *bytes = to_end;
    }
    return r->ring + index;
}

const struct skein_record *skein_shard_peek(struct skein_shard_reader *r, uint64_t *cursor,
                                            bool *bad) {
    *bad = false;
    while (more_at(r, *cursor, bad)) {
        const uint64_t index = *cursor & r->mask;
        const struct skein_record *rec = (const void *)(r->ring + index);
        const uint64_t size = rec->size_bytes;

        if (size < HEADER_BYTES || size % 8 != 0 || size > SKEIN_RECORD_LIMIT_BYTES ||
            size > r->cached_head - *cursor || size > r->mask + 1 - index ||
            rec->kind >= SKEIN_KIND_COUNT) {
            *bad = true;
            return NULL;
        }
        *cursor += size;
        if (rec->kind != SKEIN_PAD) {
            return rec;
        }
    }
    return NULL;
}

void skein_shard_release(struct skein_shard_reader *r, uint64_t cursor, uint64_t ticks) {
    assert(cursor - r->tail <= r->cached_head - r->tail);
    if (cursor == r->tail) {
        return;
    }
    skein_shard_sum_ring(&r->released, r->ring, r->mask, r->tail, cursor);
    r->tail = cursor;
    r->tick += ticks;
    skein_shard_mark_store(&r->mem->released[r->next_mark], r->tail, r->tick, &r->released);
    r->next_mark ^= 1;
    SKEIN_TEST_POINT("shard.release_mark_stored");
    /* Pairs with the acquire in has_room(): our reads of that room are over. */
    skein_store_release_64(&r->mem->tail, cursor);
    SKEIN_TEST_POINT("shard.tail_stored");
}

int skein_shard_skip(struct skein_shard_reader *r, uint64_t cursor) {
    uint64_t at = r->tail, ticks = 0;
    bool bad = false;

    if (cursor - at > skein_load_acquire_64(&r->mem->head) - at) {
        return -EBADMSG;
    }
    while (at - r->tail < cursor - r->tail) {
        /* NULL although there is more: the writer moves too fast just now. */
        ticks += skein_shard_peek(r, &at, &bad) != NULL;
        if (bad) {
            return -EBADMSG;
        }
    }
    if (at != cursor) {
        return -EBADMSG;
    }
    skein_shard_release(r, cursor, ticks);
    return 0;
}

bool skein_shard_drained(const struct skein_shard_reader *r) {
    /* closed before head: once closed is seen, head is final. Pairs with skein_shard_close(). */
    return skein_load_acquire_32(&r->mem->closed) != 0 &&
           skein_load_acquire_64(&r->mem->head) == r->tail;
}
