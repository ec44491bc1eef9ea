#include "pipeline/collector.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/reader.h"
#include "pipeline/shard.h"
#include "tests/pipeline/fixture.h"

/* One thread writes one shard of a history, at its own pace: arrival says nothing about order. */
struct writer {
    const struct history *h;
    struct skein_session *session;
    uint32_t shard;
    uint64_t seed;
    size_t count; /* of the history's events: the rest is not written */
    int close;
};

static int keep_waiting(void *opaque) {
    (void)opaque;
    return 0;
}

static void pause_randomly(struct random *rng) {
    const struct timespec ts = {.tv_nsec = (long)random_below(rng, 300000)};

    if (random_below(rng, 40) == 0) {
        nanosleep(&ts, NULL);
    }
}

static void *write_shard(void *opaque) {
    const struct writer *job = opaque;
    struct random rng = {job->seed};
    struct skein_shard_writer w;
    size_t bytes;
    void *mem = skein_session_shard(job->session, job->shard, &bytes);

    cr_assert_eq(skein_shard_writer_open(&w, mem, bytes), 0);
    w.on_full = keep_waiting;
    for (size_t i = 0; i < job->count; i++) {
        const struct skein_record *rec = history_record(job->h, i);
        if (job->h->events[i].shard != job->shard) {
            continue;
        }
        skein_shard_append(&w, rec->kind, rec->flags, rec->arg, rec + 1,
                           rec->size_bytes - sizeof(*rec));
        if (random_below(&rng, 8) == 0) {
            skein_shard_publish(&w);
            pause_randomly(&rng);
        }
    }
    if (job->close) {
        skein_shard_close(&w);
    } else {
        skein_shard_publish(&w);
    }
    return NULL;
}

static void write_all(const struct history *h, struct skein_session *session, uint64_t seed,
                      size_t count, int close) {
    struct writer job[SKEIN_MAX_SHARDS];
    pthread_t thread[SKEIN_MAX_SHARDS];

    for (uint32_t i = 0; i < h->shard_count; i++) {
        job[i] = (struct writer){h, session, i, seed * 100 + i, count, close};
        cr_assert_eq(pthread_create(&thread[i], NULL, write_shard, &job[i]), 0);
    }
    for (uint32_t i = 0; i < h->shard_count; i++) {
        pthread_join(thread[i], NULL);
    }
}

static struct skein_collector *start(struct skein_session *session, const char *dir,
                                     pid_t qemu_pid) {
    const struct skein_collector_opts opts = {
        .session = session,
        .dir = dir,
        .qemu_pid = qemu_pid,
        .block_bytes = 20000,
        .segment_bytes = 200000,
        .durability = SKEIN_DURABILITY_SEGMENT,
    };
    struct skein_collector *c = NULL;
    struct skein_error err = {""};

    cr_assert_eq(skein_collector_start(&opts, &c, &err), 0, "%s", err.text);
    return c;
}

/* Records the history into dir. */
static struct skein_collector_status record(const struct history *h, const char *dir,
                                            uint64_t seed) {
    const struct skein_manifest m = fixture_manifest(h->shard_count);
    struct skein_session *session = fixture_session(&m, SKEIN_MODE_RECORD);
    struct skein_collector_status status;

    cr_assert_eq(skein_recording_create(dir, &m, NULL), 0);
    struct skein_collector *c = start(session, dir, getpid());
    write_all(h, session, seed, h->count, 1);
    cr_assert_eq(skein_collector_wait(c, 60000), 0);
    skein_collector_poll(c, &status);
    skein_collector_free(c);
    skein_session_close(session);
    return status;
}

static void compare_files(const char *a, const char *b) {
    size_t a_size, b_size;
    uint8_t *x = fixture_read(a, &a_size), *y = fixture_read(b, &b_size);

    cr_assert_eq(a_size, b_size, "%s", a);
    cr_assert_eq(memcmp(x, y, a_size), 0, "%s", a);
    free(x);
    free(y);
}

Test(collector, same_events_make_the_same_bytes, .timeout = 120) {
    for (uint32_t shards = 2; shards <= 5; shards++) {
        struct history h = history_make(shards, shards, 8000, 1);
        char first[256], second[256], a[300], b[300];
        fixture_dir(first);
        const struct skein_collector_status status = record(&h, first, 1);
        cr_assert_eq(status.state, SKEIN_COLLECTOR_DONE, "%s", status.error.text);
        cr_assert(status.complete, "%s", status.reason);
        cr_assert_not(status.qemu_died);
        cr_assert_eq(skein_stats_events(&status.stats), h.count);
        cr_assert_eq(skein_stats_bytes(&status.stats), h.bytes);
        cr_assert_eq(status.drained_bytes, h.bytes);
        /* Other arrivals, and as many drain threads as a machine with so many nodes gets. */
        for (uint64_t seed = 2; seed < 5; seed++) {
            char machine[64];
            snprintf(machine, sizeof(machine), "node:%u core:1 pu:1", (unsigned)seed);
            setenv("HWLOC_SYNTHETIC", machine, 1);
            fixture_dir(second);
            const struct skein_collector_status again = record(&h, second, seed);
            cr_assert_eq(again.drain_threads, seed < shards - 1 ? seed : shards - 1);
            for (uint64_t n = 1; n <= status.stats.segments; n++) {
                snprintf(a, sizeof(a), "%s/segments/%06u.skn", first, (unsigned)n);
                snprintf(b, sizeof(b), "%s/segments/%06u.skn", second, (unsigned)n);
                compare_files(a, b);
            }
            fixture_remove(second);
            unsetenv("HWLOC_SYNTHETIC");
        }
        cr_assert_geq(status.stats.segments, 3u);
        fixture_remove(first);
        history_free(&h);
    }
}

/* What the recording holds, against the history's order. Returns the number of events. */
static size_t check_recorded(const char *dir, const struct history *h) {
    struct skein_recording *rec;
    struct skein_reader *reader;
    struct skein_event event;
    struct skein_error err = {""};
    size_t i = 0;

    cr_assert_eq(skein_recording_open(dir, SKEIN_READ_STRICT, &rec, &err), 0, "%s", err.text);
    cr_assert_eq(skein_reader_open(rec, &reader, NULL), 0);
    while (skein_reader_next(reader, &event, NULL) == 1) {
        const struct skein_record *want = history_record(h, i);
        cr_assert_eq(event.shard, h->events[i].shard, "event %zu", i);
        cr_assert_eq(memcmp(event.record, want, want->size_bytes), 0);
        i++;
    }
    skein_reader_close(reader);
    skein_recording_close(rec);
    return i;
}

Test(collector, merges_into_the_order_of_the_token, .timeout = 120) {
    struct history h = history_make(77, 4, 30000, 1);
    char dir[256];

    fixture_dir(dir);
    record(&h, dir, 9);
    cr_assert_eq(check_recorded(dir, &h), h.count);
    fixture_remove(dir);
    history_free(&h);
}

Test(collector, qemus_death_keeps_what_was_published, .timeout = 60) {
    struct history h = history_make(5, 3, 5000, 1);
    const struct skein_manifest m = fixture_manifest(3);
    struct skein_session *session = fixture_session(&m, SKEIN_MODE_RECORD);
    struct skein_collector_status status;
    const size_t written = h.count / 2;
    char dir[256];

    fixture_dir(dir);
    cr_assert_eq(skein_recording_create(dir, &m, NULL), 0);
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    struct skein_collector *c = start(session, dir, child);
    write_all(&h, session, 1, written, 0);
    kill(child, SIGKILL); /* not waited for: a zombie counts as dead */
    cr_assert_eq(skein_collector_wait(c, 30000), 0);
    skein_collector_poll(c, &status);
    cr_assert_eq(status.state, SKEIN_COLLECTOR_DONE);
    cr_assert(status.qemu_died);
    cr_assert_not(status.complete);
    cr_assert_not_null(strstr(status.reason, "QEMU died"));
    skein_collector_free(c);
    waitpid(child, NULL, 0);
    cr_assert_eq(check_recorded(dir, &h), written);
    skein_session_close(session);
    fixture_remove(dir);
    history_free(&h);
}

Test(collector, stop_ends_a_recording_that_goes_on, .timeout = 60) {
    struct history h = history_make(8, 2, 1000, 0);
    const struct skein_manifest m = fixture_manifest(2);
    struct skein_session *session = fixture_session(&m, SKEIN_MODE_RECORD);
    struct skein_collector_status status;
    char dir[256];

    fixture_dir(dir);
    cr_assert_eq(skein_recording_create(dir, &m, NULL), 0);
    struct skein_collector *c = start(session, dir, getpid());
    write_all(&h, session, 1, h.count, 0);
    cr_assert_eq(skein_collector_wait(c, 100), -ETIMEDOUT);
    skein_collector_stop(c);
    skein_collector_poll(c, &status);
    cr_assert_eq(status.state, SKEIN_COLLECTOR_DONE);
    cr_assert_not(status.complete);
    cr_assert_not_null(strstr(status.reason, "stopped"));
    skein_collector_free(c);
    cr_assert_eq(check_recorded(dir, &h), h.count);
    skein_session_close(session);
    fixture_remove(dir);
    history_free(&h);
}

static void nap_ms(long ms) {
    const struct timespec ts = {.tv_nsec = ms * 1000000};

    nanosleep(&ts, NULL);
}

/* Whether the shard's ring holds nothing that its writer may not overwrite. */
static bool ring_is_free(struct skein_session *session, uint32_t shard) {
    struct skein_shard_reader r;
    size_t bytes;
    void *mem = skein_session_shard(session, shard, &bytes);
    uint64_t cursor;
    bool bad;

    cr_assert_eq(skein_shard_reader_open(&r, mem, bytes), 0);
    cursor = r.tail;
    return skein_shard_peek(&r, &cursor, &bad) == NULL;
}

Test(collector, a_ring_is_given_back_when_its_events_are_in_a_file, .timeout = 60) {
    struct history h = history_make(12, 2, 400, 0);
    const struct skein_manifest m = fixture_manifest(2);
    struct skein_session *session = fixture_session(&m, SKEIN_MODE_RECORD);
    struct skein_collector_status status = {0};
    char dir[256];

    fixture_dir(dir);
    cr_assert_eq(skein_recording_create(dir, &m, NULL), 0);
    struct skein_collector *c = start(session, dir, getpid());
    /* Less than a block: it is copied at once, and stays in the rings as well. */
    write_all(&h, session, 1, 60, 0);
    while (status.drained_bytes == 0 || status.buffered_bytes != 0) {
        nap_ms(1);
        skein_collector_poll(c, &status);
    }
    nap_ms(5);
    cr_assert_not(ring_is_free(session, 0));
    cr_assert_not(ring_is_free(session, 1));
    skein_collector_stop(c);
    cr_assert(ring_is_free(session, 0));
    cr_assert(ring_is_free(session, 1));
    skein_collector_free(c);
    cr_assert_eq(check_recorded(dir, &h), 60);
    skein_session_close(session);
    fixture_remove(dir);
    history_free(&h);
}

/* No recorder of ours writes that: one shard without a token, while the other says nothing. */
Test(collector, a_history_without_tokens_does_not_stand_still, .timeout = 60) {
    const struct skein_manifest m = fixture_manifest(2);
    struct skein_session *session = fixture_session(&m, SKEIN_MODE_RECORD);
    struct skein_collector_status status;
    struct skein_shard_writer w;
    char dir[256];
    size_t bytes;
    void *mem = skein_session_shard(session, 0, &bytes);

    fixture_dir(dir);
    cr_assert_eq(skein_recording_create(dir, &m, NULL), 0);
    struct skein_collector *c = start(session, dir, getpid());
    cr_assert_eq(skein_shard_writer_open(&w, mem, bytes), 0);
    w.on_full = keep_waiting;
    for (uint64_t i = 0; i < 20000; i++) {
        cr_assert_eq(skein_shard_append(&w, SKEIN_MARK, 0, 0, &i, sizeof(i)), i + 1);
    }
    skein_shard_publish(&w);
    skein_collector_stop(c);
    skein_collector_poll(c, &status);
    cr_assert_eq(status.state, SKEIN_COLLECTOR_DONE);
    cr_assert_eq(skein_stats_events(&status.stats), 20000);
    skein_collector_free(c);
    skein_session_close(session);
    fixture_remove(dir);
}

Test(collector, a_disk_that_fails_is_reported, .timeout = 60) {
    struct history h = history_make(8, 2, 5000, 1);
    const struct skein_manifest m = fixture_manifest(2);
    struct skein_session *session = fixture_session(&m, SKEIN_MODE_RECORD);
    struct skein_collector_status status;
    char dir[256], segments[300];

    fixture_dir(dir);
    cr_assert_eq(skein_recording_create(dir, &m, NULL), 0);
    snprintf(segments, sizeof(segments), "%s/segments", dir);
    fixture_remove(segments);
    struct skein_collector *c = start(session, dir, getpid());
    /* Less than a ring: the writers need no reader. */
    write_all(&h, session, 1, 500, 0);
    cr_assert_eq(skein_collector_wait(c, 30000), 0);
    skein_collector_poll(c, &status);
    cr_assert_eq(status.state, SKEIN_COLLECTOR_FAILED);
    cr_assert_not_null(strstr(status.error.text, "000001.skn.partial"), "%s", status.error.text);
    skein_collector_free(c);
    skein_session_close(session);
    fixture_remove(dir);
    history_free(&h);
}
