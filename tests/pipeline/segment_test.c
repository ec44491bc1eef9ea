#include "pipeline/segment.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/pipeline/fixture.h"

struct small {
    char dir[256], path[300];
    struct history h;
    uint8_t *bytes;
    size_t size;
};

/* A recording of one small segment of some blocks. */
static struct small make_small(void) {
    struct small s;

    fixture_dir(s.dir);
    s.h = history_make(9, 3, 30, 1);
    fixture_record(s.dir, &s.h, s.h.count, 800, 1 << 20);
    snprintf(s.path, sizeof(s.path), "%s/segments/000001.skn", s.dir);
    s.bytes = fixture_read(s.path, &s.size);
    return s;
}

static void drop_small(struct small *s) {
    fixture_remove(s->dir);
    history_free(&s->h);
    free(s->bytes);
}

/* Reads all of it, as a strict reader does. */
static int read_all(const char *path, enum skein_read_mode mode, uint64_t *events) {
    struct skein_segment *seg;
    struct skein_error err = {""};
    int rc = skein_segment_open(path, mode, &seg, &err);

    *events = 0;
    if (rc != 0) {
        cr_assert_neq(err.text[0], '\0');
        return rc;
    }
    for (size_t i = 0; i < seg->block_count && rc == 0; i++) {
        struct skein_block *block;
        rc = skein_segment_load(seg, i, &block, &err);
        if (rc == 0) {
            *events += block->info.events;
            skein_block_free(block);
        }
    }
    skein_segment_close(seg);
    return rc;
}

Test(segment, whole_one_reads_back) {
    struct small s = make_small();
    struct skein_segment *seg;
    uint64_t events;

    cr_assert_eq(read_all(s.path, SKEIN_READ_STRICT, &events), 0);
    cr_assert_eq(events, s.h.count);
    cr_assert_eq(skein_segment_open(s.path, SKEIN_READ_STRICT, &seg, NULL), 0);
    cr_assert(seg->sealed);
    cr_assert_geq(seg->block_count, 3u);
    cr_assert_eq(skein_stats_events(&seg->stats), s.h.count);
    cr_assert_eq(seg->stats.disk_bytes, s.size);
    cr_assert_eq(skein_stats_bytes(&seg->stats), s.h.bytes);
    skein_segment_close(seg);
    drop_small(&s);
}

Test(segment, every_truncation_is_detected, .timeout = 120) {
    struct small s = make_small();
    uint64_t events;

    for (size_t n = 0; n < s.size; n++) {
        cr_assert_eq(truncate(s.path, (off_t)(s.size - 1 - n)), 0);
        cr_assert_neq(read_all(s.path, SKEIN_READ_STRICT, &events), 0, "cut to %zu bytes",
                      s.size - 1 - n);
        read_all(s.path, SKEIN_READ_SALVAGE, &events);
    }
    drop_small(&s);
}

Test(segment, every_flipped_byte_is_detected, .timeout = 120) {
    struct small s = make_small();
    uint64_t events;

    for (size_t i = 0; i < s.size; i++) {
        const uint8_t was = s.bytes[i];
        s.bytes[i] ^= (uint8_t)(1u << i % 8);
        fixture_write(s.path, s.bytes, s.size);
        cr_assert_neq(read_all(s.path, SKEIN_READ_STRICT, &events), 0, "byte %zu", i);
        s.bytes[i] = (uint8_t)~was;
        fixture_write(s.path, s.bytes, s.size);
        cr_assert_neq(read_all(s.path, SKEIN_READ_STRICT, &events), 0, "byte %zu", i);
        read_all(s.path, SKEIN_READ_SALVAGE, &events);
        s.bytes[i] = was;
    }
    drop_small(&s);
}

Test(segment, bytes_behind_the_end_are_detected) {
    struct small s = make_small();
    uint64_t events;

    s.bytes = realloc(s.bytes, s.size + 1);
    s.bytes[s.size] = 0;
    fixture_write(s.path, s.bytes, s.size + 1);
    cr_assert_eq(read_all(s.path, SKEIN_READ_STRICT, &events), -EBADMSG);
    drop_small(&s);
}

/* A recorder that died: whole blocks count, the torn end is no damage. */
Test(segment, partial_one_gives_its_whole_blocks, .timeout = 120) {
    struct small s = make_small();
    struct skein_segment *seg;
    char partial[400];
    uint64_t events, last = 0;

    snprintf(partial, sizeof(partial), "%s.partial", s.path);
    cr_assert_eq(skein_segment_open(s.path, SKEIN_READ_STRICT, &seg, NULL), 0);
    const uint64_t header_end = seg->blocks[0].offset;
    skein_segment_close(seg);
    for (size_t n = header_end; n <= s.size; n++) {
        fixture_write(partial, s.bytes, n);
        cr_assert_eq(read_all(partial, SKEIN_READ_STRICT, &events), 0, "%zu bytes", n);
        cr_assert_geq(events, last);
        last = events;
    }
    cr_assert_eq(last, s.h.count);
    drop_small(&s);
}

Test(segment, salvage_loses_one_block_for_one_flipped_byte) {
    struct small s = make_small();
    struct skein_segment *seg;
    struct skein_block *block;

    cr_assert_eq(skein_segment_open(s.path, SKEIN_READ_STRICT, &seg, NULL), 0);
    const size_t blocks = seg->block_count;
    /* The header of the second block: it starts where the data of the first end. */
    const uint64_t second = seg->blocks[0].offset + seg->blocks[0].data_bytes;
    skein_segment_close(seg);
    s.bytes[second + 20] ^= 1;
    fixture_write(s.path, s.bytes, s.size);
    cr_assert_eq(skein_segment_open(s.path, SKEIN_READ_SALVAGE, &seg, NULL), 0);
    cr_assert_eq(seg->block_count, blocks - 1);
    cr_assert_eq(seg->lost_blocks, 1u);
    cr_assert_gt(seg->lost_bytes, 0u);
    for (size_t i = 0; i < seg->block_count; i++) {
        cr_assert_eq(skein_segment_load(seg, i, &block, NULL), 0);
        skein_block_free(block);
    }
    skein_segment_close(seg);
    drop_small(&s);
}
