#include "pipeline/recording.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "pipeline/frame.h"
#include "pipeline/reader.h"
#include "proto/skein.pb-c.h"
#include "tests/pipeline/fixture.h"

/* The sentence for the user when opening fails; it names the place. */
static int open_error(const char *dir, struct skein_error *err) {
    struct skein_recording *rec;
    int rc = skein_recording_open(dir, SKEIN_READ_STRICT, &rec, err);

    if (rc == 0) {
        rc = skein_recording_check(rec, err);
        skein_recording_close(rec);
    }
    return rc;
}

static void expect_error(const char *dir, int code, const char *words) {
    struct skein_error err = {""};
    const int rc = open_error(dir, &err);

    cr_assert_eq(rc, code, "%d: %s", rc, err.text);
    cr_assert_not_null(strstr(err.text, words), "\"%s\" lacks \"%s\"", err.text, words);
    cr_assert_null(strchr(err.text, '\n'));
}

Test(recording, manifest_comes_back) {
    struct skein_manifest m = fixture_manifest(3), back;
    char dir[256];

    fixture_dir(dir);
    strcpy(m.cpu_model, "qemu64,+smap");
    strcpy(m.cmdline, "console=ttyS0 quiet");
    strcpy(m.kernel.path, "/boot/vmlinuz");
    m.kernel.size_bytes = 123;
    m.kernel.xxh64 = 0xfedcba9876543210u;
    m.memory_bytes = 1u << 30;
    m.complete = true;
    m.end = SKEIN_END_SHUTDOWN;
    m.kernel_icount = 77;
    m.stats.events[2][SKEIN_MEM] = 5;
    m.stats.kind_bytes[SKEIN_MEM] = 500;
    m.stats.edges = 9;
    cr_assert_eq(skein_recording_create(dir, &m, NULL), 0);
    memset(&back, 0xff, sizeof(back));
    cr_assert_eq(skein_manifest_read(dir, &back, NULL), 0);
    m.format_version = SKEIN_FORMAT_VERSION;
    cr_assert_eq(memcmp(&m, &back, sizeof(m)), 0);
    fixture_remove(dir);
}

Test(recording, a_manifest_names_no_files_elsewhere) {
    struct history h = history_make(3, 2, 20, 1);
    struct skein_manifest m;
    char dir[256], path[300];

    fixture_dir(dir);
    fixture_record(dir, &h, h.count, 20000, 100000);
    cr_assert_eq(skein_manifest_read(dir, &m, NULL), 0);
    snprintf(path, sizeof(path), "%s/segments/000001.skn", dir);
    cr_assert_eq(skein_manifest_file_fill(&m.snapshot, path, NULL), 0);
    strcpy(m.snapshot.path, "segments/000001.skn");
    cr_assert_eq(skein_manifest_write(dir, &m, NULL), 0);
    expect_error(dir, -ENOENT, SKEIN_SNAPSHOT_NAME);
    fixture_remove(dir);
    history_free(&h);
}

/* A damaged length field is one thing; a message made to eat all memory is another. */
Test(recording, a_manifest_that_needs_much_memory_is_refused) {
    const struct skein_manifest m = fixture_manifest(3);
    const size_t message_bytes = 4 << 20, all = SKEIN_FRAME_OVERHEAD_BYTES + message_bytes;
    Skein__Manifest empty = SKEIN__MANIFEST__INIT;
    uint8_t *frame, *bytes = calloc(1, all);
    char dir[256], path[300];
    size_t frame_bytes;
    uint64_t hash;

    fixture_dir(dir);
    cr_assert_eq(skein_recording_create(dir, &m, NULL), 0);
    cr_assert_eq(skein_frame_build(SKEIN_FRAME_MANIFEST, &empty.base, &frame, &frame_bytes), 0);
    memcpy(bytes, frame, SKEIN_FRAME_PREFIX_BYTES);
    memcpy(bytes + 12, &(uint32_t){(uint32_t)message_bytes}, 4);
    /* Manifest.stats, and in it as many ShardStats of length 0 as there is room for. */
    uint8_t *at = bytes + SKEIN_FRAME_PREFIX_BYTES;
    const uint8_t stats[] = {0xe2, 0x01, 0xfa, 0xff, 0xff, 0x01};
    memcpy(at, stats, sizeof(stats));
    for (size_t i = sizeof(stats); i < message_bytes; i += 2) {
        at[i] = 1 << 3 | 2;
    }
    hash = XXH64(bytes, all - 8, 0);
    memcpy(bytes + all - 8, &hash, 8);
    snprintf(path, sizeof(path), "%s/manifest", dir);
    fixture_write(path, bytes, all);
    expect_error(dir, -EBADMSG, "cannot be parsed");
    free(frame);
    free(bytes);
    fixture_remove(dir);
}

Test(recording, every_flipped_byte_of_a_manifest_is_detected) {
    struct skein_manifest m = fixture_manifest(3);
    char dir[256], path[300];
    size_t size;

    fixture_dir(dir);
    cr_assert_eq(skein_recording_create(dir, &m, NULL), 0);
    snprintf(path, sizeof(path), "%s/manifest", dir);
    uint8_t *bytes = fixture_read(path, &size);
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= 0x10;
        fixture_write(path, bytes, size);
        cr_assert_neq(skein_manifest_read(dir, &m, NULL), 0, "byte %zu", i);
        bytes[i] ^= 0x10;
        fixture_write(path, bytes, i);
        cr_assert_neq(skein_manifest_read(dir, &m, NULL), 0, "cut to %zu", i);
    }
    free(bytes);
    fixture_remove(dir);
}

Test(recording, all_events_come_back_in_order) {
    struct history h = history_make(4, 4, 20000, 1);
    struct skein_recording *rec;
    struct skein_reader *reader;
    struct skein_event event;
    struct skein_error err = {""};
    uint64_t ticks[4] = {0}, slices = 0;
    char dir[256];
    size_t i = 0;
    int rc;

    fixture_dir(dir);
    fixture_record(dir, &h, h.count, 30000, 200000);
    cr_assert_eq(skein_recording_open(dir, SKEIN_READ_STRICT, &rec, &err), 0, "%s", err.text);
    cr_assert(skein_recording_complete(rec));
    cr_assert_geq(skein_recording_segment_count(rec), 3u);
    cr_assert_eq(skein_recording_events(rec), h.count);
    cr_assert_eq(skein_reader_open(rec, &reader, NULL), 0);
    while ((rc = skein_reader_next(reader, &event, &err)) == 1) {
        const struct skein_record *want = history_record(&h, i);
        slices += want->kind == SKEIN_TOKEN;
        cr_assert_eq(event.shard, h.events[i].shard);
        cr_assert_eq(event.tick, ++ticks[event.shard]);
        cr_assert_eq(event.slice, slices);
        cr_assert_eq(memcmp(event.record, want, want->size_bytes), 0);
        i++;
    }
    cr_assert_eq(rc, 0);
    cr_assert_eq(i, h.count);
    cr_assert_eq(skein_recording_check(rec, &err), 0, "%s", err.text);
    skein_reader_close(reader);
    skein_recording_close(rec);
    fixture_remove(dir);
    history_free(&h);
}

Test(recording, a_shard_can_be_read_from_any_tick) {
    struct history h = history_make(6, 3, 4000, 1);
    struct skein_recording *rec;
    struct random rng = {5};
    char dir[256];

    fixture_dir(dir);
    fixture_record(dir, &h, h.count, 10000, 60000);
    cr_assert_eq(skein_recording_open(dir, SKEIN_READ_STRICT, &rec, NULL), 0);
    for (int round = 0; round < 60; round++) {
        const uint32_t shard = (uint32_t)random_below(&rng, 3);
        const uint64_t first = 1 + random_below(&rng, 1500);
        struct skein_reader *reader;
        struct skein_event event;
        uint64_t tick = 0;
        cr_assert_eq(skein_reader_open_shard(rec, shard, first, &reader, NULL), 0);
        for (size_t i = 0; i < h.count; i++) {
            const struct skein_record *want = history_record(&h, i);
            if (h.events[i].shard == shard && ++tick >= first) {
                cr_assert_eq(skein_reader_next(reader, &event, NULL), 1);
                cr_assert_eq(event.tick, tick);
                cr_assert_eq(memcmp(event.record, want, want->size_bytes), 0);
            }
        }
        cr_assert_eq(skein_reader_next(reader, &event, NULL), 0);
        skein_reader_close(reader);
    }
    skein_recording_close(rec);
    fixture_remove(dir);
    history_free(&h);
}

Test(recording, what_is_none_is_refused) {
    char dir[256], path[300];

    fixture_dir(dir);
    expect_error(dir, -EINVAL, "it is empty");
    snprintf(path, sizeof(path), "%s/file", dir);
    fixture_write(path, (const uint8_t *)"x", 1);
    expect_error(path, -EINVAL, "not a directory");
    expect_error(dir, -ENOENT, "no manifest");
    snprintf(path, sizeof(path), "%s/nowhere", dir);
    expect_error(path, -ENOENT, "cannot open");
    fixture_remove(dir);
}

Test(recording, create_keeps_what_is_there) {
    struct skein_manifest m = fixture_manifest(2);
    char dir[256];

    fixture_dir(dir);
    cr_assert_eq(skein_recording_create(dir, &m, NULL), 0);
    cr_assert_eq(skein_recording_create(dir, &m, NULL), -EEXIST);
    fixture_remove(dir);
}

Test(recording, another_version_is_named) {
    struct history h = history_make(4, 2, 100, 1);
    char dir[256], path[300];
    size_t size;

    fixture_dir(dir);
    fixture_record(dir, &h, h.count, 0, 0);
    snprintf(path, sizeof(path), "%s/manifest", dir);
    uint8_t *bytes = fixture_read(path, &size);
    bytes[8]++;
    fixture_write(path, bytes, size);
    expect_error(dir, -EPROTO, "format version 2");
    free(bytes);
    fixture_remove(dir);
    history_free(&h);
}

Test(recording, damage_is_refused_with_its_place) {
    struct history h = history_make(4, 3, 6000, 1);
    char dir[256], path[300], other[300];
    size_t size;

    fixture_dir(dir);
    fixture_record(dir, &h, h.count, 20000, 100000);
    cr_assert_eq(open_error(dir, NULL), 0);
    snprintf(path, sizeof(path), "%s/segments/000002.skn", dir);
    snprintf(other, sizeof(other), "%s/segments/aside", dir);
    uint8_t *bytes = fixture_read(path, &size);

    cr_assert_eq(truncate(path, (off_t)size / 2), 0);
    expect_error(dir, -EBADMSG, "000002.skn");
    cr_assert_eq(truncate(path, 0), 0);
    expect_error(dir, -EBADMSG, "empty");
    bytes[size / 2] ^= 1;
    fixture_write(path, bytes, size);
    expect_error(dir, -EBADMSG, "000002.skn");
    bytes[size / 2] ^= 1;
    fixture_write(path, bytes, size);
    cr_assert_eq(open_error(dir, NULL), 0);

    cr_assert_eq(rename(path, other), 0);
    expect_error(dir, -EBADMSG, "segment 2");
    cr_assert_eq(rename(other, path), 0);
    fixture_remove(dir);
    free(bytes);
    history_free(&h);
}

Test(recording, a_missing_last_segment_is_noticed) {
    struct history h = history_make(4, 3, 6000, 1);
    struct skein_recording *rec;
    char dir[256];
    struct skein_segment_info info;

    fixture_dir(dir);
    fixture_record(dir, &h, h.count, 20000, 100000);
    cr_assert_eq(skein_recording_open(dir, SKEIN_READ_STRICT, &rec, NULL), 0);
    skein_recording_segment(rec, skein_recording_segment_count(rec) - 1, &info);
    skein_recording_close(rec);
    cr_assert_eq(unlink(info.path), 0);
    expect_error(dir, -EBADMSG, "its manifest says");
    cr_assert_eq(skein_recording_open(dir, SKEIN_READ_SALVAGE, &rec, NULL), 0);
    cr_assert_not(skein_recording_complete(rec));
    skein_recording_close(rec);
    fixture_remove(dir);
    history_free(&h);
}

/* Its magic, or its version: the manifest says what the recording is, so this is damage, too. */
Test(recording, salvage_passes_over_a_segment_without_a_beginning) {
    struct history h = history_make(4, 3, 3000, 1);
    char dir[256], path[300];
    struct skein_recording *rec;
    size_t size;

    fixture_dir(dir);
    fixture_record(dir, &h, h.count, 20000, 100000);
    snprintf(path, sizeof(path), "%s/segments/000001.skn", dir);
    uint8_t *bytes = fixture_read(path, &size);
    for (size_t at = 0; at < 12; at++) {
        bytes[at] ^= 1;
        fixture_write(path, bytes, size);
        bytes[at] ^= 1;
        expect_error(dir, -EBADMSG, "000001.skn");
        cr_assert_eq(skein_recording_open(dir, SKEIN_READ_SALVAGE, &rec, NULL), 0);
        cr_assert_gt(skein_recording_segment_count(rec), 0);
        skein_recording_close(rec);
    }
    free(bytes);
    fixture_remove(dir);
    history_free(&h);
}

Test(recording, salvage_reads_around_damage) {
    struct history h = history_make(4, 3, 6000, 1);
    struct skein_recording *rec;
    struct skein_reader *reader;
    struct skein_event event;
    uint64_t lost_blocks, lost_bytes, got = 0;
    char dir[256], path[300];
    size_t size;
    int rc;

    fixture_dir(dir);
    fixture_record(dir, &h, h.count, 20000, 100000);
    snprintf(path, sizeof(path), "%s/segments/000002.skn", dir);
    uint8_t *bytes = fixture_read(path, &size);
    bytes[size / 2] ^= 1;
    fixture_write(path, bytes, size);
    cr_assert_eq(skein_recording_open(dir, SKEIN_READ_SALVAGE, &rec, NULL), 0);
    cr_assert_eq(skein_reader_open(rec, &reader, NULL), 0);
    while ((rc = skein_reader_next(reader, &event, NULL)) == 1) {
        got++;
    }
    cr_assert_eq(rc, 0);
    skein_recording_losses(rec, &lost_blocks, &lost_bytes);
    cr_assert_eq(lost_blocks, 1u);
    cr_assert_lt(got, h.count);
    cr_assert_gt(got, h.count / 2);
    skein_reader_close(reader);
    skein_recording_close(rec);
    free(bytes);
    fixture_remove(dir);
    history_free(&h);
}
