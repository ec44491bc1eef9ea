#include "pipeline/checkpoint.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/checkpoint_chain.h"
#include "pipeline/checkpoint_pack.h"
#include "pipeline/recording.h"
#include "pipeline/snapshot_file.h"
#include "tests/pipeline/checkpoint_lab.h"
#include "tests/pipeline/fixture.h"

static void expect_expansion(struct checkpoint_lab *l, uint64_t n) {
    const char *problem = checkpoint_lab_compare(l, n);

    cr_assert_str_empty(problem, "checkpoint %d: %s", (int)n, problem);
}

Test(checkpoint, comes_back) {
    static const struct {
        uint64_t pages;
        unsigned writes;
    } sizes[] = {{1, 1}, {40, 20}, {40, 0}, {600, 300}, {1500, 2000}};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct checkpoint_lab l = checkpoint_lab_make(sizes[i].pages, 5, sizes[i].writes);
        struct skein_error err = {""};
        for (uint64_t n = 0; n <= l.count; n++) {
            expect_expansion(&l, n);
        }
        cr_assert_eq(skein_checkpoint_check(l.rec, &err), 0, "%s", err.text);
        cr_assert_eq(skein_recording_check(l.rec, &err), 0, "%s", err.text);
        checkpoint_lab_free(&l);
    }
}

Test(checkpoint, the_list_says_what_there_is) {
    struct checkpoint_lab l = checkpoint_lab_make(200, 4, 60);
    struct skein_checkpoint_list list;
    struct skein_error err = {""};
    struct stat st;
    char path[300];

    cr_assert_eq(skein_checkpoint_list_read(l.rec, &list, &err), 0, "%s", err.text);
    cr_assert_eq(list.count, 4);
    for (unsigned n = 1; n <= 4; n++) {
        const struct skein_checkpoint_info *c = &list.items[n - 1];
        cr_assert(c->ok, "%s", c->error.text);
        cr_assert_eq(c->number, n);
        cr_assert_eq(c->pages, c->pages_stored + c->pages_shared + c->pages_zero);
        cr_assert(c->pages_zero != 0 && c->pages_stored != 0 && c->pages_shared != 0);
        checkpoint_lab_path(&l, n, path);
        cr_assert_eq(stat(path, &st), 0);
        cr_assert_eq(c->size_bytes, (uint64_t)st.st_size);
        cr_assert_eq(stat(l.raw[n], &st), 0);
        cr_assert_eq(c->raw_bytes, (uint64_t)st.st_size);
    }
    /* The machine still stands where the last one was made. */
    cr_assert(skein_checkpoint_cut_same(&list.items[3].cut, &l.m.cut));
    cr_assert_eq(skein_checkpoint_list_at_icount(&list, list.items[2].cut.icount)->number, 3);
    cr_assert_eq(skein_checkpoint_list_at_icount(&list, list.items[2].cut.icount - 1)->number, 2);
    cr_assert_null(skein_checkpoint_list_at_icount(&list, list.items[0].cut.icount - 1));
    cr_assert_eq(skein_checkpoint_list_at_slice(&list, list.items[1].cut.slices)->number, 2);
    cr_assert_eq(skein_checkpoint_list_at_slice(&list, UINT64_MAX)->number, 4);
    list.items[1].ok = false;
    cr_assert_eq(skein_checkpoint_list_at_slice(&list, UINT64_MAX)->number, 1);
    skein_checkpoint_list_free(&list);
    checkpoint_lab_free(&l);
}

Test(checkpoint, a_content_is_stored_once) {
    struct checkpoint_lab l = checkpoint_lab_make(300, 1, 0);
    struct skein_checkpoint_packer *packer;
    struct skein_checkpoint_list list;
    struct skein_error err = {""};
    char path[300];

    snprintf(path, sizeof(path), "%s/raw", l.dir);
    cr_assert_eq(skein_checkpoint_packer_open(l.dir, &l.manifest, 1, &packer, &err), 0, "%s",
                 err.text);
    /* 2: nothing has changed, though all is said to have; 3: one page is new, ten times; 4: again,
     * and another process has packed what it is compared with. */
    for (unsigned n = 2; n <= 4; n++) {
        for (uint64_t p = 0; p < 300; p++) {
            l.m.changed[0][p] = n == 2 || p < 10;
        }
        for (uint64_t p = 0; p < 10 && n > 2; p++) {
            memset(l.m.ram[0] + (p + 10 * (n - 3)) * MACHINE_PAGE, 0x77, MACHINE_PAGE);
            l.m.changed[0][p + 10 * (n - 3)] = true;
        }
        machine_checkpoint(&l.m, path);
        cr_assert_eq(skein_checkpoint_packer_add(packer, path, &err), 0, "%s", err.text);
        if (n == 3) {
            skein_checkpoint_packer_close(packer);
            cr_assert_eq(skein_checkpoint_packer_open(l.dir, &l.manifest, 3, &packer, &err), 0,
                         "%s", err.text);
        }
    }
    skein_checkpoint_packer_close(packer);
    cr_assert_eq(skein_checkpoint_list_read(l.rec, &list, &err), 0, "%s", err.text);
    cr_assert_eq(list.count, 4);
    cr_assert_eq(list.items[1].pages, 300);
    cr_assert_eq(list.items[1].pages_stored, 0);
    cr_assert(list.items[1].pages_zero > 10);
    cr_assert_eq(list.items[2].pages, 10);
    cr_assert_eq(list.items[2].pages_stored, 1);
    cr_assert_eq(list.items[2].pages_shared, 9);
    cr_assert_eq(list.items[3].pages_stored, 0);
    cr_assert(list.items[3].ok, "%s", list.items[3].error.text);
    checkpoint_lab_keep(&l, 4);
    snprintf(l.raw[4], sizeof(l.raw[4]), "%s", path);
    expect_expansion(&l, 4);
    skein_checkpoint_list_free(&list);
    checkpoint_lab_free(&l);
}

/* The small file: HEAD, CUT, the vCPUs, END, each as in the whole one. */
Test(checkpoint, the_state_alone) {
    struct checkpoint_lab l = checkpoint_lab_make(50, 2, 20);
    struct skein_error err = {""};
    size_t size, at = 8;
    uint32_t types[8] = {0}, count = 0;

    cr_assert_eq(skein_checkpoint_expand_state(l.rec, 2, l.out, &err), 0, "%s", err.text);
    uint8_t *bytes = fixture_read(l.out, &size);
    while (at < size && count < 8) {
        uint64_t n;
        memcpy(&types[count++], bytes + at, 4);
        memcpy(&n, bytes + at + 8, 8);
        at += 16 + n;
    }
    cr_assert_eq(at, size);
    const uint32_t want[] = {1, 6, 7, 7, 5};
    cr_assert_eq(count, 5);
    cr_assert_eq(memcmp(types, want, sizeof(want)), 0);
    free(bytes);
    cr_assert_eq(skein_checkpoint_expand_state(l.rec, 3, l.out, &err), -ENOENT);
    cr_assert_eq(skein_checkpoint_expand_state(l.rec, 0, l.out, &err), -ENOENT);
    checkpoint_lab_free(&l);
}

static bool list_has(struct checkpoint_lab *l, uint64_t n) {
    struct skein_checkpoint_list list;
    bool ok;

    cr_assert_eq(skein_checkpoint_list_read(l->rec, &list, NULL), 0);
    ok = n <= list.count && list.items[n - 1].ok;
    cr_assert(n > list.count || ok == (list.items[n - 1].error.text[0] == '\0'));
    skein_checkpoint_list_free(&list);
    return ok;
}

/* Checkpoint 2 is broken in some way: it and what follows are refused, with a word that says which
 * can be used. */
static void expect_refusal(struct checkpoint_lab *l, const char *what) {
    struct skein_error err = {""};
    int rc = skein_checkpoint_check(l->rec, &err);

    (void)what; /* the sanitizers' header prints no messages */
    cr_assert_eq(rc, -EBADMSG, "%s: %s", what, err.text);
    cr_assert_not_null(strstr(err.text, "checkpoint 1 can be used"), "%s: %s", what, err.text);
    expect_expansion(l, 1);
    err.text[0] = '\0';
    rc = skein_checkpoint_expand(l->rec, 2, l->out, &err);
    cr_assert(rc == 0 || rc == -EBADMSG || rc == -ENOENT, "%s: %d %s", what, rc, err.text);
    if (rc == 0) {
        /* What is broken was not needed for it. */
        checkpoint_lab_return(l, 2);
        cr_assert_str_empty(machine_compare(&l->m, l->out, l->raw[2]), "%s", what);
    } else {
        cr_assert_not_null(strstr(err.text, "checkpoint 1 can be used"), "%s: %s", what, err.text);
        cr_assert_neq(access(l->out, F_OK), 0, "%s: a file is left", what);
    }
}

Test(checkpoint, damage_at_every_byte_is_found) {
    struct checkpoint_lab l = checkpoint_lab_make(12, 3, 8);
    char path[300], what[64];
    size_t size;

    l.m.opaque_bytes = 10;
    checkpoint_lab_path(&l, 2, path);
    uint8_t *bytes = fixture_read(path, &size);
    for (size_t at = 0; at < size; at += at < 400 || at + 600 > size ? 1 : 23) {
        bytes[at] ^= (uint8_t)(1u << at % 8);
        fixture_write(path, bytes, size);
        snprintf(what, sizeof(what), "byte %zu", at);
        expect_refusal(&l, what);
        bytes[at] ^= (uint8_t)(1u << at % 8);
    }
    for (size_t n = 0; n < size; n += n < 400 || n + 600 > size ? 1 : 97) {
        fixture_write(path, bytes, n);
        snprintf(what, sizeof(what), "%zu bytes", n);
        expect_refusal(&l, what);
        cr_assert(!list_has(&l, 2) && !list_has(&l, 3) && list_has(&l, 1));
    }
    fixture_write(path, bytes, size);
    cr_assert(list_has(&l, 3));
    expect_expansion(&l, 3);
    free(bytes);
    checkpoint_lab_free(&l);
}

Test(checkpoint, a_missing_one_breaks_the_chain) {
    struct checkpoint_lab l = checkpoint_lab_make(30, 4, 10);
    struct skein_checkpoint_list list;
    struct skein_error err = {""};
    char path[300], other[300];

    checkpoint_lab_path(&l, 2, path);
    cr_assert_eq(unlink(path), 0);
    expect_refusal(&l, "missing");
    cr_assert_eq(skein_checkpoint_list_read(l.rec, &list, NULL), 0);
    cr_assert_eq(list.count, 4);
    cr_assert_not_null(strstr(list.items[1].error.text, "is missing"));
    cr_assert_not_null(strstr(list.items[3].error.text, "builds on checkpoint 3"));
    skein_checkpoint_list_free(&list);
    cr_assert_eq(skein_checkpoint_expand(l.rec, 4, l.out, &err), -ENOENT);
    /* Another one in its place is no better, not even with its number. */
    checkpoint_lab_path(&l, 3, other);
    cr_assert_eq(rename(other, path), 0);
    expect_refusal(&l, "renamed");
    checkpoint_lab_free(&l);
}

Test(checkpoint, of_another_recording) {
    struct checkpoint_lab l = checkpoint_lab_make(30, 3, 10),
                          other = checkpoint_lab_make(30, 3, 11);
    char from[300], to[300];
    size_t size;

    /* The fixture's UUID is always the same, the chain is not. */
    checkpoint_lab_path(&other, 2, from);
    checkpoint_lab_path(&l, 2, to);
    uint8_t *bytes = fixture_read(from, &size);
    fixture_write(to, bytes, size);
    free(bytes);
    expect_refusal(&l, "of another chain");
    checkpoint_lab_free(&l);
    checkpoint_lab_free(&other);
}

Test(checkpoint, the_snapshot_must_be_whole) {
    struct checkpoint_lab l = checkpoint_lab_make(30, 2, 10);
    struct skein_error err = {""};
    char path[300];
    size_t size;

    snprintf(path, sizeof(path), "%s/%s", l.dir, SKEIN_SNAPSHOT_NAME);
    uint8_t *bytes = fixture_read(path, &size);
    for (size_t at = 0; at < size; at += 331) {
        bytes[at] ^= 4;
        fixture_write(path, bytes, size);
        cr_assert_eq(skein_checkpoint_expand(l.rec, 2, l.out, &err), -EBADMSG, "byte %zu", at);
        cr_assert_neq(access(l.out, F_OK), 0);
        bytes[at] ^= 4;
    }
    free(bytes);
    checkpoint_lab_free(&l);
}

/* A log that ends before a checkpoint: the recorder died, and lost what was in memory. */
Test(checkpoint, behind_the_end) {
    struct checkpoint_lab l = checkpoint_lab_make(30, 1, 10);
    struct skein_checkpoint_packer *packer;
    struct skein_error err = {""};

    cr_assert_eq(skein_checkpoint_packer_open(l.dir, &l.manifest, 1, &packer, &err), 0);
    checkpoint_lab_move(&l, 3, 1);
    machine_checkpoint(&l.m, l.out);
    cr_assert_eq(skein_checkpoint_packer_add(packer, l.out, &err), 0, "%s", err.text);
    skein_checkpoint_packer_close(packer);
    cr_assert(list_has(&l, 1) && !list_has(&l, 2));
    cr_assert_eq(skein_recording_check(l.rec, &err), -EBADMSG);
    cr_assert_not_null(strstr(err.text, "behind the end"), "%s", err.text);
    checkpoint_lab_free(&l);
}
