/*
 * A made-up machine that writes its state as QEMU does (pipeline/checkpoint_raw.h): a snapshot,
 * then checkpoints with the pages that have changed; and reads a raw file back.
 */
#ifndef SKEIN_TESTS_PIPELINE_MACHINE_H
#define SKEIN_TESTS_PIPELINE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/checkpoint.h"
#include "tests/pipeline/random.h"

#define MACHINE_BLOCKS 2u
#define MACHINE_PAGE 4096u

struct machine {
    struct random rng;
    uint8_t uuid[16];
    uint32_t vcpus;
    uint64_t number; /* of the last checkpoint */
    uint64_t pages[MACHINE_BLOCKS];
    uint8_t *ram[MACHINE_BLOCKS];
    bool *changed[MACHINE_BLOCKS]; /* since the last checkpoint */
    struct skein_checkpoint_cut cut;
    uint32_t opaque_bytes; /* of sections that nobody looks into */
};

/* RAM of so many pages, some zero, some noise, some alike. */
struct machine machine_make(const uint8_t uuid[16], uint32_t vcpus, uint64_t pages, uint64_t seed);
void machine_free(struct machine *m);

/* Writes pages: noise, zeros, copies of others, or what they hold already. */
void machine_run(struct machine *m, unsigned writes);

/* Moves the cut: all ticks up to those. */
void machine_move(struct machine *m, const uint64_t *ticks);

void machine_snapshot(struct machine *m, const char *path);
void machine_checkpoint(struct machine *m, const char *path);

/*
 * Compares what a raw file holds with RAM as it is now, and its other sections with those of a
 * checkpoint that machine_checkpoint() has just written to `like` (NULL: not). "": it is the same.
 */
const char *machine_compare(const struct machine *m, const char *path, const char *like);

#endif
