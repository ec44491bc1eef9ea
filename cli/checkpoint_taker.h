/*
 * Takes the checkpoints that QEMU writes (PREFIX.N, session.h) into the recording, in a thread of
 * its own, for as long as the guest runs.
 */
#ifndef SKEIN_CLI_CHECKPOINT_TAKER_H
#define SKEIN_CLI_CHECKPOINT_TAKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "pipeline/checkpoint_pack.h"
#include "pipeline/session_map.h"

struct skein_checkpoint_taker {
    struct skein_session *session;
    const char *prefix;
    struct skein_checkpoint_packer *packer; /* NULL: it was not started */
    pthread_t thread;
    uint32_t end;             /* asked to */
    struct skein_error error; /* "": all were kept; else why none is after the last one */
};

/* Goes on behind checkpoint `after`. prefix is not copied. */
int skein_checkpoint_taker_start(struct skein_checkpoint_taker *t, struct skein_session *session,
                                 const char *prefix, const char *dir,
                                 const struct skein_manifest *manifest, uint64_t after,
                                 struct skein_error *err);

/* QEMU has ended: takes what it wrote last, and ends. Nothing when it was not started. */
void skein_checkpoint_taker_stop(struct skein_checkpoint_taker *t);

/* Removes what was not taken: the next file, whole or not. */
void skein_checkpoint_discard(const struct skein_session_header *header, const char *prefix);

#endif
