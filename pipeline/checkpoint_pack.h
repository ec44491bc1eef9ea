/*
 * Packs raw checkpoints, one after the other, into a recording: each page content is stored once.
 * For that the packer knows the hash of every page that the snapshot and the checkpoints hold
 * (24 bytes for each content).
 *
 * One packer at a time: it locks DIR/checkpoints. -EBUSY: there is one.
 */
#ifndef SKEIN_PIPELINE_CHECKPOINT_PACK_H
#define SKEIN_PIPELINE_CHECKPOINT_PACK_H

#include <stdint.h>

#include "pipeline/checkpoint.h"
#include "pipeline/error.h"
#include "pipeline/manifest.h"

struct skein_checkpoint_packer;

/*
 * Goes on behind checkpoint `after`, which must be good; 0: the snapshot. -EEXIST: there is a later
 * one already. Reads the snapshot once.
 */
int skein_checkpoint_packer_open(const char *dir, const struct skein_manifest *manifest,
                                 uint64_t after, struct skein_checkpoint_packer **out,
                                 struct skein_error *err);

/*
 * The next one. A raw file that is no checkpoint, or not the next one, is -EBADMSG. After an error
 * nothing of it is there, and no other one can be added: -EPIPE.
 */
int skein_checkpoint_packer_add(struct skein_checkpoint_packer *p, const char *raw_path,
                                struct skein_error *err);

/* The number of the last one. */
uint64_t skein_checkpoint_packer_last(const struct skein_checkpoint_packer *p);

void skein_checkpoint_packer_close(struct skein_checkpoint_packer *p);

#endif
