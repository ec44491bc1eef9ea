/* The inside of expanding a checkpoint; checkpoint_expand.c leads. */
#ifndef SKEIN_PIPELINE_CHECKPOINT_EXPAND_PRIVATE_H
#define SKEIN_PIPELINE_CHECKPOINT_EXPAND_PRIVATE_H

#include "pipeline/checkpoint_chain.h"

#define SKEIN_UNCHANGED (UINT64_MAX - 1) /* beside content numbers and SKEIN_CONTENT_ZERO */

/* A page of RAM; pages of all blocks are numbered one after the other. */
struct skein_expand_page {
    uint64_t content; /* in the end */
    uint64_t place;   /* in the raw file; 0: it is not there */
};

/* A changed page whose content has to be fetched. */
struct skein_expand_want {
    uint64_t content, page;
};

/* A page of the snapshot that is wanted elsewhere. */
struct skein_kept_page {
    uint64_t content;
    uint8_t bytes[SKEIN_PAGE_BYTES];
};

struct skein_expansion {
    struct skein_checkpoint_chain chain;
    const struct skein_checkpoint_file *last;
    const char *raw_path;
    int fd;
    uint64_t at; /* where the raw file is written on */
    uint64_t page_count;
    struct skein_expand_page *pages;
    uint64_t first_page[SKEIN_RAW_BLOCKS_MAX + 1]; /* of each block */
    size_t want_count;
    struct skein_expand_want *wants; /* by content */
    /* The snapshot: its pages so far, and those that are wanted elsewhere. */
    uint64_t seen;
    size_t next_want;
    size_t kept_count, kept_capacity;
    struct skein_kept_page *kept; /* by content */
    uint8_t *buffer;              /* a run, or a chunk */
};

/* At a place of the raw file. */
int skein_expansion_put_at(struct skein_expansion *x, const void *bytes, size_t n, uint64_t at,
                           struct skein_error *err);

/* What each page is in the end, by the tables of all checkpoints, and which have to be fetched. */
int skein_expansion_plan(struct skein_expansion *x, struct skein_error *err);

/* Puts the contents that have to be fetched into their places. */
int skein_expansion_fetch(struct skein_expansion *x, struct skein_error *err);

#endif
