#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/log_writer.h"
#include "pipeline/reader.h"
#include "pipeline/recording.h"
#include "pipeline/recover.h"
#include "pipeline/session_map.h"
#include "pipeline/shard.h"
#include "pipeline/shard_layout.h"
#include "tests/pipeline/fixture.h"

#define SHARDS 3u

/* A recording that is repaired where it is. */
struct place {
    struct history h;
    char dir[256];
    char session[128];
};

static void place_make(struct place *p) {
    p->h = history_make(5, SHARDS, 400, 1);
    p->session[0] = '\0';
    fixture_dir(p->dir);
}

static void place_free(struct place *p) {
    if (p->session[0] != '\0') {
        unlink(p->session);
    }
    fixture_remove(p->dir);
    history_free(&p->h);
}

static void path_of(const struct place *p, const char *name, char path[300]) {
    snprintf(path, 300, "%s/%s", p->dir, name);
}

static bool there(const struct place *p, const char *name) {
    char path[300];

    path_of(p, name, path);
    return access(path, F_OK) == 0;
}

static int recover(const struct place *p, struct skein_recovered *r) {
    const struct skein_recover_opts opts = {
        .source = p->dir, .block_bytes = 2000, .segment_bytes = 8000};
    struct skein_error err = {""};
    int rc = skein_recover(&opts, r, &err);

    cr_assert_eq(rc == 0, err.text[0] == '\0', "%s", err.text);
    return rc;
}

static uint64_t ticks_missing(const struct skein_recovered *r) {
    uint64_t n = 0;

    for (size_t i = 0; i < r->loss_count; i++) {
        if (r->losses[i].kind == SKEIN_LOSS_EVENTS) {
            n += r->losses[i].last_tick - r->losses[i].first_tick + 1;
        }
    }
    return n;
}

/* The events of the recording, each checked against the history by its tick. */
static uint64_t count_events(const struct place *p) {
    uint64_t n = 0, ticks[SHARDS] = {0};
    struct skein_recording *rec;
    struct skein_reader *reader;
    struct skein_event e;
    struct skein_error err = {""};
    size_t i = 0;

    cr_assert_eq(skein_recording_open(p->dir, SKEIN_READ_STRICT, &rec, &err), 0, "%s", err.text);
    cr_assert_eq(skein_recording_check(rec, &err), 0, "%s", err.text);
    cr_assert_eq(skein_reader_open(rec, &reader, NULL), 0);
    for (; skein_reader_next(reader, &e, NULL) == 1; n++) {
        while (p->h.events[i].shard != e.shard || ticks[e.shard] + 1 != e.tick) {
            ticks[p->h.events[i++].shard]++;
            cr_assert_lt(i, p->h.count);
        }
        const struct skein_record *want = history_record(&p->h, i);
        cr_assert_eq(memcmp(want, e.record, want->size_bytes), 0);
        ticks[p->h.events[i++].shard]++;
    }
    skein_reader_close(reader);
    skein_recording_close(rec);
    return n;
}

Test(recover_place, a_missing_segment_is_a_gap) {
    struct skein_recovered r;
    struct place p;
    char path[300];

    place_make(&p);
    fixture_record(p.dir, &p.h, p.h.count, 2000, 8000);
    path_of(&p, "segments/000002.skn", path);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(recover(&p, &r), 0);
    cr_assert_gt(ticks_missing(&r), 0);
    cr_assert_eq(r.losses[0].segment, 3);
    cr_assert(r.manifest.loss);
    cr_assert_not(r.manifest.complete);
    cr_assert_eq(count_events(&p) + ticks_missing(&r), p.h.count);
    cr_assert_not(there(&p, "segments/000003.skn.damaged"), "it was whole");
    const uint64_t missing = ticks_missing(&r);
    skein_recovered_free(&r);
    /* And it stays a loss, however often one asks. */
    cr_assert_eq(recover(&p, &r), 0);
    cr_assert_not(r.changed);
    cr_assert_eq(ticks_missing(&r), missing);
    skein_recovered_free(&r);
    place_free(&p);
}

Test(recover_place, a_damaged_block_is_set_aside_with_its_file) {
    struct skein_recovered r;
    struct place p;
    char path[300];
    size_t size, kept_size;

    place_make(&p);
    fixture_record(p.dir, &p.h, p.h.count, 2000, 8000);
    path_of(&p, "segments/000002.skn", path);
    uint8_t *bytes = fixture_read(path, &size);
    bytes[size / 2] ^= 1;
    fixture_write(path, bytes, size);
    cr_assert_eq(recover(&p, &r), 0);
    cr_assert_eq(r.segments_rewritten, 1);
    cr_assert_gt(ticks_missing(&r), 0);
    cr_assert_eq(count_events(&p) + ticks_missing(&r), p.h.count);
    path_of(&p, "segments/000002.skn.damaged", path);
    uint8_t *kept = fixture_read(path, &kept_size);
    cr_assert_eq(kept_size, size);
    cr_assert_eq(memcmp(kept, bytes, size), 0);
    free(kept);
    free(bytes);
    skein_recovered_free(&r);
    place_free(&p);
}

Test(recover_place, segments_with_the_wrong_names_are_left_alone) {
    struct skein_recovered r;
    struct place p;
    char a[300], b[300], c[300];

    place_make(&p);
    fixture_record(p.dir, &p.h, p.h.count, 2000, 8000);
    path_of(&p, "segments/000001.skn", a);
    path_of(&p, "segments/000002.skn", b);
    path_of(&p, "aside", c);
    cr_assert_eq(rename(a, c) | rename(b, a) | rename(c, b), 0);
    cr_assert_eq(recover(&p, &r), -EINVAL);
    skein_recovered_free(&r);
    cr_assert_eq(rename(a, c) | rename(b, a) | rename(c, b), 0);
    cr_assert_eq(count_events(&p), p.h.count);
    place_free(&p);
}

/* All of the history in a session, none of it in a file. */
static struct skein_session *make_session(struct place *p, struct skein_manifest *m) {
    struct skein_session_params params = {
        .mode = SKEIN_MODE_RECORD, .vcpu_count = SHARDS - 1, .ring_bytes = 64 << 10};
    struct skein_shard_writer w[SHARDS];
    struct skein_session *s;
    size_t bytes;

    *m = fixture_manifest(SHARDS);
    m->stats = (struct skein_stats){.shard_count = 0};
    cr_assert_eq(skein_uuid_make(m->uuid), 0);
    cr_assert_eq(skein_recording_create(p->dir, m, NULL), 0);
    memcpy(params.uuid, m->uuid, sizeof(m->uuid));
    skein_session_path(&params, p->session, sizeof(p->session));
    cr_assert_eq(skein_session_create(p->session, &params, &s, NULL), 0);
    for (uint32_t i = 0; i < SHARDS; i++) {
        void *mem = skein_session_shard(s, i, &bytes);
        cr_assert_eq(skein_shard_writer_open(&w[i], mem, bytes), 0);
    }
    for (size_t i = 0; i < p->h.count; i++) {
        const struct skein_record *rec = history_record(&p->h, i);
        skein_shard_append(&w[p->h.events[i].shard], rec->kind, rec->flags, rec->arg, rec + 1,
                           rec->size_bytes - sizeof(*rec));
        skein_shard_publish(&w[p->h.events[i].shard]);
    }
    return s;
}

Test(recover_place, a_session_in_use_is_refused, .timeout = 30) {
    struct skein_manifest m;
    struct skein_recovered r;
    struct place p;
    int ready[2];

    place_make(&p);
    struct skein_session *s = make_session(&p, &m);
    cr_assert_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct skein_session *mine;
        const char ok = skein_session_open(p.session, &mine, NULL) == 0;
        _exit(write(ready[1], &ok, 1) == 1 ? pause() : 1);
    }
    char ok = 0;
    cr_assert_eq(read(ready[0], &ok, 1), 1);
    cr_assert(ok);
    skein_session_header(s)->qemu_pid = child;
    const struct skein_recover_opts opts = {.source = p.dir};
    struct skein_error err = {""};
    cr_assert_eq(skein_recover(&opts, &r, &err), -EBUSY);
    cr_assert_not_null(strstr(err.text, "QEMU"));
    skein_recovered_free(&r);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    /* The same number again, of a process that has nothing to do with it: ours. */
    skein_session_header(s)->qemu_pid = getppid();
    skein_session_close(s);
    cr_assert_eq(recover(&p, &r), 0);
    cr_assert_eq(r.events_from_shards, p.h.count);
    cr_assert(r.session_removed);
    skein_recovered_free(&r);
    cr_assert_eq(count_events(&p), p.h.count);
    place_free(&p);
}

Test(recover_place, a_damaged_shard_costs_what_follows_it_and_the_session_stays) {
    struct skein_manifest m;
    struct skein_recovered r;
    struct place p;
    size_t bytes;

    place_make(&p);
    struct skein_session *s = make_session(&p, &m);
    uint8_t *mem = skein_session_shard(s, 1, &bytes);
    mem[SKEIN_SHARD_RING_OFFSET + 40] ^= 2;
    skein_session_close(s);
    cr_assert_eq(recover(&p, &r), 0);
    cr_assert_eq(count_events(&p), r.events_from_shards);
    cr_assert_eq(r.events_from_shards + ticks_missing(&r), p.h.count);
    cr_assert_not(r.session_removed);
    cr_assert_eq(access(p.session, F_OK), 0);
    skein_recovered_free(&r);
    place_free(&p);
}

Test(recover_place, what_another_recovery_left_is_of_no_use) {
    struct skein_manifest m;
    struct skein_recovered r;
    struct place p;
    char path[300];

    place_make(&p);
    skein_session_close(make_session(&p, &m));
    path_of(&p, "recover.partial", path);
    cr_assert_eq(mkdir(path, 0777), 0);
    path_of(&p, "recover.partial/segments", path);
    cr_assert_eq(mkdir(path, 0777), 0);
    path_of(&p, "recover.partial/segments/000001.skn.partial", path);
    fixture_write(path, (const uint8_t *)"half", 4);
    path_of(&p, "segments/000001.skn.partial", path);
    fixture_write(path, (const uint8_t *)"", 0);
    cr_assert_eq(recover(&p, &r), 0);
    cr_assert_eq(r.events_from_shards, p.h.count);
    cr_assert_not(there(&p, "recover.partial"));
    cr_assert_not(there(&p, "segments/000001.skn.partial"));
    skein_recovered_free(&r);
    cr_assert_eq(count_events(&p), p.h.count);
    place_free(&p);
}
