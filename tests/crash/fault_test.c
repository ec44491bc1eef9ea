/*
 * Disks that are full or broken: at each write, fsync, rename and link in turn, the collector, then
 * recovery, must end with an error that says so, and recovery on a sound disk finds everything.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/collector.h"
#include "pipeline/reader.h"
#include "pipeline/recording.h"
#include "pipeline/recover.h"
#include "pipeline/session_map.h"
#include "pipeline/shard.h"
#include "tests/crash/fault.h"
#include "tests/pipeline/fixture.h"

#define SHARDS 3u
#define BLOCK_BYTES 3000u
#define SEGMENT_BYTES 9000u

static struct history history;
static unsigned runs, failures;

static const char *const names[FAULT_KINDS] = {
    "nothing",      "write ENOSPC", "write EIO",  "half a write, then ENOSPC",
    "short writes", "fsync EIO",    "rename EIO", "link EIO"};

#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "FAILED %s: ", #condition);                                            \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fprintf(stderr, "\n");                                                                 \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static void make_recording(const char *dir, struct skein_manifest *m) {
    char path[128];

    *m = fixture_manifest(SHARDS);
    m->stats = (struct skein_stats){.shard_count = 0};
    CHECK(skein_uuid_make(m->uuid) == 0, "no UUID");
    CHECK(skein_recording_create(dir, m, NULL) == 0, "cannot make %s", dir);
    snprintf(path, sizeof(path), "%s/%s", dir, SKEIN_SNAPSHOT_NAME);
    fixture_write(path, (const uint8_t *)"snapshot", 8);
    CHECK(skein_manifest_file_fill(&m->snapshot, path, NULL) == 0, "no snapshot");
    CHECK(skein_manifest_write(dir, m, NULL) == 0, "no manifest");
}

/* All of the history, published and closed before anybody reads it: it fits in the rings. */
static struct skein_session *make_session(const struct skein_manifest *m, char *path, size_t size) {
    struct skein_session_params params = {
        .mode = SKEIN_MODE_RECORD, .vcpu_count = SHARDS - 1, .ring_bytes = 64 << 10};
    struct skein_shard_writer w[SHARDS];
    struct skein_session *session;
    size_t bytes;

    memcpy(params.uuid, m->uuid, sizeof(m->uuid));
    skein_session_path(&params, path, size);
    CHECK(skein_session_create(path, &params, &session, NULL) == 0, "no session");
    for (uint32_t i = 0; i < SHARDS; i++) {
        void *mem = skein_session_shard(session, i, &bytes);
        CHECK(skein_shard_writer_open(&w[i], mem, bytes) == 0, "no shard %u", i);
    }
    for (size_t i = 0; i < history.count; i++) {
        const struct skein_record *rec = history_record(&history, i);
        skein_shard_append(&w[history.events[i].shard], rec->kind, rec->flags, rec->arg, rec + 1,
                           rec->size_bytes - sizeof(*rec));
    }
    for (uint32_t i = 0; i < SHARDS; i++) {
        skein_shard_close(&w[i]);
    }
    return session;
}

/* Whether it ended well; if not, it says why. */
static bool collect(struct skein_session *session, const char *dir) {
    const struct skein_collector_opts opts = {.session = session,
                                              .dir = dir,
                                              .qemu_pid = getpid(),
                                              .durability = SKEIN_DURABILITY_BLOCK,
                                              .zstd_level = 1,
                                              .block_bytes = BLOCK_BYTES,
                                              .segment_bytes = SEGMENT_BYTES};
    struct skein_collector_status *status = malloc(sizeof(*status));
    struct skein_collector *c;
    bool good;

    CHECK(skein_collector_start(&opts, &c, NULL) == 0, "the collector does not start");
    CHECK(skein_collector_wait(c, 20000) == 0, "the collector does not end");
    skein_collector_poll(c, status);
    good = status->state == SKEIN_COLLECTOR_DONE;
    CHECK(good || status->error.text[0] != '\0', "the collector does not say why");
    skein_collector_free(c);
    free(status);
    return good;
}

static int recover(const char *dir, struct skein_recovered *r, struct skein_error *err) {
    const struct skein_recover_opts opts = {
        .source = dir, .block_bytes = BLOCK_BYTES, .segment_bytes = SEGMENT_BYTES};

    return skein_recover(&opts, r, err);
}

static void compare(const char *dir) {
    struct skein_recording *rec;
    struct skein_reader *reader;
    struct skein_error err = {""};
    struct skein_event event;
    size_t n = 0;

    CHECK(skein_recording_open(dir, SKEIN_READ_STRICT, &rec, &err) == 0, "%s", err.text);
    CHECK(skein_recording_check(rec, &err) == 0, "%s", err.text);
    CHECK(skein_recording_complete(rec), "it is not complete");
    CHECK(skein_reader_open(rec, &reader, NULL) == 0, "no reader");
    while (skein_reader_next(reader, &event, NULL) == 1) {
        const struct skein_record *want = history_record(&history, n);
        CHECK(n < history.count && event.shard == history.events[n].shard &&
                  memcmp(event.record, want, want->size_bytes) == 0,
              "event %zu", n);
        n++;
    }
    CHECK(n == history.count, "%zu of %zu events", n, history.count);
    skein_reader_close(reader);
    skein_recording_close(rec);
}

static void recover_on_a_sound_disk(const char *dir) {
    struct skein_recovered r;
    struct skein_error err = {""};

    fault_arm(FAULT_NONE, 0);
    CHECK(recover(dir, &r, &err) == 0, "%s", err.text);
    CHECK(r.loss_count == 0, "%s", r.losses[0].what);
    skein_recovered_free(&r);
    compare(dir);
}

/* One recording with a fault while it is collected, or recovered. False: it did not come to it. */
static bool run(enum fault_kind kind, uint32_t call, bool in_recovery) {
    char dir[64] = "/dev/shm/skein-fault-XXXXXX", session_path[128];
    struct skein_manifest m;
    struct skein_session *session;
    bool happened, good = true;

    CHECK(mkdtemp(dir) != NULL, "no directory");
    make_recording(dir, &m);
    session = make_session(&m, session_path, sizeof(session_path));
    /* Recovery has most to do behind a collector that was stopped by half a write. */
    fault_arm(in_recovery ? FAULT_WRITE_HALF : kind, in_recovery ? 6 : call);
    good = collect(session, dir);
    happened = fault_happened();
    skein_session_close(session);
    if (in_recovery) {
        struct skein_recovered r;
        struct skein_error err = {""};
        fault_arm(kind, call);
        good = recover(dir, &r, &err) == 0;
        happened = fault_happened();
        CHECK(good || err.text[0] != '\0', "recovery does not say why");
        skein_recovered_free(&r);
    }
    CHECK(!good || !happened || kind == FAULT_WRITE_SHORT, "%s at call %u is not noticed (%s)",
          names[kind], call, in_recovery ? "recovery" : "collector");
    CHECK(good || happened, "a failure without a fault");
    recover_on_a_sound_disk(dir);
    CHECK(access(session_path, F_OK) != 0, "the session is still there");
    fixture_remove(dir);
    runs++;
    failures += !good;
    return happened;
}

int main(void) {
    setenv("HWLOC_SYNTHETIC", "node:1 pu:2", 1);
    setenv("HWLOC_PLUGINS_PATH", "/nonexistent", 1);
    history = history_make(3, SHARDS, 300, 1);
    for (int kind = FAULT_WRITE_ENOSPC; kind < FAULT_KINDS; kind++) {
        for (int in_recovery = 0; in_recovery < 2; in_recovery++) {
            const unsigned before = runs;
            for (uint32_t call = 1; run((enum fault_kind)kind, call, in_recovery != 0); call++) {
                if (kind == FAULT_WRITE_SHORT) {
                    break;
                }
            }
            printf("%s, %s: %u\n", in_recovery ? "recovery" : "collector", names[kind],
                   runs - before);
        }
    }
    printf("%u recordings, %u of them failed and were recovered\n", runs, failures);
    history_free(&history);
    return 0;
}
