/* Which checkpoints recovery keeps. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/recover.h"
#include "tests/pipeline/checkpoint_lab.h"
#include "tests/pipeline/fixture.h"

static struct skein_recovered recover(struct checkpoint_lab *l, const char *out) {
    const struct skein_recover_opts opts = {.source = l->dir, .out = out};
    struct skein_recovered r;
    struct skein_error err = {""};

    cr_assert_eq(skein_recover(&opts, &r, &err), 0, "%s", err.text);
    return r;
}

static bool there(const struct checkpoint_lab *l, const char *name) {
    char path[600];

    snprintf(path, sizeof(path), "%s/checkpoints/%s", l->dir, name);
    return access(path, F_OK) == 0;
}

/* The recorder was killed: good ones are kept, the rest is not in the way. */
Test(checkpoint_recover, keeps_the_good_ones) {
    struct checkpoint_lab l = checkpoint_lab_make(30, 4, 10);
    char path[300], partial[310];
    struct skein_recovered r = recover(&l, NULL);

    cr_assert(!r.changed);
    cr_assert_eq(r.checkpoints_kept, 4);
    cr_assert_eq(r.checkpoints_dropped, 0);
    checkpoint_lab_path(&l, 3, path);
    cr_assert_eq(truncate(path, 700), 0);
    checkpoint_lab_path(&l, 5, path);
    snprintf(partial, sizeof(partial), "%s.partial", path);
    fixture_write(partial, (const uint8_t *)"SKNCHKPT", 8);
    r = recover(&l, NULL);
    cr_assert(r.changed);
    cr_assert_eq(r.checkpoints_kept, 2);
    cr_assert_eq(r.checkpoints_dropped, 3);
    cr_assert_not_null(strstr(r.checkpoint_why.text, "000003.skc"), "%s", r.checkpoint_why.text);
    cr_assert(there(&l, "000002.skc") && there(&l, "000003.skc.damaged") &&
              there(&l, "000004.skc.damaged") && !there(&l, "000003.skc") &&
              !there(&l, "000005.skc.partial"));
    r = recover(&l, NULL);
    cr_assert(!r.changed && r.checkpoints_kept == 2);
    checkpoint_lab_reopen(&l);
    cr_assert_eq(skein_recording_check(l.rec, NULL), 0);
    cr_assert_str_empty(checkpoint_lab_compare(&l, 2));
    checkpoint_lab_free(&l);
}

/* Segments are missing at the end, and into a new folder. */
Test(checkpoint_recover, drops_what_the_log_does_not_reach) {
    struct checkpoint_lab l = checkpoint_lab_make(30, 4, 10);
    struct skein_checkpoint_list list;
    struct skein_segment_info last;
    char out[300];

    skein_recording_segment(l.rec, skein_recording_segment_count(l.rec) - 1, &last);
    cr_assert(last.number > 1);
    cr_assert_eq(unlink(last.path), 0);
    snprintf(out, sizeof(out), "%s/rescued", l.dir);
    struct skein_recovered r = recover(&l, out);
    cr_assert(r.checkpoints_kept > 0 && r.checkpoints_kept < 4, "%d", (int)r.checkpoints_kept);
    cr_assert_eq(r.checkpoints_dropped, 4 - r.checkpoints_kept);
    cr_assert_not_null(strstr(r.checkpoint_why.text, "behind the end"));
    cr_assert(there(&l, "000004.skc"), "the source is as it was");
    skein_recovered_free(&r);
    skein_recording_close(l.rec);
    l.rec = NULL;
    cr_assert_eq(skein_recording_open(out, SKEIN_READ_STRICT, &l.rec, NULL), 0);
    cr_assert_eq(skein_checkpoint_list_read(l.rec, &list, NULL), 0);
    cr_assert_eq(list.count, r.checkpoints_kept);
    cr_assert(list.items[list.count - 1].ok);
    cr_assert_str_empty(checkpoint_lab_compare(&l, list.count));
    skein_checkpoint_list_free(&list);
    checkpoint_lab_free(&l);
}
