#include "pipeline/shard.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/shard_layout.h"
#include "tests/pipeline/fixture.h"
#include "tests/pipeline/random.h"

#define RING (64u << 10)

static const uint8_t uuid[16] = {1, 2, 3};

struct fixture {
    void *mem;
    struct skein_shard_writer w;
    struct skein_shard_reader r;
};

static struct fixture open_shard(void) {
    struct fixture f = {.mem = aligned_alloc(4096, skein_shard_mem_bytes(RING))};

    cr_assert_eq(skein_shard_create(f.mem, RING, 3, uuid), 0);
    cr_assert_eq(skein_shard_writer_open(&f.w, f.mem, skein_shard_mem_bytes(RING)), 0);
    cr_assert_eq(skein_shard_reader_open(&f.r, f.mem, skein_shard_mem_bytes(RING)), 0);
    return f;
}

static int give_up(void *opaque) {
    ++*(int *)opaque;
    return 1;
}

Test(shard, create_wants_a_power_of_two) {
    void *mem = aligned_alloc(4096, skein_shard_mem_bytes(RING));

    cr_assert_eq(skein_shard_create(mem, RING - 8, 0, uuid), -EINVAL);
    cr_assert_eq(skein_shard_create(mem, RING / 2, 0, uuid), -EINVAL);
    cr_assert_eq(skein_shard_create(mem, 2ull << 30, 0, uuid), -EINVAL);
    free(mem);
}

Test(shard, open_refuses_what_is_no_shard) {
    struct fixture f = open_shard();
    struct skein_shard_mem *s = f.mem;
    const size_t bytes = skein_shard_mem_bytes(RING);

    cr_assert_eq(skein_shard_reader_open(&f.r, f.mem, bytes - 1), -EPROTO);
    s->version++;
    cr_assert_eq(skein_shard_reader_open(&f.r, f.mem, bytes), -EPROTO);
    s->version--;
    s->tail = 8;
    cr_assert_eq(skein_shard_reader_open(&f.r, f.mem, bytes), -EBADMSG, "no mark for it");
    s->released[0].at = 8;
    cr_assert_eq(skein_shard_reader_open(&f.r, f.mem, bytes), -EBADMSG, "behind the head");
    cr_assert_eq(skein_shard_writer_open(&f.w, f.mem, bytes), -EBADMSG);
    s->tail = 0;
    s->magic ^= 1;
    cr_assert_eq(skein_shard_writer_open(&f.w, f.mem, bytes), -EPROTO);
    free(f.mem);
}

Test(shard, nothing_is_seen_before_publish) {
    struct fixture f = open_shard();
    uint64_t cursor = f.r.tail, value = 7;
    bool bad;

    cr_assert_eq(skein_shard_append(&f.w, SKEIN_VALUE, 0, 5, &value, sizeof(value)), 1u);
    cr_assert_null(skein_shard_peek(&f.r, &cursor, &bad));
    skein_shard_publish(&f.w);
    const struct skein_record *rec = skein_shard_peek(&f.r, &cursor, &bad);
    cr_assert_not_null(rec);
    cr_assert_eq(rec->kind, SKEIN_VALUE);
    cr_assert_eq(rec->arg, 5u);
    cr_assert_eq(rec->size_bytes, 16u);
    cr_assert_eq(memcmp(rec + 1, &value, 8), 0);
    skein_shard_release(&f.r, cursor, 1);
    cr_assert_eq(f.r.tick, 1u);
    cr_assert_not(skein_shard_drained(&f.r));
    skein_shard_close(&f.w);
    cr_assert(skein_shard_drained(&f.r));
    free(f.mem);
}

Test(shard, payload_is_padded_with_zeros) {
    struct fixture f = open_shard();
    uint64_t cursor = 0, va = 0x1122;
    bool bad;

    memset(f.w.ring, 0xff, RING);
    skein_shard_append2(&f.w, SKEIN_USER_READ, 0, 3, &va, 8, "abc", 3);
    skein_shard_publish(&f.w);
    const struct skein_record *rec = skein_shard_peek(&f.r, &cursor, &bad);
    cr_assert_eq(rec->size_bytes, 24u);
    cr_assert_eq(memcmp((const char *)(rec + 1) + 8, "abc\0\0\0\0\0", 8), 0);
    free(f.mem);
}

Test(shard, full_ring_asks_and_appends_nothing) {
    struct fixture f = open_shard();
    int asked = 0;
    uint64_t ticks = 0, t;

    f.w.on_full = give_up;
    f.w.opaque = &asked;
    while ((t = skein_shard_append(&f.w, SKEIN_PAGE_DIRTY, 0, 0, &ticks, 8)) != 0) {
        cr_assert_eq(t, ++ticks);
    }
    cr_assert_eq(ticks, RING / 16);
    cr_assert_eq(asked, 1);
    cr_assert_eq(f.w.tick, ticks);
    cr_assert_eq(((struct skein_shard_mem *)f.mem)->waits, 1u);

    uint64_t cursor = f.r.tail;
    bool bad;
    cr_assert_not_null(skein_shard_peek(&f.r, &cursor, &bad), "a full ring was published");
    skein_shard_release(&f.r, cursor, 1);
    cr_assert_eq(skein_shard_append(&f.w, SKEIN_PAGE_DIRTY, 0, 0, &ticks, 8), ticks + 1);
    free(f.mem);
}

Test(shard, pads_before_the_end_of_the_ring) {
    struct fixture f = open_shard();
    static const uint8_t bytes[8192];
    bool bad;

    /* 7 × 8216 leaves 8024 bytes: the eighth does not fit and starts over. */
    for (uint64_t round = 0; round < 40; round++) {
        uint64_t cursor = f.r.tail, va = round;
        skein_shard_append2(&f.w, SKEIN_USER_READ, 0, 8192, &va, 8, bytes, 8192);
        skein_shard_append(&f.w, SKEIN_VALUE, 0, 0, NULL, 0);
        skein_shard_publish(&f.w);
        const struct skein_record *rec = skein_shard_peek(&f.r, &cursor, &bad);
        cr_assert_not_null(rec);
        cr_assert_eq(memcmp(rec + 1, &va, 8), 0);
        cr_assert_not_null(skein_shard_peek(&f.r, &cursor, &bad));
        cr_assert_null(skein_shard_peek(&f.r, &cursor, &bad));
        cr_assert_not(bad);
        skein_shard_release(&f.r, cursor, 2);
    }
    cr_assert_eq(f.r.tick, 80u);
    free(f.mem);
}

Test(shard, the_hot_path_appends_what_the_other_does) {
    struct fixture a = open_shard(), b = open_shard();
    const struct skein_shard_mem *x = a.mem, *y = b.mem;

    for (uint64_t i = 1; i < 20000; i++) {
        const uint64_t words[3] = {i, ~i, i * i};
        uint64_t cursor_a = a.r.tail, cursor_b = b.r.tail;
        bool bad;
        cr_assert_eq(skein_shard_append_words(&a.w, SKEIN_TOKEN, 1, 2, words, 3), i);
        cr_assert_eq(skein_shard_append(&b.w, SKEIN_TOKEN, 1, 2, words, sizeof(words)), i);
        skein_shard_publish(&a.w);
        skein_shard_publish(&b.w);
        const struct skein_record *p = skein_shard_peek(&a.r, &cursor_a, &bad);
        const struct skein_record *q = skein_shard_peek(&b.r, &cursor_b, &bad);
        cr_assert_eq(memcmp(p, q, 32), 0);
        skein_shard_release(&a.r, cursor_a, 1);
        skein_shard_release(&b.r, cursor_b, 1);
        cr_assert_eq(memcmp(x->published, y->published, sizeof(x->published)), 0);
        cr_assert_eq(memcmp(x->released, y->released, sizeof(x->released)), 0);
    }
    cr_assert_eq(x->head, x->tail);
    free(a.mem);
    free(b.mem);
}

Test(shard, every_flipped_bit_between_the_positions_is_found) {
    for (uint32_t bit = 0; bit < 8 * 3 * 16; bit++) {
        struct fixture f = open_shard();
        uint64_t cursor = 0;
        bool bad;
        for (uint64_t i = 1; i <= 3; i++) {
            skein_shard_append(&f.w, SKEIN_MARK, 0, 0, &i, 8);
        }
        skein_shard_publish(&f.w);
        f.w.ring[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert_null(skein_shard_peek(&f.r, &cursor, &bad));
        cr_assert(bad);
        free(f.mem);
    }
}

Test(shard, words_that_changed_places_are_found) {
    struct fixture f = open_shard();
    uint64_t cursor = 0, words[2] = {1, 2};
    bool bad;

    skein_shard_append(&f.w, SKEIN_DIGEST, 0, 0, words, sizeof(words));
    skein_shard_publish(&f.w);
    memcpy(f.w.ring + 8, (uint64_t[]){2, 1}, 16);
    cr_assert_null(skein_shard_peek(&f.r, &cursor, &bad));
    cr_assert(bad);
    free(f.mem);
}

Test(shard, a_writer_that_died_before_it_stored_the_head_published_nothing_new) {
    struct fixture f = open_shard();
    struct skein_shard_mem *s = f.mem;
    uint64_t cursor = 0, value = 1;
    bool bad;

    skein_shard_append(&f.w, SKEIN_MARK, 0, 0, &value, 8);
    skein_shard_publish(&f.w);
    skein_shard_append(&f.w, SKEIN_MARK, 0, 0, &value, 8);
    skein_shard_publish(&f.w);
    s->head = 16; /* the second mark is there, its position is not */
    cr_assert_not_null(skein_shard_peek(&f.r, &cursor, &bad));
    cr_assert_null(skein_shard_peek(&f.r, &cursor, &bad));
    cr_assert_not(bad);
    cr_assert_eq(skein_shard_writer_open(&f.w, f.mem, skein_shard_mem_bytes(RING)), 0);
    cr_assert_eq(f.w.tick, 1u);
    cr_assert_eq(skein_shard_append(&f.w, SKEIN_MARK, 0, 0, &value, 8), 2u);
    skein_shard_publish(&f.w);
    cr_assert_not_null(skein_shard_peek(&f.r, &cursor, &bad));
    free(f.mem);
}

Test(shard, opening_goes_on_where_the_last_ones_were) {
    struct fixture f = open_shard();
    const size_t bytes = skein_shard_mem_bytes(RING);
    bool bad;

    for (uint64_t i = 1; i < 9000; i++) {
        uint64_t cursor;
        cr_assert_eq(skein_shard_writer_open(&f.w, f.mem, bytes), 0);
        cr_assert_eq(skein_shard_append(&f.w, SKEIN_MARK, 0, 0, &i, 8), i);
        skein_shard_publish(&f.w);
        cr_assert_eq(skein_shard_reader_open(&f.r, f.mem, bytes), 0);
        cursor = f.r.tail;
        cr_assert_eq(f.r.tick, i - 1);
        cr_assert_not_null(skein_shard_peek(&f.r, &cursor, &bad));
        skein_shard_release(&f.r, cursor, 1);
    }
    free(f.mem);
}

Test(shard, a_span_ends_where_the_ring_does_and_where_nothing_more_is_published) {
    struct fixture f = open_shard();
    static const uint8_t bytes[8192];
    uint64_t n = 0, va = 0;
    bool bad;

    memset(f.w.ring, 0xff, RING);

    cr_assert_null(skein_shard_span(&f.r, 0, &n, &bad));
    for (int i = 0; i < 7; i++) {
        skein_shard_append2(&f.w, SKEIN_USER_READ, 0, 8192, &va, 8, bytes, 8192);
    }
    skein_shard_publish(&f.w);
    cr_assert_eq(skein_shard_span(&f.r, 0, &n, &bad), f.w.ring);
    cr_assert_eq(n, 7u * 8208);
    skein_shard_release(&f.r, 8208, 1);
    skein_shard_append2(&f.w, SKEIN_USER_READ, 0, 8192, &va, 8, bytes, 8192); /* behind a pad */
    cr_assert_eq(skein_shard_span(&f.r, 8208, &n, &bad), f.w.ring + 8208);
    cr_assert_eq(n, 6u * 8208, "the eighth is not published");
    skein_shard_publish(&f.w);
    cr_assert_eq(skein_shard_span(&f.r, 7 * 8208, &n, &bad), f.w.ring + 7 * 8208);
    cr_assert_eq(n, RING - 7u * 8208, "the pad");
    for (uint64_t at = 7 * 8208 + 8; at < RING; at++) {
        cr_assert_eq(f.w.ring[at], 0u, "a pad is zeros");
    }
    cr_assert_eq(skein_shard_span(&f.r, RING, &n, &bad), f.w.ring);
    cr_assert_eq(n, 8208u);
    cr_assert_not(bad);
    f.w.ring[0] ^= 1;
    skein_shard_reader_open(&f.r, f.mem, skein_shard_mem_bytes(RING));
    cr_assert_null(skein_shard_span(&f.r, 8208, &n, &bad));
    cr_assert(bad);
    free(f.mem);
}

Test(shard, bad_records_are_reported) {
    static const uint16_t sizes[] = {0, 4, 12, 32, 65528};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct fixture f = open_shard();
        uint64_t cursor = 0;
        bool bad;
        skein_shard_append(&f.w, SKEIN_MARK, 0, 0, &cursor, 8);
        memcpy(f.w.ring, &sizes[i], 2);
        skein_shard_publish(&f.w);
        fixture_restamp(f.mem);
        cr_assert_null(skein_shard_peek(&f.r, &cursor, &bad));
        cr_assert(bad);
        free(f.mem);
    }
    struct fixture f = open_shard();
    uint64_t cursor = 0;
    bool bad;
    skein_shard_append(&f.w, SKEIN_KIND_COUNT, 0, 0, &cursor, 8);
    skein_shard_publish(&f.w);
    cr_assert_null(skein_shard_peek(&f.r, &cursor, &bad));
    cr_assert(bad);
    free(f.mem);

    f = open_shard();
    cursor = 0;
    ((struct skein_shard_mem *)f.mem)->head = RING + 8;
    cr_assert_null(skein_shard_peek(&f.r, &cursor, &bad));
    cr_assert(bad);
    free(f.mem);
}

#define STREAM_EVENTS 300000u

static void *write_stream(void *opaque) {
    struct skein_shard_writer *w = opaque;
    struct random rng = {42};
    uint8_t bytes[2048];

    for (uint64_t i = 1; i <= STREAM_EVENTS; i++) {
        const size_t len = random_below(&rng, i % 64 == 0 ? sizeof(bytes) : 40);
        memset(bytes, (int)i, len);
        cr_assert_eq(skein_shard_append2(w, SKEIN_MEM, 0, (uint32_t)len, &i, 8, bytes, len), i);
        if (random_below(&rng, 4) == 0) {
            skein_shard_publish(w);
        }
    }
    skein_shard_close(w);
    return NULL;
}

static void check_streamed(const struct skein_record *rec, uint64_t tick) {
    const uint8_t *payload = (const uint8_t *)(rec + 1);
    uint64_t stamp;

    memcpy(&stamp, payload, 8);
    cr_assert_eq(stamp, tick);
    for (uint32_t i = 0; i < rec->arg; i++) {
        cr_assert_eq(payload[8 + i], (uint8_t)tick);
    }
}

Test(shard, two_threads, .timeout = 120) {
    struct fixture f = open_shard();
    pthread_t thread;
    uint64_t tick = 0;

    cr_assert_eq(pthread_create(&thread, NULL, write_stream, &f.w), 0);
    while (!skein_shard_drained(&f.r)) {
        uint64_t cursor = f.r.tail, n = 0;
        const struct skein_record *rec;
        bool bad;
        while (n < 100 && (rec = skein_shard_peek(&f.r, &cursor, &bad)) != NULL) {
            check_streamed(rec, ++tick);
            n++;
        }
        cr_assert_not(bad);
        skein_shard_release(&f.r, cursor, n);
    }
    pthread_join(thread, NULL);
    cr_assert_eq(tick, STREAM_EVENTS);
    cr_assert_eq(f.r.tick, STREAM_EVENTS);
    free(f.mem);
}
