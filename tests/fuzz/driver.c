/*
 * Runs a fuzzer without libFuzzer: all seeds, then a fixed number of mutations of each, the same
 * ones every time. With --corpus DIR, the files in there too. With --seeds DIR it only writes the
 * seeds there; with files it runs those.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "tests/pipeline/fixture.h"

#define MUTATIONS_PER_SEED 200
#define SECONDS_PER_INPUT 20

static const char *seeds_dir;
static unsigned seeds, inputs;

static void write_seed(const uint8_t *bytes, size_t size) {
    char path[512];

    snprintf(path, sizeof(path), "%s/seed-%u", seeds_dir, seeds++);
    fixture_write(path, bytes, size);
}

static void run_one(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size + 1); /* one of its own, so that a sanitizer sees its end */

    alarm(SECONDS_PER_INPUT);
    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    inputs++;
}

/* One to four changes: a bit, a byte, eight bytes, a piece removed or doubled, the end cut off. */
static size_t mutate(struct random *rng, uint8_t *bytes, size_t size) {
    for (uint64_t n = 1 + random_below(rng, 4); n != 0 && size > 8; n--) {
        const size_t at = random_below(rng, size - 8), piece = 1 + random_below(rng, 8);
        const uint64_t word = random_next(rng) >> random_below(rng, 64);
        switch (random_below(rng, 6)) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << random_below(rng, 8));
            break;
        case 1:
            bytes[at] = (uint8_t)word;
            break;
        case 2:
            memcpy(bytes + at, &word, 8);
            break;
        case 3:
            memmove(bytes + at, bytes + at + piece, size - at - piece);
            size -= piece;
            break;
        case 4:
            memmove(bytes + at + piece, bytes + at, size - at);
            size += piece;
            break;
        default:
            size = random_below(rng, 8) == 0 ? at : size;
        }
    }
    return size;
}

static void run_seed(const uint8_t *bytes, size_t size) {
    struct random rng = {size};
    uint8_t *changed = malloc(size + 64);

    seeds++;
    run_one(bytes, size);
    for (int i = 0; i < MUTATIONS_PER_SEED; i++) {
        memcpy(changed, bytes, size);
        run_one(changed, mutate(&rng, changed, size));
    }
    free(changed);
}

static void run_file(const char *path) {
    size_t size;
    uint8_t *bytes = fixture_read(path, &size);

    run_one(bytes, size);
    free(bytes);
}

/* An empty corpus is a mistake of who asks for it. */
static int run_corpus(const char *dir) {
    struct dirent **names;
    const int count = scandir(dir, &names, NULL, alphasort);
    int files = 0;

    for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
        if (names[i]->d_name[0] != '.') {
            run_file(path);
            files++;
        }
        free(names[i]);
    }
    if (count >= 0) {
        free(names);
    }
    printf("%d files in %s\n", files, dir);
    return files != 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    int rc = 0;

    if (argc == 3 && strcmp(argv[1], "--seeds") == 0) {
        seeds_dir = argv[2];
        fuzz_seeds(write_seed);
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--corpus") == 0) {
        rc = run_corpus(argv[2]);
        argc = 1;
    }
    for (int i = 1; i < argc; i++) {
        run_file(argv[i]);
    }
    if (argc == 1) {
        fuzz_seeds(run_seed);
        printf("%u inputs from %u seeds\n", inputs, seeds);
    }
    return rc;
}
