/* The pages of a recording's snapshot, in the order that numbers their contents. */
#ifndef SKEIN_PIPELINE_CHECKPOINT_SNAPSHOT_H
#define SKEIN_PIPELINE_CHECKPOINT_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/checkpoint_raw.h"
#include "pipeline/manifest.h"

struct skein_snapshot_walk {
    /* Called for each page; 0 or -ENOMEM. */
    int (*page)(void *opaque, const uint8_t *page, uint64_t content);
    void *opaque;

    uint64_t pages;
    size_t block_count;
    struct skein_raw_block blocks[SKEIN_RAW_BLOCKS_MAX];
};

/* -EBADMSG: it is damaged, or none from QEMU. */
int skein_snapshot_walk(const char *dir, const struct skein_manifest *manifest,
                        struct skein_snapshot_walk *walk, struct skein_error *err);

#endif
