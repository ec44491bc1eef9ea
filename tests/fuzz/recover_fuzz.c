/*
 * Recovery from any damage: a recording whose recorder was killed, half of its events in a segment
 * that is not sealed and the rest in the session's shards, with changes to either.
 *
 * Input: how (1 byte, below), then changes: where (1), two bytes of place, one of length, the
 * bytes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/log_writer.h"
#include "pipeline/reader.h"
#include "pipeline/recover.h"
#include "pipeline/session_map.h"
#include "pipeline/shard.h"
#include "pipeline/shard_layout.h"
#include "tests/fuzz/fuzz.h"
#include "tests/pipeline/events.h"
#include "tests/pipeline/fixture.h"

#define RESTAMP 1u  /* the shards' sums fit again, so that records are looked at */
#define RESEAL 2u   /* so do the segment's */
#define IN_PLACE 4u /* else to another directory */
#define TRUNCATE 8u /* the segment ends at the first change to it */

#define SHARDS 3u
#define RING_BYTES (64u << 10)

struct part {
    char path[340];
    uint8_t *bytes; /* before any change */
    uint8_t *now;
    size_t size;
};

static struct history history;
static char dir[280], out[280];
static struct part session, segment, manifest;
static const uint8_t snapshot[] = "snapshot";

static void keep(struct part *p) {
    p->bytes = fixture_read(p->path, &p->size);
    p->now = malloc(p->size + 1);
}

static void forget(void) {
    free(session.bytes);
    free(session.now);
    free(segment.bytes);
    free(segment.now);
    free(manifest.bytes);
    free(manifest.now);
    history_free(&history);
}

/* Half of the history in a segment; *written: the last ticks that are in it. */
static void make_segment(const struct skein_manifest *m, uint64_t *written) {
    struct skein_log_writer_opts opts = {.dir = dir, .shard_count = SHARDS, .block_bytes = 700};
    struct skein_log_writer *log;

    memcpy(opts.uuid, m->uuid, sizeof(opts.uuid));
    FUZZ_CHECK(skein_log_writer_create(&opts, &log, NULL) == 0);
    for (size_t i = 0; i < history.count / 2; i++) {
        FUZZ_CHECK(skein_log_writer_add(log, history.events[i].shard, history_record(&history, i),
                                        NULL) == 0);
    }
    memcpy(written, skein_log_writer_written(log), SHARDS * sizeof(*written));
    skein_log_writer_free(log);
}

/* All of it in a session, as far as it is not written. */
static void make_session(const struct skein_manifest *m, const uint64_t *written) {
    struct skein_session_params params = {
        .mode = SKEIN_MODE_RECORD, .vcpu_count = SHARDS - 1, .ring_bytes = RING_BYTES};
    struct skein_session *s;
    size_t bytes;

    memcpy(params.uuid, m->uuid, sizeof(params.uuid));
    FUZZ_CHECK(skein_session_create(session.path, &params, &s, NULL) == 0);
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        void *mem = skein_session_shard(s, shard, &bytes);
        struct skein_shard_writer w;
        struct skein_shard_reader r;
        uint64_t cursor = 0;
        bool bad;
        FUZZ_CHECK(skein_shard_writer_open(&w, mem, bytes) == 0);
        for (size_t i = 0; i < history.count; i++) {
            const struct skein_record *rec = history_record(&history, i);
            if (history.events[i].shard == shard) {
                skein_shard_append(&w, rec->kind, rec->flags, rec->arg, rec + 1,
                                   rec->size_bytes - sizeof(*rec));
            }
        }
        skein_shard_close(&w);
        FUZZ_CHECK(skein_shard_reader_open(&r, mem, bytes) == 0);
        for (uint64_t tick = 0; tick < written[shard]; tick++) {
            FUZZ_CHECK(skein_shard_peek(&r, &cursor, &bad) != NULL);
        }
        skein_shard_release(&r, cursor, written[shard]);
    }
    skein_session_close(s);
}

static void make_all(void) {
    struct skein_manifest m = fixture_manifest(SHARDS);
    uint64_t written[SHARDS];
    char path[340];

    history = history_make(7, SHARDS, 60, 1);
    snprintf(dir, sizeof(dir), "%s/recording", fuzz_dir());
    snprintf(out, sizeof(out), "%s/out", fuzz_dir());
    snprintf(session.path, sizeof(session.path), "%s/session", fuzz_dir());
    snprintf(segment.path, sizeof(segment.path), "%s/segments/000001.skn.partial", dir);
    snprintf(manifest.path, sizeof(manifest.path), "%s/manifest", dir);
    m.stats = (struct skein_stats){.shard_count = 0};
    FUZZ_CHECK(skein_recording_create(dir, &m, NULL) == 0);
    snprintf(path, sizeof(path), "%s/%s", dir, SKEIN_SNAPSHOT_NAME);
    fixture_write(path, snapshot, sizeof(snapshot));
    FUZZ_CHECK(skein_manifest_file_fill(&m.snapshot, path, NULL) == 0);
    FUZZ_CHECK(skein_manifest_write(dir, &m, NULL) == 0);
    make_segment(&m, written);
    make_session(&m, written);
    keep(&session);
    keep(&segment);
    keep(&manifest);
    atexit(forget);
}

/* The input's changes, applied to p->now. */
static void change(struct fuzz_input *in, uint8_t how, size_t *segment_size) {
    struct part *const parts[] = {&session, &session, &session, &segment, &manifest};
    static const size_t starts[] = {0, SKEIN_SESSION_SHARDS_OFFSET,
                                    SKEIN_SESSION_SHARDS_OFFSET + SKEIN_SHARD_RING_OFFSET, 0, 0};

    while (in->left != 0) {
        const uint64_t where = fuzz_take(in, 1);
        /* Beyond five: the same places of the other shards. */
        const size_t shard = where % 5 == 1 || where % 5 == 2 ? where / 5 % SHARDS : 0;
        const size_t at =
            starts[where % 5] + fuzz_take(in, 2) + shard * (SKEIN_SHARD_RING_OFFSET + RING_BYTES);
        struct part *p = parts[where % 5];
        for (uint64_t n = fuzz_take(in, 1) % 17, i = 0; i < n; i++) {
            const uint8_t byte = (uint8_t)fuzz_take(in, 1);
            if (at + i < p->size) {
                p->now[at + i] = byte;
            }
        }
        if (p == &segment && (how & TRUNCATE) != 0 && at < *segment_size) {
            *segment_size = at;
        }
    }
}

static void restamp(void) {
    struct skein_session *s;
    size_t bytes;

    if (skein_session_open(session.path, &s, NULL) != 0) {
        return;
    }
    for (uint32_t i = 0; i < skein_session_header(s)->shard_count; i++) {
        struct skein_shard_mem *mem = skein_session_shard(s, i, &bytes);
        if (mem->ring_bytes == RING_BYTES) {
            fixture_restamp(mem);
        }
    }
    skein_session_close(s);
}

static void lay_out(struct fuzz_input *in, uint8_t how) {
    char segments[340], path[340];
    size_t segment_size = segment.size;

    memcpy(session.now, session.bytes, session.size);
    memcpy(segment.now, segment.bytes, segment.size);
    memcpy(manifest.now, manifest.bytes, manifest.size);
    change(in, how, &segment_size);
    if ((how & RESEAL) != 0) {
        fuzz_reseal(segment.now, segment_size);
    }
    fixture_remove(dir);
    fixture_remove(out);
    snprintf(segments, sizeof(segments), "%s/segments", dir);
    snprintf(path, sizeof(path), "%s/%s", dir, SKEIN_SNAPSHOT_NAME);
    FUZZ_CHECK(mkdir(dir, 0777) == 0 && mkdir(segments, 0777) == 0);
    fixture_write(path, snapshot, sizeof(snapshot));
    fixture_write(segment.path, segment.now, segment_size);
    fixture_write(manifest.path, manifest.now, manifest.size);
    fixture_write(session.path, session.now, session.size);
    if ((how & RESTAMP) != 0) {
        restamp();
    }
}

/* The event of the history that has this tick; NULL: there is none. */
static const struct skein_record *original(uint32_t shard, uint64_t tick) {
    for (size_t i = 0; i < history.count; i++) {
        if (history.events[i].shard == shard && --tick == 0) {
            return history_record(&history, i);
        }
    }
    return NULL;
}

/* The result can be read; unless checksums were made to fit, it holds what was recorded. */
static void check_result(const struct skein_recovered *r, uint8_t how) {
    const bool forged = (how & (RESTAMP | RESEAL)) != 0;
    struct skein_recording *rec;
    struct skein_reader *reader;
    struct skein_event e;
    uint64_t events = 0;

    FUZZ_CHECK(skein_recording_open(r->dir, SKEIN_READ_STRICT, &rec, NULL) == 0);
    FUZZ_CHECK(skein_recording_check(rec, NULL) == 0);
    FUZZ_CHECK(skein_reader_open(rec, &reader, NULL) == 0);
    while (skein_reader_next(reader, &e, NULL) == 1) {
        const struct skein_record *want = forged ? e.record : original(e.shard, e.tick);
        FUZZ_CHECK(want != NULL && want->size_bytes == e.record->size_bytes &&
                   memcmp(want, e.record, want->size_bytes) == 0);
        events++;
    }
    skein_reader_close(reader);
    FUZZ_CHECK(events == r->events_in_files + r->events_from_shards);
    FUZZ_CHECK(forged || r->loss_count != 0 || events == history.count);
    FUZZ_CHECK(r->manifest.complete == skein_recording_complete(rec));
    FUZZ_CHECK(!r->manifest.complete || r->loss_count == 0);
    skein_recording_close(rec);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct skein_recovered r, again;
    struct fuzz_input in = {bytes, size};
    struct skein_error err = {""};
    uint8_t how;

    if (session.bytes == NULL) {
        make_all();
    }
    how = (uint8_t)fuzz_take(&in, 1);
    lay_out(&in, how);
    const struct skein_recover_opts opts = {.source = dir,
                                            .session = session.path,
                                            .out = (how & IN_PLACE) != 0 ? NULL : out,
                                            .block_bytes = 700};
    int rc = skein_recover(&opts, &r, &err);
    FUZZ_CHECK(rc == 0 || err.text[0] != '\0');
    if (rc == 0) {
        check_result(&r, how);
    }
    if (rc == 0 && opts.out == NULL) {
        /* What was recovered stays as it is; a session that is left has nothing new. */
        const struct skein_recover_opts once_more = {
            .source = dir, .session = r.session_removed ? NULL : session.path};
        FUZZ_CHECK(skein_recover(&once_more, &again, &err) == 0);
        FUZZ_CHECK(again.events_from_shards == 0);
        FUZZ_CHECK(again.events_in_files == r.events_in_files + r.events_from_shards);
        skein_recovered_free(&again);
    }
    skein_recovered_free(&r);
    return 0;
}

void fuzz_seeds(fuzz_add add) {
    static const uint8_t whole[] = {0}, in_place[] = {IN_PLACE},
                         head[] = {RESTAMP, 1, 64, 0, 2, 0, 1},
                         record[] = {RESTAMP | IN_PLACE, 2, 0, 0, 4, 16, 0, 5, 0},
                         tail[] = {0, 6, 192, 0, 1, 8}, block[] = {IN_PLACE, 3, 0, 2, 1, 7},
                         clock[] = {RESEAL | IN_PLACE, 3, 150, 0, 3, 1, 2, 3},
                         cut[] = {TRUNCATE | IN_PLACE, 3, 88, 2, 0}, lost[] = {0, 4, 9, 0, 1, 1},
                         pid[] = {0, 0, 68, 0, 4, 1, 0, 0, 0};

    add(whole, sizeof(whole));
    add(in_place, sizeof(in_place));
    add(head, sizeof(head));
    add(record, sizeof(record));
    add(tail, sizeof(tail));
    add(block, sizeof(block));
    add(clock, sizeof(clock));
    add(cut, sizeof(cut));
    add(lost, sizeof(lost));
    add(pid, sizeof(pid));
}
