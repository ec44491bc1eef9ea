/* snapshot.zst under a manifest that vouches for it: four bytes of the size it claims, the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "pipeline/recording.h"
#include "pipeline/snapshot_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/pipeline/fixture.h"

#define RAW_LIMIT (8u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct skein_manifest m;
    struct fuzz_input in = {bytes, size};
    struct skein_error err = {""};
    char path[300], raw[300];
    struct stat st;

    m.snapshot_raw_bytes = fuzz_take(&in, 4) % RAW_LIMIT;
    m.snapshot.size_bytes = in.left;
    m.snapshot.xxh64 = XXH64(in.bytes, in.left, 0);
    snprintf(path, sizeof(path), "%s/" SKEIN_SNAPSHOT_NAME, fuzz_dir());
    snprintf(raw, sizeof(raw), "%s/raw", fuzz_dir());
    fixture_write(path, in.bytes, in.left);
    if (skein_snapshot_expand(fuzz_dir(), &m, raw, &err) == 0) {
        FUZZ_CHECK(stat(raw, &st) == 0 && (uint64_t)st.st_size == m.snapshot_raw_bytes);
        unlink(raw);
    } else {
        FUZZ_CHECK(err.text[0] != '\0' && access(raw, F_OK) != 0);
    }
    return 0;
}

void fuzz_seeds(fuzz_add add) {
    struct skein_manifest_file file;
    uint8_t *raw = calloc(1, 70000), *packed, *seed;
    struct random rng = {5};
    char path[300];
    uint64_t raw_bytes;
    size_t size;

    for (size_t i = 4096; i < 6000; i++) {
        raw[i] = (uint8_t)random_next(&rng);
    }
    snprintf(path, sizeof(path), "%s/raw", fuzz_dir());
    fixture_write(path, raw, 70000);
    FUZZ_CHECK(skein_snapshot_compress(path, fuzz_dir(), &file, &raw_bytes, NULL) == 0);
    unlink(path);
    snprintf(path, sizeof(path), "%s/" SKEIN_SNAPSHOT_NAME, fuzz_dir());
    packed = fixture_read(path, &size);
    seed = malloc(size + 4);
    memcpy(seed, &raw_bytes, 4);
    memcpy(seed + 4, packed, size);
    add(seed, size + 4);
    free(seed);
    free(packed);
    free(raw);
}
