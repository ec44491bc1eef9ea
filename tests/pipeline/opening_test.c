/* What opening a recording finds, what is left for later, and that it is found then. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/frame.h"
#include "pipeline/reader.h"
#include "pipeline/recording.h"
#include "pipeline/segment.h"
#include "proto/skein.pb-c.h"
#include "tests/pipeline/fixture.h"

/* A recording of some segments of some blocks, and its second segment's bytes. */
struct some {
    char dir[256], path[300];
    struct history h;
    uint8_t *bytes;
    size_t size;
    uint64_t footer; /* its offset */
};

static struct some make_some(void) {
    struct some s;

    fixture_dir(s.dir);
    s.h = history_make(9, 3, 6000, 1);
    fixture_record(s.dir, &s.h, s.h.count, 20000, 100000);
    snprintf(s.path, sizeof(s.path), "%s/segments/000002.skn", s.dir);
    s.bytes = fixture_read(s.path, &s.size);
    memcpy(&s.footer, s.bytes + s.size - SKEIN_SEGMENT_TRAILER_BYTES, 8);
    return s;
}

static void drop_some(struct some *s) {
    fixture_remove(s->dir);
    history_free(&s->h);
    free(s->bytes);
}

static int try_open(const struct some *s, struct skein_error *err) {
    struct skein_recording *rec;
    int rc = skein_recording_open(s->dir, SKEIN_READ_STRICT, &rec, err);

    if (rc == 0) {
        skein_recording_close(rec);
    }
    return rc;
}

/* Opens, and says what reading all of it and checking it come to. */
static void read_opened(const struct some *s, int *read_rc, int *check_rc, uint64_t *events,
                        struct skein_error *err) {
    struct skein_recording *rec;
    struct skein_reader *reader;
    struct skein_event e;

    cr_assert_eq(skein_recording_open(s->dir, SKEIN_READ_STRICT, &rec, err), 0, "%s", err->text);
    cr_assert_eq(skein_reader_open(rec, &reader, NULL), 0);
    *events = 0;
    while ((*read_rc = skein_reader_next(reader, &e, err)) == 1) {
        ++*events;
    }
    *check_rc = skein_recording_check(rec, err);
    skein_reader_close(reader);
    skein_recording_close(rec);
}

static Skein__SegmentFooter *take_footer(const struct some *s) {
    ProtobufCMessage *base = NULL;

    cr_assert_eq(skein_frame_parse(
                     s->bytes + s->footer, s->size - SKEIN_SEGMENT_TRAILER_BYTES - s->footer,
                     SKEIN_FRAME_FOOTER, &skein__segment_footer__descriptor, "footer", &base, NULL),
                 0);
    return (void *)base;
}

/* The segment with this footer, all checksums good. */
static void put_footer(const struct some *s, const Skein__SegmentFooter *footer) {
    uint8_t *frame, *file;
    size_t bytes;

    cr_assert_eq(skein_frame_build(SKEIN_FRAME_FOOTER, &footer->base, &frame, &bytes), 0);
    file = malloc(s->footer + bytes + SKEIN_SEGMENT_TRAILER_BYTES);
    memcpy(file, s->bytes, s->footer);
    memcpy(file + s->footer, frame, bytes);
    memcpy(file + s->footer + bytes, s->bytes + s->size - SKEIN_SEGMENT_TRAILER_BYTES,
           SKEIN_SEGMENT_TRAILER_BYTES);
    fixture_write(s->path, file, s->footer + bytes + SKEIN_SEGMENT_TRAILER_BYTES);
    free(file);
    free(frame);
}

static void expect_refused(const struct some *s, const char *what) {
    struct skein_error err = {""};

    (void)what; /* tests under sanitizers say less */
    cr_assert_eq(try_open(s, &err), -EBADMSG, "%s", what);
    cr_assert_not_null(strstr(err.text, "000002.skn"), "%s: %s", what, err.text);
    cr_assert_not_null(strstr(err.text, "footer"), "%s: %s", what, err.text);
}

/* One number at a time is changed and put back. */
Test(opening, a_footer_that_lies_is_refused) {
    struct some s = make_some();
    Skein__SegmentFooter *f = take_footer(&s);
    struct {
        const char *what;
        uint64_t *number;
    } lies[] = {
        {"segment", &f->segment},
        {"first offset", &f->block_offset[0]},
        {"second offset", &f->block_offset[1]},
        {"last offset", &f->block_offset[f->n_block_offset - 1]},
        {"clock", &f->clock[1]},
        {"slices", &f->slices},
        {"stats.slices", &f->stats->slices},
        {"blocks", &f->stats->blocks},
        {"segments", &f->stats->segments},
        {"disk_bytes", &f->stats->disk_bytes},
        {"events", &f->stats->shards[1]->events[SKEIN_MARK]},
    };

    put_footer(&s, f);
    cr_assert_eq(try_open(&s, NULL), 0);
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        for (int by = -1; by <= 1; by += 2) {
            *lies[i].number += (uint64_t)(int64_t)by;
            put_footer(&s, f);
            /* Offsets in between are looked at when the blocks are. */
            if (strcmp(lies[i].what, "second offset") == 0 ||
                strcmp(lies[i].what, "last offset") == 0) {
                struct skein_error err = {""};
                int read_rc, check_rc;
                uint64_t events;
                read_opened(&s, &read_rc, &check_rc, &events, &err);
                cr_assert(read_rc == -EBADMSG && check_rc == -EBADMSG, "%s", lies[i].what);
            } else {
                expect_refused(&s, lies[i].what);
            }
            *lies[i].number -= (uint64_t)(int64_t)by;
        }
    }
    f->uuid.data[3] ^= 1;
    put_footer(&s, f);
    expect_refused(&s, "uuid");
    f->uuid.data[3] ^= 1;
    f->n_block_offset--;
    put_footer(&s, f);
    expect_refused(&s, "one block less");
    f->n_block_offset++;
    f->n_clock--;
    put_footer(&s, f);
    expect_refused(&s, "one shard less");
    f->n_clock++;
    protobuf_c_message_free_unpacked(&f->base, NULL);
    drop_some(&s);
}

/* Counts as many events as there are, but of other kinds. */
Test(opening, a_footer_with_other_kinds_is_found) {
    struct some s = make_some();
    Skein__SegmentFooter *f = take_footer(&s);
    struct skein_manifest m;
    struct skein_error err = {""};
    int read_rc, check_rc;
    uint64_t events;

    f->stats->shards[0]->events[SKEIN_MARK]--;
    f->stats->shards[0]->events[SKEIN_VALUE]++;
    put_footer(&s, f);
    cr_assert_eq(try_open(&s, &err), -EBADMSG);
    cr_assert_not_null(strstr(err.text, "manifest"), "%s", err.text);
    /* Not even a manifest that goes with it helps. */
    cr_assert_eq(skein_manifest_read(s.dir, &m, NULL), 0);
    m.stats.events[0][SKEIN_MARK]--;
    m.stats.events[0][SKEIN_VALUE]++;
    cr_assert_eq(skein_manifest_write(s.dir, &m, NULL), 0);
    read_opened(&s, &read_rc, &check_rc, &events, &err);
    cr_assert_eq(check_rc, -EBADMSG);
    cr_assert_not_null(strstr(err.text, "000002.skn"), "%s", err.text);
    protobuf_c_message_free_unpacked(&f->base, NULL);
    drop_some(&s);
}

Test(opening, a_manifest_that_counts_otherwise_is_refused) {
    struct some s = make_some();
    struct skein_manifest m, wrong;

    cr_assert_eq(skein_manifest_read(s.dir, &m, NULL), 0);
    uint64_t *numbers[] = {&wrong.stats.events[1][SKEIN_MEM], &wrong.stats.kind_bytes[SKEIN_MEM],
                           &wrong.stats.slices, &wrong.stats.edges, &wrong.stats.segments};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        wrong = m;
        ++*numbers[i];
        cr_assert_eq(skein_manifest_write(s.dir, &wrong, NULL), 0);
        cr_assert_eq(try_open(&s, NULL), -EBADMSG, "number %zu", i);
    }
    cr_assert_eq(skein_manifest_write(s.dir, &m, NULL), 0);
    cr_assert_eq(try_open(&s, NULL), 0);
    drop_some(&s);
}

Test(opening, without_a_footer_it_is_cut_short) {
    struct some s = make_some();
    struct skein_error err = {""};

    cr_assert_eq(truncate(s.path, (off_t)s.footer), 0);
    cr_assert_eq(try_open(&s, &err), -EBADMSG);
    cr_assert_not_null(strstr(err.text, "cut short"), "%s", err.text);
    /* The trailer alone is no footer. */
    memcpy(s.bytes + s.footer, s.bytes + s.size - SKEIN_SEGMENT_TRAILER_BYTES,
           SKEIN_SEGMENT_TRAILER_BYTES);
    fixture_write(s.path, s.bytes, s.footer + SKEIN_SEGMENT_TRAILER_BYTES);
    cr_assert_eq(try_open(&s, NULL), -EBADMSG);
    drop_some(&s);
}

/* All between header and footer is zeros: opening does not look there; reading does. */
Test(opening, blocks_are_not_looked_at) {
    struct some s = make_some();
    struct skein_error err = {""};
    Skein__SegmentFooter *f = take_footer(&s);
    int read_rc, check_rc;
    uint64_t events;

    memset(s.bytes + f->block_offset[0], 0, s.footer - f->block_offset[0]);
    fixture_write(s.path, s.bytes, s.size);
    read_opened(&s, &read_rc, &check_rc, &events, &err);
    cr_assert_eq(read_rc, -EBADMSG);
    cr_assert_eq(check_rc, -EBADMSG);
    cr_assert_not_null(strstr(err.text, "000002.skn"), "%s", err.text);
    cr_assert_gt(events, 0u, "those of the first segment");
    protobuf_c_message_free_unpacked(&f->base, NULL);
    drop_some(&s);
}

/* A byte of each block's header, and one of its data. */
Test(opening, damage_of_any_block_is_found_when_it_is_read) {
    struct some s = make_some();
    Skein__SegmentFooter *f = take_footer(&s);

    cr_assert_geq(f->n_block_offset, 3u);
    for (size_t i = 0; i < 2 * f->n_block_offset; i++) {
        const uint64_t end = i / 2 + 1 < f->n_block_offset ? f->block_offset[i / 2 + 1] : s.footer;
        const uint64_t at = i % 2 == 0 ? f->block_offset[i / 2] + 30 : end - 10;
        struct skein_error err = {""};
        int read_rc, check_rc;
        uint64_t events;
        s.bytes[at] ^= 4;
        fixture_write(s.path, s.bytes, s.size);
        read_opened(&s, &read_rc, &check_rc, &events, &err);
        cr_assert_eq(read_rc, -EBADMSG, "%zu", i);
        cr_assert_eq(check_rc, -EBADMSG, "%zu", i);
        s.bytes[at] ^= 4;
    }
    protobuf_c_message_free_unpacked(&f->base, NULL);
    drop_some(&s);
}

Test(opening, a_segment_that_changes_later_is_noticed) {
    struct some s = make_some();
    struct skein_segment *seg;
    struct skein_error err = {""};
    char path[300];
    size_t size;

    cr_assert_eq(skein_segment_glance(s.path, &seg, &err), 0, "%s", err.text);
    snprintf(path, sizeof(path), "%s/segments/000003.skn", s.dir);
    uint8_t *other = fixture_read(path, &size);
    fixture_write(s.path, other, size);
    cr_assert_eq(skein_segment_acquire(seg, &err), -EBADMSG);
    cr_assert_not_null(strstr(err.text, "changed"), "%s", err.text);
    fixture_write(s.path, s.bytes, s.size);
    cr_assert_eq(skein_segment_acquire(seg, &err), 0, "%s", err.text);
    skein_segment_release(seg);
    skein_segment_close(seg);
    free(other);
    drop_some(&s);
}

/* What one reader holds is there until the last one leaves. */
Test(opening, headers_are_kept_as_long_as_they_are_used) {
    struct some s = make_some();
    struct skein_segment *seg, *all;

    cr_assert_eq(skein_segment_open(s.path, SKEIN_READ_STRICT, &all, NULL), 0);
    cr_assert_eq(skein_segment_glance(s.path, &seg, NULL), 0);
    cr_assert_eq(seg->block_count, all->block_count);
    cr_assert_eq(seg->events, all->events);
    cr_assert_eq(memcmp(seg->clock_end, all->clock_end, sizeof(seg->clock_end)), 0);
    cr_assert_null(seg->blocks);
    cr_assert_eq(skein_segment_acquire(seg, NULL), 0);
    cr_assert_eq(skein_segment_acquire(seg, NULL), 0);
    skein_segment_release(seg);
    cr_assert_not_null(seg->blocks);
    cr_assert_eq(memcmp(seg->blocks, all->blocks, seg->block_count * sizeof(*seg->blocks)), 0);
    skein_segment_release(seg);
    cr_assert_null(seg->blocks);
    skein_segment_close(seg);
    skein_segment_close(all);
    drop_some(&s);
}

static void *acquire_often(void *opaque) {
    struct skein_segment *seg = opaque;

    for (int i = 0; i < 200; i++) {
        cr_assert_eq(skein_segment_acquire(seg, NULL), 0);
        cr_assert_eq(seg->blocks[seg->block_count - 1].number, seg->block_count);
        skein_segment_release(seg);
    }
    return NULL;
}

/* Readers of several threads on one recording (run under TSan, too). */
Test(opening, threads_share_headers) {
    struct some s = make_some();
    struct skein_segment *seg;
    pthread_t thread[3];

    cr_assert_eq(skein_segment_glance(s.path, &seg, NULL), 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(pthread_create(&thread[i], NULL, acquire_often, seg), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(thread[i], NULL);
    }
    cr_assert_null(seg->blocks);
    skein_segment_close(seg);
    drop_some(&s);
}

/*
 * Salvage of a file in which a block seems to begin every 16 bytes, each as long as a frame may be:
 * to hash every one of them would take hours.
 */
Test(opening, false_headers_do_not_cost_their_length, .timeout = 60) {
    const uint32_t version = SKEIN_FORMAT_VERSION, length = SKEIN_FRAME_MESSAGE_MAX;
    struct some s = make_some();
    Skein__SegmentFooter *f = take_footer(&s);
    const size_t from = f->block_offset[1], size = from + (48u << 20);
    uint8_t *file = malloc(size);
    struct skein_segment *seg;

    memcpy(file, s.bytes, from);
    for (size_t at = from; at + 16 <= size; at += 16) {
        const char *magic = (at - from) % 32 == 0 ? SKEIN_FRAME_BLOCK : SKEIN_FRAME_FOOTER;
        memcpy(file + at, (const uint8_t *)magic, 8);
        memcpy(file + at + 8, &version, 4);
        memcpy(file + at + 12, &length, 4);
    }
    fixture_write(s.path, file, size);
    cr_assert_eq(skein_segment_open(s.path, SKEIN_READ_SALVAGE, &seg, NULL), 0);
    cr_assert_eq(seg->block_count, 1u);
    cr_assert_eq(seg->lost_bytes, size - from);
    skein_segment_close(seg);
    free(file);
    protobuf_c_message_free_unpacked(&f->base, NULL);
    drop_some(&s);
}
