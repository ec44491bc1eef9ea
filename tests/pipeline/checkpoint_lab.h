/* A recording with a snapshot and checkpoints, and RAM as it was at each of them. */
#ifndef SKEIN_TESTS_PIPELINE_CHECKPOINT_LAB_H
#define SKEIN_TESTS_PIPELINE_CHECKPOINT_LAB_H

#include "pipeline/checkpoint.h"
#include "tests/pipeline/machine.h"

#define CHECKPOINT_LAB_SHARDS 3u

struct checkpoint_lab {
    char dir[256], raw[8][300], out[300];
    struct machine m;
    uint8_t *ram[8]; /* pc.ram and vga.vram, one after the other */
    uint64_t count;
    struct skein_manifest manifest;
    struct skein_recording *rec;
};

/* Up to 7 checkpoints; that many writes between them. */
struct checkpoint_lab checkpoint_lab_make(uint64_t pages, uint64_t count, unsigned writes);
void checkpoint_lab_free(struct checkpoint_lab *l);
void checkpoint_lab_leave(struct checkpoint_lab *l); /* the folder stays */

/* Keeps RAM as that of checkpoint n; makes the machine's RAM that again. */
void checkpoint_lab_keep(struct checkpoint_lab *l, uint64_t n);
void checkpoint_lab_return(struct checkpoint_lab *l, uint64_t n);

/* The machine moves to the ticks of checkpoint n: that part of each shard. */
void checkpoint_lab_move(struct checkpoint_lab *l, uint64_t n, uint64_t of);

void checkpoint_lab_reopen(struct checkpoint_lab *l);
void checkpoint_lab_path(const struct checkpoint_lab *l, unsigned n, char path[300]);

/* Expands checkpoint n and compares it with what was; "": it is the same. */
const char *checkpoint_lab_compare(struct checkpoint_lab *l, uint64_t n);

#endif
