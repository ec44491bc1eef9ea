/* What the packer takes from QEMU, and what not. */
#include "pipeline/checkpoint_pack.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/recording.h"
#include "pipeline/snapshot_file.h"
#include "tests/pipeline/fixture.h"
#include "tests/pipeline/machine.h"

struct lab {
    char dir[256], raw[300];
    struct machine m;
    struct skein_manifest manifest;
};

static struct lab lab_make(void) {
    struct lab l = {.manifest = fixture_manifest(3)};
    struct skein_error err = {""};

    fixture_dir(l.dir);
    cr_assert_eq(skein_recording_create(l.dir, &l.manifest, &err), 0, "%s", err.text);
    l.m = machine_make(l.manifest.uuid, 2, 20, 3);
    l.m.opaque_bytes = 20;
    snprintf(l.raw, sizeof(l.raw), "%s/raw", l.dir);
    machine_snapshot(&l.m, l.raw);
    cr_assert_eq(skein_snapshot_compress(l.raw, l.dir, &l.manifest.snapshot,
                                         &l.manifest.snapshot_raw_bytes, &err),
                 0);
    return l;
}

static void lab_free(struct lab *l) {
    machine_free(&l->m);
    fixture_remove(l->dir);
}

static struct skein_checkpoint_packer *packer_of(const struct lab *l) {
    struct skein_checkpoint_packer *p = NULL;
    struct skein_error err = {""};

    cr_assert_eq(skein_checkpoint_packer_open(l->dir, &l->manifest, 0, &p, &err), 0, "%s",
                 err.text);
    return p;
}

/* Files in checkpoints/, of whatever name. */
static int files(const struct lab *l) {
    char path[300];
    const struct dirent *entry;
    int n = 0;

    snprintf(path, sizeof(path), "%s/checkpoints", l->dir);
    DIR *d = opendir(path);
    cr_assert_not_null(d);
    while ((entry = readdir(d)) != NULL) {
        n += entry->d_name[0] != '.';
    }
    closedir(d);
    return n;
}

static void expect_refusal(const struct lab *l, const char *what) {
    struct skein_checkpoint_packer *p = packer_of(l);
    struct skein_error err = {""};

    (void)what; /* the sanitizers' header prints no messages */
    cr_assert_eq(skein_checkpoint_packer_add(p, l->raw, &err), -EBADMSG, "%s", what);
    cr_assert_not_null(strstr(err.text, l->raw), "%s: %s", what, err.text);
    cr_assert_eq(files(l), 0, "%s", what);
    cr_assert_eq(skein_checkpoint_packer_add(p, l->raw, &err), -EPIPE);
    skein_checkpoint_packer_close(p);
}

Test(checkpoint_pack, a_file_that_ends_anywhere) {
    struct lab l = lab_make();
    size_t size;

    machine_run(&l.m, 4);
    machine_checkpoint(&l.m, l.raw);
    uint8_t *bytes = fixture_read(l.raw, &size);
    for (size_t n = 0; n < size; n += n < 1200 || n + 300 > size ? 7 : 501) {
        char what[64];
        snprintf(what, sizeof(what), "%zu bytes", n);
        fixture_write(l.raw, bytes, n);
        expect_refusal(&l, what);
    }
    bytes[size] = 0;
    fixture_write(l.raw, bytes, size + 1);
    expect_refusal(&l, "one more byte");
    free(bytes);
    lab_free(&l);
}

static void change_u32(struct lab *l, size_t at, uint32_t value) {
    size_t size;
    uint8_t *bytes = fixture_read(l->raw, &size);

    memcpy(bytes + at, &value, sizeof(value));
    fixture_write(l->raw, bytes, size);
    free(bytes);
}

/* Offsets: magic 8; HEAD 16 + uuid 16, vCPUs, number; CUT 16 + number 8, shards, ... */
Test(checkpoint_pack, heads_that_cannot_be) {
    static const struct {
        const char *what;
        size_t at;
        uint32_t value;
    } changes[] = {
        {"magic", 0, 0},           {"type", 8, 6},          {"a name", 12, 5000},
        {"HEAD's length", 16, 20}, {"UUID", 24, 1},         {"vCPUs", 40, 3},
        {"vCPUs 0", 40, 0},        {"number 0", 44, 0},     {"number", 44, 2},
        {"CUT's length", 56, 71},  {"CUT's number", 64, 2}, {"shards", 72, 4},
        {"released", 76, 3},
    };
    struct lab l = lab_make();

    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        l.m.number = 0;
        machine_checkpoint(&l.m, l.raw);
        change_u32(&l, changes[i].at, changes[i].value);
        expect_refusal(&l, changes[i].what);
    }
    lab_free(&l);
}

Test(checkpoint_pack, the_next_one_only) {
    struct lab l = lab_make();
    struct skein_error err = {""};
    struct skein_checkpoint_packer *p = packer_of(&l), *other;

    cr_assert_eq(skein_checkpoint_packer_open(l.dir, &l.manifest, 0, &other, &err), -EBUSY);
    l.m.cut.vcpu[1].icount = 5;
    machine_checkpoint(&l.m, l.raw);
    cr_assert_eq(skein_checkpoint_packer_add(p, l.raw, &err), 0, "%s", err.text);
    l.m.cut.vcpu[1].icount = 4;
    machine_checkpoint(&l.m, l.raw);
    cr_assert_eq(skein_checkpoint_packer_add(p, l.raw, &err), -EBADMSG, "it runs backwards");
    skein_checkpoint_packer_close(p);
    cr_assert_eq(skein_checkpoint_packer_open(l.dir, &l.manifest, 0, &p, &err), -EEXIST);
    cr_assert_not_null(strstr(err.text, "--from 1"), "%s", err.text);
    cr_assert_eq(skein_checkpoint_packer_open(l.dir, &l.manifest, 2, &p, &err), -ENOENT);
    cr_assert_not_null(strstr(err.text, "checkpoint 1 can be used"), "%s", err.text);
    lab_free(&l);
}

Test(checkpoint_pack, ram_that_the_snapshot_has_not) {
    struct lab l = lab_make();

    machine_free(&l.m);
    l.m = machine_make(l.manifest.uuid, 2, 21, 3);
    machine_run(&l.m, 5);
    machine_checkpoint(&l.m, l.raw);
    expect_refusal(&l, "another size");
    lab_free(&l);
}

/* A snapshot that QEMU cannot have written, though the manifest vouches for it. */
Test(checkpoint_pack, a_snapshot_that_is_none) {
    struct lab l = lab_make();
    struct skein_checkpoint_packer *p;
    struct skein_error err = {""};

    change_u32(&l, 0, 0);
    cr_assert_eq(skein_snapshot_compress(l.raw, l.dir, &l.manifest.snapshot,
                                         &l.manifest.snapshot_raw_bytes, &err),
                 0);
    cr_assert_eq(skein_checkpoint_packer_open(l.dir, &l.manifest, 0, &p, &err), -EBADMSG);
    cr_assert_not_null(strstr(err.text, SKEIN_SNAPSHOT_NAME), "%s", err.text);
    lab_free(&l);
}
