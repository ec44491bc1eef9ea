/*
 * The raw format: how QEMU writes and reads snapshots and checkpoints (docs/format.md). A stream of
 * sections, pulled one by one; nothing that it says is believed before it has been checked.
 *
 * Errors: -EBADMSG it is not what it should be, or cut off; what the source's read returns.
 */
#ifndef SKEIN_PIPELINE_CHECKPOINT_RAW_H
#define SKEIN_PIPELINE_CHECKPOINT_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "pipeline/checkpoint.h"

#define SKEIN_RAW_MAGIC "SKNSNAP1"
#define SKEIN_PAGE_BYTES 4096u
#define SKEIN_RAW_RUN_MAX ((1u << 20) + SKEIN_PAGE_BYTES)
#define SKEIN_RAW_BLOCKS_MAX 64u
#define SKEIN_RAW_NAME_BYTES 256u
#define SKEIN_RAW_HEADER_BYTES 16u /* of a section */
#define SKEIN_RAW_PLACE_BYTES 16u  /* of RAM: its offset and length */
#define SKEIN_RAW_RUN_BYTES 16u    /* of a run's header */

enum skein_raw_type {
    SKEIN_RAW_HEAD = 1,
    SKEIN_RAW_CPU = 2,
    SKEIN_RAW_DEV = 3,
    SKEIN_RAW_RAM = 4,
    SKEIN_RAW_END = 5,
    SKEIN_RAW_CUT = 6,
    SKEIN_RAW_VCPU = 7,
};

/* A block of the machine's RAM. */
struct skein_raw_block {
    char name[SKEIN_RAW_NAME_BYTES];
    uint64_t offset;
    uint64_t bytes; /* whole pages */
};

bool skein_raw_block_same(const struct skein_raw_block *a, const struct skein_raw_block *b);

struct skein_raw {
    /* Exactly so many bytes; to NULL: they are passed over. 0, -ENODATA at the end, or -errno. */
    int (*read)(void *opaque, void *to, size_t bytes);
    void *opaque;
    const char *what; /* for the sentence: a path */

    uint64_t at; /* bytes read so far */
    /* The section at hand, its name and content not counted in `bytes` of RAM. */
    uint32_t type;
    uint64_t bytes;
    struct skein_raw_block block; /* its name is the section's; the rest is RAM's */
    uint64_t run_at, run_bytes;   /* RAM: the run at hand */
};

/* The magic. */
int skein_raw_begin(struct skein_raw *raw, struct skein_error *err);

/* The next section: its header and name, and RAM's place. */
int skein_raw_next(struct skein_raw *raw, struct skein_error *err);

/* Content of the section (or run) at hand, the next so many bytes; to NULL: passes over them. */
int skein_raw_take(struct skein_raw *raw, void *to, uint64_t bytes, struct skein_error *err);

/* RAM's next run, which lies behind the one before it: 1; 0: there are no more. */
int skein_raw_next_run(struct skein_raw *raw, struct skein_error *err);

/* What a raw checkpoint says of itself, and where its parts lie. */
struct skein_raw_extent {
    uint64_t at, bytes;
};

struct skein_raw_map {
    uint8_t uuid[16];
    uint32_t vcpus;
    uint64_t number; /* 0: a snapshot */
    uint64_t bytes;  /* of the file */
    struct skein_checkpoint_cut cut;
    size_t block_count;
    struct skein_raw_block blocks[SKEIN_RAW_BLOCKS_MAX];
    uint64_t pages; /* in all runs */
    /* Everything but RAM: magic, sections, END. */
    size_t extent_count;
    struct skein_raw_extent extents[SKEIN_RAW_BLOCKS_MAX + 1];
    uint64_t state_bytes;
    uint64_t state_before_ram;
};

/* Reads a raw checkpoint (not a snapshot) of that length once, and checks it; RAM's content is
 * passed over. Without RAM it is one, too. */
int skein_raw_map(const struct skein_raw *raw, uint64_t bytes, struct skein_raw_map *map,
                  struct skein_error *err);
int skein_raw_map_file(FILE *f, const char *path, struct skein_raw_map *map,
                       struct skein_error *err);

/* A source that is a file, for `read`; opaque: the FILE. */
int skein_raw_read_file(void *opaque, void *to, size_t bytes);

#endif
