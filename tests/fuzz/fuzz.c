#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "pipeline/frame.h"
#include "proto/skein.pb-c.h"
#include "tests/pipeline/fixture.h"

uint64_t fuzz_take(struct fuzz_input *in, size_t bytes) {
    const size_t n = bytes < in->left ? bytes : in->left;
    uint64_t value = 0;

    if (n != 0) {
        memcpy(&value, in->bytes, n);
    }
    in->bytes += n;
    in->left -= n;
    return value;
}

void fuzz_broken(const char *condition, const char *file, int line) {
    fprintf(stderr, "%s:%d: %s does not hold\n", file, line, condition);
    abort();
}

static char dir[256];

static void remove_dir(void) {
    fixture_remove(dir);
}

const char *fuzz_dir(void) {
    if (dir[0] == '\0') {
        const char *base = getenv("SKEIN_FUZZ_TMP");
        snprintf(dir, sizeof(dir), "%s/skein-fuzz-XXXXXX", base != NULL ? base : "/dev/shm");
        FUZZ_CHECK(mkdtemp(dir) != NULL);
        atexit(remove_dir);
    }
    return dir;
}

/* Sets the checksum of the data behind a block's header; the number of those data. */
static size_t reseal_data(uint8_t *message, uint32_t length, const uint8_t *data, size_t left) {
    Skein__BlockHeader *header = skein__block_header__unpack(NULL, length, message);
    size_t data_bytes = 0;

    if (header == NULL) {
        return 0;
    }
    if (header->data_bytes <= left) {
        data_bytes = header->data_bytes;
        header->data_xxh64 = XXH64(data, data_bytes, 0);
        if (skein__block_header__get_packed_size(header) == length) {
            skein__block_header__pack(header, message);
        }
    }
    skein__block_header__free_unpacked(header, NULL);
    return data_bytes;
}

void fuzz_reseal(uint8_t *file, size_t size) {
    size_t at = 0;

    while (size - at >= SKEIN_FRAME_OVERHEAD_BYTES) {
        uint8_t *frame = file + at;
        uint32_t length;
        memcpy(&length, frame + 12, 4);
        if (memcmp(frame, "SKN", 3) != 0 || length > size - at - SKEIN_FRAME_OVERHEAD_BYTES) {
            at++;
            continue;
        }
        at += SKEIN_FRAME_OVERHEAD_BYTES + length;
        if (memcmp(frame, SKEIN_FRAME_BLOCK, 8) == 0) {
            at += reseal_data(frame + SKEIN_FRAME_PREFIX_BYTES, length, file + at, size - at);
        }
        const uint64_t hash = XXH64(frame, SKEIN_FRAME_PREFIX_BYTES + length, 0);
        memcpy(frame + SKEIN_FRAME_PREFIX_BYTES + length, &hash, 8);
    }
}
