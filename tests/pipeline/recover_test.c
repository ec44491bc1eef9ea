#include "pipeline/recover.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/reader.h"
#include "pipeline/recording.h"
#include "pipeline/segment.h"
#include "pipeline/session_map.h"
#include "pipeline/shard.h"
#include "tests/pipeline/fixture.h"

#define SHARDS 3u

/* Every byte; with sanitizers, which take their time, some of them. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STEP 13u
#else
#define STEP 1u
#endif

/* A recording in small: some segments of some blocks, and its files as they were written. */
struct sample {
    struct history h;
    char dir[64], out[80];
    size_t file_count;
    struct file {
        char path[128];
        uint8_t *bytes;
        size_t size;
        size_t block_count;
        struct {
            size_t begin, end; /* of its bytes, header and data */
            uint64_t first, events;
        } blocks[32];
    } files[8];
};

/* In memory, since there are thousands of them. */
static void make_dir(char dir[64]) {
    strcpy(dir, "/dev/shm/skein-recover-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
}

static void add_snapshot(const char *dir) {
    struct skein_manifest m;
    char path[128];

    cr_assert_eq(skein_manifest_read(dir, &m, NULL), 0);
    snprintf(path, sizeof(path), "%s/%s", dir, SKEIN_SNAPSHOT_NAME);
    fixture_write(path, (const uint8_t *)"snapshot", 8);
    cr_assert_eq(skein_manifest_file_fill(&m.snapshot, path, NULL), 0);
    cr_assert_eq(skein_manifest_write(dir, &m, NULL), 0);
}

static void describe_blocks(struct file *f, uint64_t *events) {
    struct skein_segment *seg;
    size_t end = 0;

    cr_assert_eq(skein_segment_open(f->path, SKEIN_READ_STRICT, &seg, NULL), 0);
    /* The first block begins where the segment's header ends: 24 bytes and its message. */
    uint32_t length;
    memcpy(&length, f->bytes + 12, 4);
    end = 24 + length;
    cr_assert_lt(seg->block_count, 32);
    for (size_t i = 0; i < seg->block_count; i++) {
        f->blocks[i].begin = end;
        end = seg->blocks[i].offset + seg->blocks[i].data_bytes;
        f->blocks[i].end = end;
        f->blocks[i].first = *events;
        f->blocks[i].events = seg->blocks[i].info.events;
        *events += f->blocks[i].events;
    }
    f->block_count = seg->block_count;
    skein_segment_close(seg);
}

static void sample_make(struct sample *s) {
    uint64_t events = 0;

    memset(s, 0, sizeof(*s));
    s->h = history_make(31, SHARDS, 60, 1);
    make_dir(s->dir);
    snprintf(s->out, sizeof(s->out), "%s-out", s->dir);
    fixture_record(s->dir, &s->h, s->h.count, 900, 3000);
    add_snapshot(s->dir);
    snprintf(s->files[0].path, sizeof(s->files[0].path), "%s/manifest", s->dir);
    s->file_count = 1;
    for (; s->file_count < 8; s->file_count++) {
        struct file *f = &s->files[s->file_count];
        snprintf(f->path, sizeof(f->path), "%s/segments/%06zu.skn", s->dir, s->file_count);
        if (access(f->path, F_OK) != 0) {
            break;
        }
    }
    cr_assert_gt(s->file_count, 2);
    for (size_t i = 0; i < s->file_count; i++) {
        struct file *f = &s->files[i];
        f->bytes = fixture_read(f->path, &f->size);
        if (i != 0) {
            describe_blocks(f, &events);
        }
    }
    cr_assert_eq(events, s->h.count);
}

static void sample_free(struct sample *s) {
    for (size_t i = 0; i < s->file_count; i++) {
        free(s->files[i].bytes);
    }
    history_free(&s->h);
    fixture_remove(s->dir);
    fixture_remove(s->out);
}

/* Whether bytes [from, to) belong to the block that holds the event. */
static bool hit(const struct file *f, uint64_t event, size_t from, size_t to) {
    for (size_t i = 0; i < f->block_count; i++) {
        if (event >= f->blocks[i].first && event < f->blocks[i].first + f->blocks[i].events) {
            return f->blocks[i].begin < to && f->blocks[i].end > from;
        }
    }
    return false;
}

/* The events of a recording are those of the history, without those that were hit. */
static uint64_t compare(const char *dir, const struct sample *s, const struct file *f, size_t from,
                        size_t to) {
    struct skein_recording *rec;
    struct skein_reader *reader;
    struct skein_event event;
    struct skein_error err = {""};
    uint64_t i = 0, missing = 0;

    cr_assert_eq(skein_recording_open(dir, SKEIN_READ_STRICT, &rec, &err), 0, "%s", err.text);
    cr_assert_eq(skein_recording_check(rec, &err), 0, "%s", err.text);
    cr_assert_eq(skein_reader_open(rec, &reader, NULL), 0);
    while (skein_reader_next(reader, &event, NULL) == 1) {
        for (; i < s->h.count && f != NULL && hit(f, i, from, to); i++) {
            missing++;
        }
        cr_assert_lt(i, s->h.count);
        const struct skein_record *want = history_record(&s->h, i);
        cr_assert_eq(event.shard, s->h.events[i].shard, "event %lu", i);
        cr_assert_eq(memcmp(event.record, want, want->size_bytes), 0, "event %lu", i);
        i++;
    }
    missing += s->h.count - i;
    skein_reader_close(reader);
    skein_recording_close(rec);
    return missing;
}

static bool reads_well(const char *dir) {
    struct skein_recording *rec;
    bool good;

    if (skein_recording_open(dir, SKEIN_READ_STRICT, &rec, NULL) != 0) {
        return false;
    }
    good = skein_recording_check(rec, NULL) == 0;
    skein_recording_close(rec);
    return good;
}

/* Strict reading says no; recovery gives every block that was not hit, and says what is missing. */
static void check_damaged(const struct sample *s, const struct file *f, size_t from, size_t to) {
    const struct skein_recover_opts opts = {.source = s->dir, .out = s->out};
    struct skein_recovered r;
    struct skein_error err = {""};
    uint64_t missing = 0, listed = 0;

    cr_assert_not(reads_well(s->dir), "%s: bytes %zu to %zu pass as good", f->path, from, to);
    for (uint64_t i = 0; i < s->h.count; i++) {
        missing += hit(f, i, from, to);
    }
    cr_assert_eq(skein_recover(&opts, &r, &err), 0, "%s: %s", f->path, err.text);
    for (size_t i = 0; i < r.loss_count; i++) {
        if (r.losses[i].kind == SKEIN_LOSS_EVENTS) {
            listed += r.losses[i].last_tick - r.losses[i].first_tick + 1;
        }
    }
    cr_assert_eq(listed, missing, "%s: bytes %zu to %zu: %lu missing, %lu listed", f->path, from,
                 to, missing, listed);
    cr_assert_eq(r.loss_count != 0, missing != 0 || f == &s->files[0]);
    cr_assert_eq(compare(s->out, s, f, from, to), missing);
    skein_recovered_free(&r);
    fixture_remove(s->out);
}

Test(recover, what_is_cut_off_at_any_byte_is_listed, .timeout = 240) {
    struct sample s;

    sample_make(&s);
    for (size_t i = 0; i < s.file_count; i++) {
        const struct file *f = &s.files[i];
        for (size_t size = 0; size < f->size; size += STEP) {
            fixture_write(f->path, f->bytes, size);
            check_damaged(&s, f, size, f->size);
        }
        fixture_write(f->path, f->bytes, f->size);
    }
    sample_free(&s);
}

/* One random bit of every byte. */
Test(recover, a_flipped_bit_anywhere_costs_its_block_at_most, .timeout = 240) {
    struct random rng = {11};
    struct sample s;

    sample_make(&s);
    for (size_t i = 0; i < s.file_count; i++) {
        const struct file *f = &s.files[i];
        for (size_t at = 0; at < f->size; at += STEP) {
            const uint8_t bit = (uint8_t)(1u << random_below(&rng, 8));
            f->bytes[at] ^= bit;
            fixture_write(f->path, f->bytes, f->size);
            check_damaged(&s, f, at, at + 1);
            f->bytes[at] ^= bit;
        }
        fixture_write(f->path, f->bytes, f->size);
    }
    sample_free(&s);
}

/* A recording whose recorder was killed before it had written anything: all is in the session. */
static void make_session(const struct sample *s, const struct skein_manifest *m,
                         uint64_t console_bytes, char *path, size_t size) {
    struct skein_session_params params = {
        .mode = SKEIN_MODE_RECORD, .vcpu_count = SHARDS - 1, .ring_bytes = 64 << 10};
    struct skein_shard_writer w[SHARDS];
    struct skein_session *session;
    size_t bytes;

    memcpy(params.uuid, m->uuid, sizeof(m->uuid));
    skein_session_path(&params, path, size);
    cr_assert_eq(skein_session_create(path, &params, &session, NULL), 0);
    for (uint32_t i = 0; i < SHARDS; i++) {
        void *mem = skein_session_shard(session, i, &bytes);
        cr_assert_eq(skein_shard_writer_open(&w[i], mem, bytes), 0);
    }
    for (size_t i = 0; i < s->h.count; i++) {
        const struct skein_record *rec = history_record(&s->h, i);
        struct skein_shard_writer *here = &w[s->h.events[i].shard];
        uint64_t payload[1024];
        memcpy(payload, rec + 1, rec->size_bytes - sizeof(*rec));
        payload[2] = rec->kind == SKEIN_END ? console_bytes : payload[2];
        skein_shard_append(here, rec->kind, rec->flags, rec->arg, payload,
                           rec->size_bytes - sizeof(*rec));
        skein_shard_publish(here);
    }
    skein_session_close(session);
}

/* A recording that has begun, and its session. */
static void start_recording(const struct sample *s, char dir[64], uint64_t console_bytes,
                            char *path, size_t size) {
    struct skein_manifest m = fixture_manifest(SHARDS);

    make_dir(dir);
    fixture_remove(dir);
    m.stats = (struct skein_stats){.shard_count = 0};
    cr_assert_eq(skein_uuid_make(m.uuid), 0);
    cr_assert_eq(skein_recording_create(dir, &m, NULL), 0);
    add_snapshot(dir);
    make_session(s, &m, console_bytes, path, size);
}

/* Recovers what the damaged session gives: right as far as it goes, and honest about the rest. */
static void check_damaged_session(const struct sample *s, const char *dir, const char *session,
                                  size_t at) {
    const struct skein_recover_opts opts = {.source = dir, .out = s->out};
    struct skein_recovered r;
    struct skein_error err = {""};
    int rc = skein_recover(&opts, &r, &err);

    (void)at; /* under sanitizers there are no messages */
    if (rc == 0) {
        const uint64_t missing = compare(s->out, s, NULL, 0, 0);
        cr_assert_eq(missing != 0, r.loss_count != 0, "byte %zu: %lu missing, %zu losses", at,
                     missing, r.loss_count);
        cr_assert_eq(access(session, F_OK) != 0, missing == 0, "byte %zu", at);
    } else {
        cr_assert_eq(rc, -ENODATA, "byte %zu: %s", at, err.text);
        cr_assert_eq(access(session, F_OK), 0);
    }
    skein_recovered_free(&r);
    fixture_remove(s->out);
}

Test(recover, a_flipped_bit_in_a_session_is_never_believed, .timeout = 240) {
    struct random rng = {12};
    struct sample s;
    char dir[64], path[128];
    size_t size;

    sample_make(&s);
    start_recording(&s, dir, 0, path, sizeof(path));
    uint8_t *bytes = fixture_read(path, &size);
    for (size_t at = 0; at < size; at += STEP) {
        const size_t in_shard = (at - 4096) % (4096 + (64 << 10));
        const bool used =
            at < 512 || (at >= 4096 && (in_shard < 320 || (in_shard >= 4096 && in_shard < 6000)));
        const uint8_t bit = (uint8_t)(1u << random_below(&rng, 8));
        if (!used) {
            continue;
        }
        bytes[at] ^= bit;
        fixture_write(path, bytes, size);
        check_damaged_session(&s, dir, path, at);
        bytes[at] ^= bit;
    }
    fixture_write(path, bytes, size);
    check_damaged_session(&s, dir, path, size);
    cr_assert_neq(access(path, F_OK), 0);
    free(bytes);
    fixture_remove(dir);
    sample_free(&s);
}

/* All events are there; of the console, so many bytes of the six that its END counts. */
static void check_console(const struct sample *s, size_t bytes) {
    struct skein_recover_opts opts = {.out = s->out};
    struct skein_recovered r;
    struct skein_error err = {""};
    char dir[64], path[128], console[128];

    start_recording(s, dir, 6, path, sizeof(path));
    snprintf(console, sizeof(console), "%s/%s", dir, SKEIN_CONSOLE_NAME);
    if (bytes != 0) {
        fixture_write(console, (const uint8_t *)"hello\n", bytes);
    }
    opts.source = dir;
    cr_assert_eq(skein_recover(&opts, &r, &err), 0, "%s", err.text);
    cr_assert_eq(r.manifest.complete, bytes == 6);
    cr_assert_eq(r.loss_count, bytes == 6 ? 0 : 1);
    if (bytes != 6) {
        cr_assert_eq(r.losses[0].kind, SKEIN_LOSS_FILE);
        cr_assert_not_null(strstr(r.losses[0].what, "console.log"), "%s", r.losses[0].what);
    }
    skein_recovered_free(&r);
    fixture_remove(s->out);
    fixture_remove(dir);
}

Test(recover, a_console_that_was_not_written_is_missing) {
    struct sample s;

    sample_make(&s);
    check_console(&s, 0);
    check_console(&s, 3);
    check_console(&s, 6);
    sample_free(&s);
}
