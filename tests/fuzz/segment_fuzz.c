/* A segment file, sealed or partial, its checksums as they are or made to fit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/segment.h"
#include "tests/fuzz/fuzz.h"
#include "tests/pipeline/fixture.h"

#define RESEAL 1u
#define PARTIAL 2u

static void read_all(const char *path, enum skein_read_mode mode) {
    struct skein_segment *segment;
    struct skein_error err = {""};

    if (skein_segment_open(path, mode, &segment, &err) != 0) {
        FUZZ_CHECK(err.text[0] != '\0');
        return;
    }
    FUZZ_CHECK(segment->lost_bytes <= segment->size_bytes);
    for (size_t i = 0; i < segment->block_count; i++) {
        struct skein_block *block;
        if (skein_segment_load(segment, i, &block, &err) == 0) {
            FUZZ_CHECK(block->info.events == segment->blocks[i].info.events);
            skein_block_free(block);
        }
    }
    skein_segment_close(segment);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    char path[300];
    uint8_t *file;

    if (size == 0) {
        return 0;
    }
    snprintf(path, sizeof(path), "%s/000001.skn%s", fuzz_dir(),
             (bytes[0] & PARTIAL) != 0 ? ".partial" : "");
    file = malloc(size);
    memcpy(file, bytes + 1, size - 1);
    if ((bytes[0] & RESEAL) != 0) {
        fuzz_reseal(file, size - 1);
    }
    fixture_write(path, file, size - 1);
    free(file);
    read_all(path, SKEIN_READ_STRICT);
    read_all(path, SKEIN_READ_SALVAGE);
    return 0;
}

void fuzz_seeds(fuzz_add add) {
    struct history h = history_make(9, 3, 30, 1);
    char dir[300], path[400];
    uint8_t *file, *seed;
    size_t size;

    snprintf(dir, sizeof(dir), "%s/recording", fuzz_dir());
    fixture_record(dir, &h, h.count, 800, 1 << 20);
    snprintf(path, sizeof(path), "%s/segments/000001.skn", dir);
    file = fixture_read(path, &size);
    fixture_remove(dir);
    seed = malloc(size + 1);
    memcpy(seed + 1, file, size);
    for (uint8_t flags = 0; flags < 4; flags++) {
        seed[0] = flags;
        add(seed, size + 1);
    }
    free(seed);
    free(file);
    history_free(&h);
}
