/* Recordings that older versions have written: this one reads them, and gives the same events. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/log_writer.h"
#include "pipeline/reader.h"
#include "tests/golden/summary.h"
#include "tests/pipeline/fixture.h"

#define ROOT "tests/golden"

typedef void use(const char *dir, const char *expected);

/* Calls it for every recording of every version; how many there were. */
static int for_each(use *f) {
    int count = 0;

    for (unsigned version = 1; version <= SKEIN_FORMAT_VERSION; version++) {
        char dir[64], path[1024], recording[1024];
        struct dirent *entry;

        snprintf(dir, sizeof(dir), "%s/v%u", ROOT, version);
        DIR *d = opendir(dir);
        cr_assert_not_null(d, "there are no golden recordings in %s", dir);
        while ((entry = readdir(d)) != NULL) {
            const char *dot = strstr(entry->d_name, ".expected");
            if (dot == NULL) {
                continue;
            }
            snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
            snprintf(recording, sizeof(recording), "%s/%.*s", dir, (int)(dot - entry->d_name),
                     entry->d_name);
            size_t n;
            char *expected = (char *)fixture_read(path, &n);
            expected[n] = '\0';
            f(recording, expected);
            free(expected);
            count++;
        }
        closedir(d);
    }
    return count;
}

static void reads(const char *dir, const char *expected) {
    char text[2 * SUMMARY_MAX_BYTES];

    summary_make_both(dir, text);
    cr_assert_str_eq(text, expected, "%s reads as\n%s\nand should as\n%s", dir, text, expected);
}

Test(golden, old_recordings_read_as_they_did) {
    cr_assert_geq(for_each(reads), 6);
}

/* What strict reading gives, written anew by today's writer. */
static void copy(struct skein_recording *rec, const char *to) {
    struct skein_manifest m = *skein_recording_manifest(rec);
    struct skein_log_writer_opts opts = {.dir = to,
                                         .shard_count = skein_recording_shard_count(rec)};
    struct skein_log_writer *log;
    struct skein_reader *reader;
    struct skein_event event;
    int rc;

    memcpy(opts.uuid, m.uuid, sizeof(opts.uuid));
    cr_assert_eq(skein_recording_create(to, &m, NULL), 0);
    cr_assert_eq(skein_log_writer_create(&opts, &log, NULL), 0);
    cr_assert_eq(skein_reader_open(rec, &reader, NULL), 0);
    while ((rc = skein_reader_next(reader, &event, NULL)) == 1) {
        cr_assert_eq(skein_log_writer_add(log, event.shard, event.record, NULL), 0);
    }
    cr_assert_eq(rc, 0);
    skein_reader_close(reader);
    cr_assert_eq(skein_log_writer_finish(log, NULL), 0);
    m.stats = *skein_log_writer_stats(log);
    skein_log_writer_free(log);
    cr_assert_eq(skein_manifest_write(to, &m, NULL), 0);
}

static const char *line_of(const char *text, const char *key) {
    const char *at = strstr(text, key);

    cr_assert_not_null(at);
    return at;
}

static void writes_again(const char *dir, const char *expected) {
    char to[256], before[SUMMARY_MAX_BYTES], after[SUMMARY_MAX_BYTES];
    struct skein_recording *rec;

    (void)expected;
    if (skein_recording_open(dir, SKEIN_READ_STRICT, &rec, NULL) != 0) {
        return; /* damaged on purpose */
    }
    const bool gaps = skein_recording_manifest(rec)->loss;
    skein_recording_close(rec);
    summary_make(dir, SKEIN_READ_STRICT, before);
    if (gaps || strstr(before, "open ok") == NULL) {
        return; /* written again, its events would have other ticks */
    }
    fixture_dir(to);
    cr_assert_eq(skein_recording_open(dir, SKEIN_READ_STRICT, &rec, NULL), 0);
    copy(rec, to);
    skein_recording_close(rec);
    summary_make(to, SKEIN_READ_STRICT, after);
    /* A torn end is lost once, not twice. */
    cr_assert_str_eq(line_of(after, "digest"), line_of(before, "digest"), "%s, written again", dir);
    fixture_remove(to);
}

Test(golden, written_again_they_hold_the_same_events) {
    cr_assert_geq(for_each(writes_again), 6);
}
