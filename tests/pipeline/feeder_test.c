#include "pipeline/feeder.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/cut.h"
#include "pipeline/shard.h"
#include "tests/pipeline/fixture.h"

struct replay {
    char dir[256];
    struct history h;
    struct skein_recording *rec;
    struct skein_session *session;
    struct skein_feeder *feeder;
    struct skein_shard_reader reader[SKEIN_MAX_SHARDS];
    uint64_t fed[SKEIN_MAX_SHARDS]; /* events taken out of each shard */
};

/* A recording of the first `count` events of the history, and a feeder that reads it. */
static struct replay start_with(struct history h, size_t count) {
    const uint32_t shards = h.shard_count;
    struct replay r = {.h = h};
    const struct skein_manifest m = fixture_manifest(shards);
    struct skein_error err = {""};

    fixture_dir(r.dir);
    fixture_record(r.dir, &r.h, count != 0 ? count : r.h.count, 20000, 200000);
    cr_assert_eq(skein_recording_open(r.dir, SKEIN_READ_STRICT, &r.rec, &err), 0, "%s", err.text);
    r.session = fixture_session(&m, SKEIN_MODE_REPLAY);
    const struct skein_feeder_opts opts = {.recording = r.rec, .session = r.session};
    cr_assert_eq(skein_feeder_start(&opts, &r.feeder, &err), 0, "%s", err.text);
    for (uint32_t i = 0; i < shards; i++) {
        size_t bytes;
        void *mem = skein_session_shard(r.session, i, &bytes);
        cr_assert_eq(skein_shard_reader_open(&r.reader[i], mem, bytes), 0);
    }
    return r;
}

static struct replay start(uint64_t seed, uint32_t shards, size_t events, size_t count) {
    return start_with(history_make(seed, shards, events, 1), count);
}

static void finish(struct replay *r) {
    skein_feeder_free(r->feeder);
    skein_recording_close(r->rec);
    skein_session_close(r->session);
    fixture_remove(r->dir);
    history_free(&r->h);
}

static void nap(void) {
    const struct timespec ts = {.tv_nsec = 100000};

    nanosleep(&ts, NULL);
}

/* The next event of a shard must be this one; waits for it. */
static void expect_event(struct replay *r, uint32_t shard, const struct skein_record *want) {
    struct skein_shard_reader *reader = &r->reader[shard];
    const struct skein_record *rec;
    uint64_t cursor;
    bool bad;

    for (;;) {
        cursor = reader->tail;
        rec = skein_shard_peek(reader, &cursor, &bad);
        cr_assert_not(bad);
        if (rec != NULL) {
            break;
        }
        cr_assert_not(skein_shard_drained(reader), "shard %u ended early", shard);
        nap();
    }
    cr_assert_eq(memcmp(rec, want, want->size_bytes), 0);
    skein_shard_release(reader, cursor, 1);
    r->fed[shard]++;
}

static void expect_end(struct replay *r, uint32_t shard) {
    while (!skein_shard_drained(&r->reader[shard])) {
        uint64_t cursor = r->reader[shard].tail;
        bool bad;
        cr_assert_null(skein_shard_peek(&r->reader[shard], &cursor, &bad), "an event too many");
        nap();
    }
}

Test(feeder, feeds_all_shards_in_the_order_of_a_replay, .timeout = 60) {
    struct replay r = start(3, 4, 20000, 0);
    struct skein_feeder_status status;

    for (size_t i = 0; i < r.h.count; i++) {
        expect_event(&r, r.h.events[i].shard, history_record(&r.h, i));
    }
    for (uint32_t shard = 0; shard < 4; shard++) {
        expect_end(&r, shard);
    }
    do {
        nap();
        skein_feeder_poll(r.feeder, &status);
    } while (status.state == SKEIN_FEEDER_RUNNING);
    cr_assert_eq(status.state, SKEIN_FEEDER_DONE);
    cr_assert_not(status.truncated);
    cr_assert_eq(skein_session_header(r.session)->truncated, 0u);
    cr_assert_eq(status.events_fed, r.h.count);
    cr_assert_eq(status.events_total, r.h.count);
    finish(&r);
}

/* However far one shard is read while the rings of all others are full. */
Test(feeder, a_full_ring_holds_up_nobody, .timeout = 60) {
    struct replay r = start(5, 3, 20000, 0);

    for (uint32_t shard = 3; shard-- != 0;) {
        for (size_t i = 0; i < r.h.count; i++) {
            if (r.h.events[i].shard == shard) {
                expect_event(&r, shard, history_record(&r.h, i));
            }
        }
        expect_end(&r, shard);
    }
    finish(&r);
}

Test(feeder, can_be_freed_in_the_middle, .timeout = 60) {
    struct replay r = start(5, 3, 20000, 0);

    nap();
    finish(&r);
}

/* Takes what comes until every shard is closed; each shard gets the start of its events. */
static void drain_all(struct replay *r, size_t count) {
    for (uint32_t shard = 0; shard < r->h.shard_count; shard++) {
        struct skein_shard_reader *reader = &r->reader[shard];
        size_t i = 0;
        while (!skein_shard_drained(reader)) {
            uint64_t cursor = reader->tail;
            bool bad;
            const struct skein_record *rec = skein_shard_peek(reader, &cursor, &bad);
            if (rec == NULL) {
                nap();
                continue;
            }
            while (i < count && r->h.events[i].shard != shard) {
                i++;
            }
            cr_assert_lt(i, count);
            cr_assert_eq(memcmp(rec, history_record(&r->h, i), rec->size_bytes), 0);
            i++;
            skein_shard_release(reader, cursor, 1);
            r->fed[shard]++;
        }
    }
}

static bool is_position(const struct skein_record *rec) {
    switch (rec->kind) {
    case SKEIN_TOKEN:
    case SKEIN_ENTRY:
    case SKEIN_INTERRUPT:
    case SKEIN_TLB_FLUSH:
    case SKEIN_MARK:
        return true;
    case SKEIN_MEM:
        return rec->flags == 0;
    default:
        return false;
    }
}

/* What was fed is a consistent cut, and each vCPU's last event says where it stands. */
static void check_cut(const struct replay *r, size_t count) {
    uint64_t tick[SKEIN_MAX_SHARDS] = {0};

    for (size_t i = 0; i < count; i++) {
        const uint32_t shard = r->h.events[i].shard;
        const struct skein_record *rec = history_record(&r->h, i);
        uint64_t edge;
        if (++tick[shard] > r->fed[shard]) {
            continue;
        }
        const bool last = tick[shard] == r->fed[shard];
        memcpy(&edge, rec + 1, 8);
        if (rec->kind == SKEIN_TOKEN && rec->arg != SKEIN_SHARD_NONE && !last) {
            const bool device = rec->arg == r->h.shard_count - 1;
            cr_assert_leq(edge + !device, r->fed[rec->arg], "follows what is not all inside");
        }
        if (last && shard != r->h.shard_count - 1) {
            cr_assert(is_position(rec), "ends in kind %u", rec->kind);
        }
    }
}

Test(feeder, a_cut_off_recording_ends_at_a_consistent_cut, .timeout = 120) {
    for (uint64_t seed = 1; seed <= 30; seed++) {
        const size_t count = 500 + 37 * seed;
        struct replay r = start(seed, 2 + (uint32_t)(seed % 4), 2000, count);
        struct skein_feeder_status status;
        uint64_t fed = 0;
        cr_assert_eq(skein_session_header(r.session)->truncated, 1u);
        drain_all(&r, count);
        check_cut(&r, count);
        for (uint32_t shard = 0; shard < r.h.shard_count; shard++) {
            fed += r.fed[shard];
        }
        skein_feeder_poll(r.feeder, &status);
        cr_assert(status.truncated);
        cr_assert_eq(status.events_total, fed);
        /* Histories change hands often, so little is lost. */
        cr_assert_gt(fed, count - 300, "%llu of %zu", (unsigned long long)fed, count);
        finish(&r);
    }
}

Test(feeder, an_empty_recording_is_truncated_and_feeds_nothing) {
    const struct skein_manifest m = fixture_manifest(2);
    struct skein_recording *rec;
    struct skein_clock cut;
    bool truncated = false;
    char dir[256];

    fixture_dir(dir);
    cr_assert_eq(skein_recording_create(dir, &m, NULL), 0);
    cr_assert_eq(skein_recording_open(dir, SKEIN_READ_STRICT, &rec, NULL), 0);
    cr_assert_eq(skein_cut_find(rec, &cut, &truncated, NULL), 0);
    cr_assert(truncated);
    cr_assert_eq(cut.tick[0] + cut.tick[1], 0u);
    skein_recording_close(rec);
    fixture_remove(dir);
}

/* What the replayer takes apart must be what its kind says. */
Test(feeder, an_event_without_its_kinds_shape_is_refused, .timeout = 60) {
    struct history h = history_make(7, 3, 300, 1);
    struct skein_feeder_status status;
    size_t i = 0;
    while (history_record(&h, i)->kind != SKEIN_USER_READ) {
        i++;
    }
    ((struct skein_record *)(h.records + h.events[i].offset))->arg += 64;
    struct replay r = start_with(h, 0);
    do {
        nap();
        skein_feeder_poll(r.feeder, &status);
    } while (status.state == SKEIN_FEEDER_RUNNING);
    cr_assert_eq(status.state, SKEIN_FEEDER_FAILED);
    cr_assert_neq(strstr(status.error.text, "shape"), NULL, "%s", status.error.text);
    finish(&r);
}

Test(feeder, a_session_of_another_shape_is_refused) {
    struct history h = history_make(1, 3, 100, 1);
    const struct skein_manifest m = fixture_manifest(2);
    struct skein_feeder_opts opts;
    struct skein_feeder *feeder;
    struct skein_error err = {""};
    char dir[256];

    fixture_dir(dir);
    fixture_record(dir, &h, h.count, 0, 0);
    cr_assert_eq(skein_recording_open(dir, SKEIN_READ_STRICT, &opts.recording, NULL), 0);
    opts.session = fixture_session(&m, SKEIN_MODE_REPLAY);
    cr_assert_eq(skein_feeder_start(&opts, &feeder, &err), -EINVAL);
    cr_assert_neq(err.text[0], '\0');
    skein_session_close(opts.session);
    skein_recording_close(opts.recording);
    fixture_remove(dir);
    history_free(&h);
}
