#include "pipeline/snapshot_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/recording.h"
#include "tests/pipeline/fixture.h"

struct files {
    char dir[256], raw[300], packed[300], back[300];
    struct skein_manifest m;
    uint8_t *bytes;
    size_t size;
};

/* Compresses a file like a RAM image: mostly zeros, some noise. */
static struct files compress(size_t size) {
    struct files f = {.m = fixture_manifest(2), .size = size};
    struct random rng = {1};
    struct skein_error err = {""};

    fixture_dir(f.dir);
    snprintf(f.raw, sizeof(f.raw), "%s/raw", f.dir);
    snprintf(f.back, sizeof(f.back), "%s/back", f.dir);
    snprintf(f.packed, sizeof(f.packed), "%s/%s", f.dir, SKEIN_SNAPSHOT_NAME);
    f.bytes = calloc(1, size + 1);
    for (size_t i = 0; i < size; i++) {
        f.bytes[i] = i / 50000 % 3 == 0 ? (uint8_t)random_next(&rng) : 0;
    }
    fixture_write(f.raw, f.bytes, size);
    cr_assert_eq(
        skein_snapshot_compress(f.raw, f.dir, &f.m.snapshot, &f.m.snapshot_raw_bytes, &err), 0,
        "%s", err.text);
    return f;
}

static void drop(struct files *f) {
    fixture_remove(f->dir);
    free(f->bytes);
}

Test(snapshot_file, comes_back) {
    static const size_t sizes[] = {0, 1, 1 << 20, 3333333, 8 << 20};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct files f = compress(sizes[i]);
        struct skein_error err = {""};
        size_t size;
        cr_assert_eq(f.m.snapshot_raw_bytes, sizes[i]);
        cr_assert_eq(skein_snapshot_expand(f.dir, &f.m, f.back, &err), 0, "%s", err.text);
        uint8_t *back = fixture_read(f.back, &size);
        cr_assert_eq(size, sizes[i]);
        cr_assert_eq(memcmp(back, f.bytes, size), 0);
        free(back);
        drop(&f);
    }
}

Test(snapshot_file, damage_is_refused) {
    struct files f = compress(1000000);
    struct random rng = {2};
    struct skein_error err = {""};
    size_t size;
    uint8_t *packed = fixture_read(f.packed, &size);

    for (int i = 0; i < 100; i++) {
        const size_t at = random_below(&rng, size);
        packed[at] ^= (uint8_t)(1u << i % 8);
        fixture_write(f.packed, packed, size);
        cr_assert_eq(skein_snapshot_expand(f.dir, &f.m, f.back, &err), -EBADMSG, "byte %zu", at);
        cr_assert_neq(access(f.back, F_OK), 0, "no half file is left");
        packed[at] ^= (uint8_t)(1u << i % 8);
    }
    fixture_write(f.packed, packed, size - 1);
    cr_assert_eq(skein_snapshot_expand(f.dir, &f.m, f.back, &err), -EBADMSG);
    fixture_write(f.packed, packed, size);
    f.m.snapshot_raw_bytes--;
    cr_assert_eq(skein_snapshot_expand(f.dir, &f.m, f.back, &err), -EBADMSG);
    free(packed);
    drop(&f);
}

Test(snapshot_file, missing_files_are_named) {
    struct files f = compress(1000);
    struct skein_error err = {""};

    cr_assert_eq(unlink(f.packed), 0);
    cr_assert_eq(skein_snapshot_expand(f.dir, &f.m, f.back, &err), -ENOENT);
    cr_assert_not_null(strstr(err.text, SKEIN_SNAPSHOT_NAME));
    drop(&f);
}
