/*
 * The checkpoints of a recording: DIR/checkpoints/NNNNNN.skc, numbered from 1. Each holds the
 * machine's state at a consistent cut, and of RAM what has changed since the one before it (the
 * first: since the snapshot). A page content is stored once in a recording. So a checkpoint is good
 * only when all earlier ones are.
 *
 * Number 0 stands for the snapshot, where every recording begins; it has no entry here.
 *
 * Errors: -ENOENT there is no such checkpoint, -EBADMSG it or one that it builds on is damaged or
 * missing (the sentence says which, and which can still be used), -EPROTO another format version,
 * -ENOMEM, or what the system said.
 */
#ifndef SKEIN_PIPELINE_CHECKPOINT_H
#define SKEIN_PIPELINE_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/clock.h"
#include "pipeline/error.h"
#include "pipeline/recording.h"
#include "pipeline/session.h"

#define SKEIN_CHECKPOINTS_NAME "checkpoints"

/* A vCPU at the cut. */
struct skein_checkpoint_vcpu {
    uint64_t icount;
    uint64_t digest;
    bool in_kernel;
};

/* Where a checkpoint stands. */
struct skein_checkpoint_cut {
    struct skein_clock clock; /* last tick of each shard before it */
    uint32_t released_shard;  /* who held the token last, and the tick that gave it up */
    uint64_t released_tick;
    uint64_t slices; /* TOKEN events before it */
    uint64_t icount; /* of the machine: the sum over all vCPUs */
    uint64_t console_bytes;
    uint64_t console_hash;
    uint64_t ram_digest;
    uint32_t vcpu_count;
    struct skein_checkpoint_vcpu vcpu[SKEIN_MAX_VCPUS];
};

struct skein_checkpoint_info {
    uint64_t number;
    bool ok;                  /* it and all that it builds on can be used, as far as headers say */
    struct skein_error error; /* why not */
    struct skein_checkpoint_cut cut; /* all zeros when its header cannot be read */
    uint64_t size_bytes;             /* of the file */
    uint64_t raw_bytes;              /* as QEMU wrote it */
    uint64_t pages;                  /* changed since the one before it: */
    uint64_t pages_stored;           /* with content that is stored here, */
    uint64_t pages_zero;             /* of zeros, */
    uint64_t pages_shared; /* and with content that is stored elsewhere, or here already */
};

struct skein_checkpoint_list {
    size_t count;
    struct skein_checkpoint_info *items; /* by number, from 1 on; missing ones are there, not ok */
};

/*
 * What the headers say; pages are not read. A recording without checkpoints has an empty list. What
 * is wrong with a checkpoint is in its entry, and no error.
 */
int skein_checkpoint_list_read(const struct skein_recording *rec, struct skein_checkpoint_list *out,
                               struct skein_error *err);
void skein_checkpoint_list_free(struct skein_checkpoint_list *list);

/* The last good one at or before a position; NULL: there is none, begin at the snapshot. */
const struct skein_checkpoint_info *
skein_checkpoint_list_at_icount(const struct skein_checkpoint_list *list, uint64_t icount);
const struct skein_checkpoint_info *
skein_checkpoint_list_at_slice(const struct skein_checkpoint_list *list, uint64_t slice);

/*
 * Makes the raw file that QEMU loads with snapshot=: the checkpoint's HEAD, CUT, CPU, VCPU, TLB,
 * PAGES and DEV as they were, the snapshot's RAM with all pages that have changed up to it, END.
 * Every checksum on the way is verified. After an error there is no file. Number 0: the snapshot.
 */
int skein_checkpoint_expand(const struct skein_recording *rec, uint64_t number,
                            const char *raw_path, struct skein_error *err);

/* Makes the small raw file for until=: HEAD, CUT, every VCPU, END. */
int skein_checkpoint_expand_state(const struct skein_recording *rec, uint64_t number,
                                  const char *raw_path, struct skein_error *err);

/* Reads all of them once: every checksum, every page. The first thing that is wrong is an error. */
int skein_checkpoint_check(const struct skein_recording *rec, struct skein_error *err);

#endif
