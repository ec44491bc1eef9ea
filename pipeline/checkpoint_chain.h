/* The checkpoints of a recording from the first one to some other: what that one is made of. */
#ifndef SKEIN_PIPELINE_CHECKPOINT_CHAIN_H
#define SKEIN_PIPELINE_CHECKPOINT_CHAIN_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/checkpoint_file.h"

struct skein_checkpoint_chain {
    size_t count;
    struct skein_checkpoint_file **files; /* numbers 1, 2, … */
};

/*
 * Numbers 1 to `last`, each of which follows the one before it. The sentence of an error says which
 * one is at fault, and which can be used.
 */
int skein_checkpoint_chain_open(const char *dir, const struct skein_manifest *manifest,
                                uint64_t last, struct skein_checkpoint_chain *chain,
                                struct skein_error *err);
void skein_checkpoint_chain_close(struct skein_checkpoint_chain *chain);

/* Whether it is built on a snapshot with these blocks and so many page contents. */
int skein_checkpoint_chain_fits(const struct skein_checkpoint_chain *chain,
                                const struct skein_raw_block *blocks, size_t block_count,
                                uint64_t contents, struct skein_error *err);

/* All RAM blocks together are as large as such a machine may have them. */
int skein_checkpoint_chain_small(const struct skein_checkpoint_chain *chain,
                                 const struct skein_manifest *manifest, struct skein_error *err);

/* Whether a file follows the one before it (NULL: it is the first, and follows the snapshot). */
int skein_checkpoint_follows(const struct skein_checkpoint_file *f,
                             const struct skein_checkpoint_file *before,
                             const struct skein_manifest *manifest, struct skein_error *err);

/* Whether b can come after a in an execution. */
bool skein_checkpoint_cut_reached(const struct skein_checkpoint_cut *a,
                                  const struct skein_checkpoint_cut *b);

/* Both of the same recording. */
bool skein_checkpoint_cut_same(const struct skein_checkpoint_cut *a,
                               const struct skein_checkpoint_cut *b);

/* Whether a log up to these ticks reaches it. */
bool skein_checkpoint_is_within(const struct skein_checkpoint_cut *cut,
                                const struct skein_clock *end);

/* Whether the recording's log does, up to its last event. */
bool skein_checkpoint_is_reached(const struct skein_recording *rec,
                                 const struct skein_checkpoint_cut *cut);

/* The highest number that a file has, 0: there is none. Names that end in .partial do not count. */
int skein_checkpoint_last(const char *dir, uint64_t *last, struct skein_error *err);

/* Adds to the sentence of an error that `bad` is at fault: what can be used is the one before. */
void skein_checkpoint_advise(uint64_t bad, struct skein_error *err);

/* The number in NNNNNN.skc; 0 for other names. */
uint64_t skein_checkpoint_name_number(const char *name);

#endif
