/* A feeder that starts anywhere and goes on elsewhere, and what QEMU does about it. */
#include "pipeline/feeder.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/atomics.h"
#include "pipeline/shard.h"
#include "pipeline/shard_layout.h"
#include "pipeline/shard_mark.h"
#include "tests/pipeline/fixture.h"

/* What QEMU is here: a reader of all shards that knows what it should find. */
struct qemu {
    char dir[256];
    struct history h;
    struct skein_recording *rec;
    struct skein_session *session;
    struct skein_feeder *feeder;
    struct skein_shard_reader reader[SKEIN_MAX_SHARDS];
    uint64_t tick[SKEIN_MAX_SHARDS];    /* consumed */
    uint64_t last[SKEIN_MAX_SHARDS];    /* of the recording */
    size_t *events[SKEIN_MAX_SHARDS];   /* by tick - 1: the history's index */
    uint64_t records[SKEIN_MAX_SHARDS]; /* taken out of the shard, or skipped */
};

static void nap(void) {
    const struct timespec ts = {.tv_nsec = 50000};

    nanosleep(&ts, NULL);
}

static int start_feeder(struct qemu *q, const uint64_t *after, struct skein_error *err) {
    struct skein_clock clock;

    skein_clock_init(&clock, q->h.shard_count);
    if (after != NULL) {
        memcpy(clock.tick, after, q->h.shard_count * sizeof(*after));
        memcpy(q->tick, after, q->h.shard_count * sizeof(*after));
    }
    const struct skein_feeder_opts opts = {
        .recording = q->rec, .session = q->session, .after = after != NULL ? &clock : NULL};
    return skein_feeder_start(&opts, &q->feeder, err);
}

/* A recording in small blocks and segments, in a session of the smallest rings. */
static struct qemu open_qemu(uint64_t seed, uint32_t shards, size_t events) {
    struct qemu q = {.h = history_make(seed, shards, events, 1)};
    const struct skein_manifest m = fixture_manifest(shards);

    fixture_dir(q.dir);
    fixture_record(q.dir, &q.h, q.h.count, 20000, 100000);
    cr_assert_eq(skein_recording_open(q.dir, SKEIN_READ_STRICT, &q.rec, NULL), 0);
    q.session = fixture_session(&m, SKEIN_MODE_REPLAY);
    for (uint32_t i = 0; i < shards; i++) {
        size_t bytes;
        void *mem = skein_session_shard(q.session, i, &bytes);
        cr_assert_eq(skein_shard_reader_open(&q.reader[i], mem, bytes), 0);
        q.events[i] = calloc(q.h.count, sizeof(size_t));
    }
    for (size_t i = 0; i < q.h.count; i++) {
        const uint32_t shard = q.h.events[i].shard;
        q.events[shard][q.last[shard]++] = i;
    }
    return q;
}

static struct qemu start(uint64_t seed, uint32_t shards, size_t events) {
    struct qemu q = open_qemu(seed, shards, events);
    struct skein_error err = {""};

    cr_assert_eq(start_feeder(&q, NULL, &err), 0, "%s", err.text);
    return q;
}

/* Both sides' marks count the same records. */
static void check_marks(const struct qemu *q, uint32_t shard) {
    const struct skein_shard_mem *mem = q->reader[shard].mem;
    struct skein_shard_mark mark;

    cr_assert_eq(skein_shard_mark_load(&mem->tail, mem->released, &mark), 0);
    cr_assert_eq(mark.ticks, q->records[shard]);
    if (skein_shard_drained(&q->reader[shard])) {
        struct skein_shard_mark published;
        cr_assert_eq(skein_shard_mark_load(&mem->head, mem->published, &published), 0);
        cr_assert_eq(memcmp(&mark, &published, sizeof(mark)), 0);
    }
}

static void finish(struct qemu *q) {
    for (uint32_t i = 0; i < q->h.shard_count; i++) {
        check_marks(q, i);
        free(q->events[i]);
    }
    skein_feeder_free(q->feeder);
    skein_recording_close(q->rec);
    skein_session_close(q->session);
    fixture_remove(q->dir);
    history_free(&q->h);
}

/* Takes the next event, which must be the right one. False: the shard is over, as it should be. */
static bool take(struct qemu *q, uint32_t shard) {
    struct skein_shard_reader *r = &q->reader[shard];
    const struct skein_record *rec, *want;
    uint64_t cursor;
    bool bad;

    while (!skein_shard_drained(r)) {
        cursor = r->tail;
        rec = skein_shard_peek(r, &cursor, &bad);
        cr_assert_not(bad);
        if (rec == NULL) {
            nap();
            continue;
        }
        cr_assert_lt(q->tick[shard], q->last[shard], "an event too many");
        want = history_record(&q->h, q->events[shard][q->tick[shard]]);
        cr_assert_eq(memcmp(rec, want, want->size_bytes), 0, "not event %llu of shard %u",
                     (unsigned long long)q->tick[shard] + 1, shard);
        skein_shard_release(r, cursor, 1);
        q->tick[shard]++;
        q->records[shard]++;
        return true;
    }
    cr_assert_eq(q->tick[shard], q->last[shard], "shard %u ends after event %llu of %llu", shard,
                 (unsigned long long)q->tick[shard], (unsigned long long)q->last[shard]);
    return false;
}

static void take_all(struct qemu *q) {
    for (uint32_t shard = 0; shard < q->h.shard_count; shard++) {
        while (take(q, shard)) {
        }
    }
}

static void take_some(struct qemu *q, struct random *rng, uint64_t most) {
    for (uint32_t shard = 0; shard < q->h.shard_count; shard++) {
        for (uint64_t n = random_below(rng, most); n != 0 && take(q, shard); n--) {
        }
    }
}

static void ask(struct qemu *q, const uint64_t *tick) {
    struct skein_session_header *h = skein_session_header(q->session);

    for (uint32_t i = 0; i < q->h.shard_count; i++) {
        skein_store_relaxed_64(&h->seek_tick[i], tick[i]);
        q->tick[i] = tick[i];
    }
    skein_store_release_64(&h->seek, h->seek + 1);
}

static void await_answer(struct qemu *q) {
    struct skein_session_header *h = skein_session_header(q->session);

    while (skein_load_acquire_64(&h->seek_done) != h->seek) {
        nap();
    }
}

static void skip_void(struct qemu *q) {
    for (uint32_t i = 0; i < q->h.shard_count; i++) {
        struct skein_shard_reader *r = &q->reader[i];
        const uint64_t before = r->tick;
        cr_assert_eq(skein_shard_skip(r, skein_session_header(q->session)->seek_from[i]), 0);
        q->records[i] += r->tick - before;
        check_marks(q, i);
    }
}

static void seek(struct qemu *q, const uint64_t *tick) {
    ask(q, tick);
    await_answer(q);
    skip_void(q);
}

/* What each shard has seen after so many events of the history. */
static void clock_at(const struct qemu *q, size_t events, uint64_t *tick) {
    memset(tick, 0, SKEIN_MAX_SHARDS * sizeof(*tick));
    for (size_t i = 0; i < events; i++) {
        tick[q->h.events[i].shard]++;
    }
}

Test(feeder_seek, starts_anywhere, .timeout = 120) {
    struct random rng = {1};

    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct qemu q = open_qemu(seed, 2 + (uint32_t)(seed % 4), 3000);
        struct skein_feeder_status status;
        struct skein_error err = {""};
        uint64_t tick[SKEIN_MAX_SHARDS];
        const size_t at = seed == 1 ? 0 : seed == 2 ? q.h.count : random_below(&rng, q.h.count);
        clock_at(&q, at, tick);
        cr_assert_eq(start_feeder(&q, tick, &err), 0, "%s", err.text);
        take_all(&q);
        do {
            nap();
            skein_feeder_poll(q.feeder, &status);
        } while (status.state == SKEIN_FEEDER_RUNNING);
        cr_assert_eq(status.state, SKEIN_FEEDER_DONE);
        cr_assert_eq(status.events_fed, q.h.count);
        cr_assert_eq(status.events_total, q.h.count);
        finish(&q);
    }
}

Test(feeder_seek, does_not_start_after_the_end, .timeout = 60) {
    struct qemu q = open_qemu(1, 3, 300);
    struct skein_error err = {""};
    uint64_t tick[SKEIN_MAX_SHARDS];

    clock_at(&q, q.h.count, tick);
    tick[1]++;
    cr_assert_eq(start_feeder(&q, tick, &err), -EINVAL);
    cr_assert_neq(err.text[0], '\0');
    clock_at(&q, 10, tick);
    cr_assert_eq(start_feeder(&q, tick, &err), 0);
    take_all(&q);
    finish(&q);
}

Test(feeder_seek, goes_anywhere_at_any_time, .timeout = 240) {
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct random rng = {seed};
        struct qemu q = start(seed, 2 + (uint32_t)(seed % 4), 4000);
        uint64_t tick[SKEIN_MAX_SHARDS];
        for (int i = 0; i < 30; i++) {
            take_some(&q, &rng, random_below(&rng, 2) != 0 ? 20 : 2000);
            clock_at(&q, random_below(&rng, q.h.count + 1), tick);
            seek(&q, tick);
        }
        take_all(&q);
        finish(&q);
    }
}

/* Also when nothing was consumed, to where it is already, and when all is closed. */
Test(feeder_seek, goes_to_both_ends, .timeout = 60) {
    struct qemu q = start(3, 4, 5000);
    uint64_t first[SKEIN_MAX_SHARDS], last[SKEIN_MAX_SHARDS];

    clock_at(&q, 0, first);
    clock_at(&q, q.h.count, last);
    seek(&q, first);
    take_all(&q);
    seek(&q, last);
    take_all(&q);
    seek(&q, first);
    seek(&q, first);
    seek(&q, last);
    seek(&q, first);
    take_all(&q);
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert_eq(q.tick[i], q.last[i]);
    }
    finish(&q);
}

/* The feeder sees only the later one, or both: what counts is that all are answered. */
Test(feeder_seek, two_requests_in_a_row_end_at_the_second, .timeout = 120) {
    struct qemu q = start(9, 3, 4000);
    struct random rng = {9};
    uint64_t tick[SKEIN_MAX_SHARDS];

    for (int i = 0; i < 200; i++) {
        clock_at(&q, random_below(&rng, q.h.count + 1), tick);
        ask(&q, tick);
        if (i % 3 == 0) {
            nap();
        }
        clock_at(&q, random_below(&rng, q.h.count + 1), tick);
        ask(&q, tick);
        await_answer(&q);
        skip_void(&q);
        take_some(&q, &rng, 30);
    }
    take_all(&q);
    finish(&q);
}

/* All rings are full and nobody reads: the answer comes all the same. */
Test(feeder_seek, full_rings_delay_no_answer, .timeout = 60) {
    struct qemu q = start(5, 3, 20000);
    uint64_t tick[SKEIN_MAX_SHARDS];

    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 200; k++) {
            nap(); /* the rings fill up */
        }
        clock_at(&q, q.h.count / 5 * (size_t)i, tick);
        ask(&q, tick);
        await_answer(&q);
        skip_void(&q);
    }
    take_all(&q);
    finish(&q);
}

Test(feeder_seek, a_place_that_does_not_exist_is_an_error, .timeout = 60) {
    struct qemu q = start(5, 3, 300);
    struct skein_feeder_status status;
    uint64_t tick[SKEIN_MAX_SHARDS];

    clock_at(&q, q.h.count, tick);
    tick[2]++;
    ask(&q, tick);
    do {
        nap();
        skein_feeder_poll(q.feeder, &status);
    } while (status.state != SKEIN_FEEDER_FAILED);
    cr_assert_neq(strstr(status.error.text, "shard 2"), NULL, "%s", status.error.text);
    cr_assert_neq(skein_session_header(q.session)->seek_done, 1u);
    finish(&q);
}

Test(feeder_seek, a_skip_ends_where_a_record_begins, .timeout = 60) {
    struct qemu q = start(5, 2, 300);
    struct skein_shard_reader *r = &q.reader[0];
    uint64_t cursor = r->tail;
    bool bad;

    cr_assert(take(&q, 0));
    cursor = r->tail;
    while (skein_shard_peek(r, &cursor, &bad) == NULL) {
        nap();
    }
    cr_assert_eq(skein_shard_skip(r, cursor - 8), -EBADMSG, "amid a record");
    cr_assert_eq(skein_shard_skip(r, r->mem->head + 8), -EBADMSG, "not published");
    cr_assert_eq(skein_shard_skip(r, r->tail - 8), -EBADMSG, "released long ago");
    cr_assert_eq(skein_shard_skip(r, r->tail), 0);
    cr_assert_eq(skein_shard_skip(r, cursor), 0);
    cr_assert_eq(r->tick, 2u);
    q.tick[0] = q.records[0] = 2;
    take_all(&q);
    finish(&q);
}
