/*
 * Which pages of RAM a checkpoint changes, and to which contents. Contents are numbered throughout
 * a recording: the snapshot's pages, as they stand in it, from 0; then those that each checkpoint
 * stores. On disk it is the message CheckpointTable.
 */
#ifndef SKEIN_PIPELINE_CHECKPOINT_TABLE_H
#define SKEIN_PIPELINE_CHECKPOINT_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/checkpoint_raw.h"

#define SKEIN_CONTENT_ZERO UINT64_MAX

struct skein_page_run {
    uint32_t block;
    uint64_t page; /* of the block */
    uint64_t pages;
    uint64_t content; /* the first page's, the others' follow; SKEIN_CONTENT_ZERO: of all */
};

struct skein_page_hash {
    uint8_t bytes[16];
};

struct skein_checkpoint_table {
    size_t run_count, run_capacity;
    struct skein_page_run *runs; /* ascending */
    size_t hash_count, hash_capacity;
    struct skein_page_hash *hashes; /* of the contents stored here */
};

void skein_checkpoint_table_free(struct skein_checkpoint_table *t);

/* The next page, behind all others. -ENOMEM. */
int skein_checkpoint_table_page(struct skein_checkpoint_table *t, uint32_t block, uint64_t page,
                                uint64_t content);
int skein_checkpoint_table_hash(struct skein_checkpoint_table *t, struct skein_page_hash hash);

/* The message, malloc'ed. -ENOMEM. */
int skein_checkpoint_table_pack(const struct skein_checkpoint_table *t, uint8_t **bytes,
                                size_t *size);

/* How large the message can be at most. */
uint64_t skein_checkpoint_table_limit(uint64_t pages, uint64_t contents);

struct skein_checkpoint_table_shape {
    size_t block_count;
    const struct skein_raw_block *blocks;
    uint64_t pages;    /* what all runs add up to */
    uint64_t contents; /* hashes */
    uint64_t known;    /* contents that there are in all, up to this checkpoint */
};

/* -EBADMSG: it is not one, or not of that shape. */
int skein_checkpoint_table_parse(const uint8_t *bytes, size_t size,
                                 const struct skein_checkpoint_table_shape *shape,
                                 struct skein_checkpoint_table *t);

#endif
