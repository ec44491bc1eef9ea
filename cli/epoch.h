/* The epochs of a recording: what stands between two checkpoints, and can be replayed alone. */
#ifndef SKEIN_CLI_EPOCH_H
#define SKEIN_CLI_EPOCH_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/clock.h"
#include "pipeline/error.h"
#include "pipeline/recording.h"

/*
 * Epoch N begins at checkpoint N - 1 (the first one at the snapshot, checkpoint 0) and ends at
 * checkpoint N (the last one at the end). Where checkpoints cannot be used, several are replayed as
 * one: first < last.
 */
struct skein_epoch {
    uint32_t first, last;
    uint32_t from;  /* checkpoint; 0: the snapshot */
    uint32_t until; /* checkpoint; 0: the end */
    struct skein_clock after;
    uint64_t console_from, console_to; /* bytes of the console; to: UINT64_MAX is its end */
    uint64_t events;
};

struct skein_epochs {
    size_t count;
    struct skein_epoch *items;
    uint32_t all; /* how many there would be if every checkpoint could be used */
    /* The first checkpoint that cannot be used, and why; 0: all can. */
    uint32_t bad_checkpoint;
    struct skein_error why;
};

int skein_epochs_plan(struct skein_recording *rec, struct skein_epochs *out,
                      struct skein_error *err);
void skein_epochs_free(struct skein_epochs *epochs);

/* "epoch 3 of 6", "epochs 3 to 6 of 6". */
void skein_epoch_name(const struct skein_epoch *epoch, uint32_t all, char *text, size_t size);

#endif
