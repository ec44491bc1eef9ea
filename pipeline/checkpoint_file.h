/*
 * One packed checkpoint, DIR/checkpoints/NNNNNN.skc (docs/format.md):
 *
 *   frame  CheckpointHeader: whose it is, which, where it stands
 *   chunks zstd frames of 256 KiB each: of the state (the raw file without RAM), of the page
 *          contents stored here, of the table that says which pages have which contents
 *   frame  CheckpointFooter: sizes, and of each chunk its length and XXH64
 *   16     offset of the footer's frame, "SKNCKEND"
 */
#ifndef SKEIN_PIPELINE_CHECKPOINT_FILE_H
#define SKEIN_PIPELINE_CHECKPOINT_FILE_H

#include <stdint.h>

#include "pipeline/checkpoint.h"
#include "pipeline/checkpoint_raw.h"
#include "pipeline/checkpoint_table.h"
#include "pipeline/manifest.h"

#define SKEIN_CHECKPOINT_TRAILER "SKNCKEND"
#define SKEIN_CHECKPOINT_TRAILER_BYTES 16u
#define SKEIN_CHECKPOINT_CHUNK_BYTES (256u << 10)
#define SKEIN_CHECKPOINT_CHUNK_PAGES (SKEIN_CHECKPOINT_CHUNK_BYTES / SKEIN_PAGE_BYTES)

enum skein_checkpoint_part {
    SKEIN_CHECKPOINT_STATE,
    SKEIN_CHECKPOINT_CONTENTS,
    SKEIN_CHECKPOINT_TABLE,
    SKEIN_CHECKPOINT_PARTS,
};

struct skein_checkpoint_header {
    uint8_t uuid[16];
    uint64_t number;
    uint64_t before_xxh64;
    struct skein_checkpoint_cut cut;
};

struct skein_checkpoint_chunk {
    uint64_t offset, bytes; /* in the file */
    uint64_t xxh64;
};

struct skein_checkpoint_footer {
    uint64_t raw_bytes;
    uint64_t state_before_ram;
    uint64_t first_content;
    uint64_t pages, pages_zero, pages_shared;
    uint64_t part_bytes[SKEIN_CHECKPOINT_PARTS];
    size_t block_count;
    struct skein_raw_block blocks[SKEIN_RAW_BLOCKS_MAX];
    size_t chunk_count;
    struct skein_checkpoint_chunk *chunks;
};

struct skein_checkpoint_file {
    char *path;
    int fd; /* -1: not open now */
    uint64_t size_bytes;
    uint64_t footer_xxh64; /* what the next checkpoint is built on */
    struct skein_checkpoint_header header;
    struct skein_checkpoint_footer footer;
    void *zstd;
};

/* Its path; with ".partial" as long as it is not whole. */
int skein_checkpoint_path(const char *dir, uint64_t number, char path[], size_t size);

/* How many chunks a part of that size takes. */
uint64_t skein_checkpoint_chunks(uint64_t bytes);

/* Page contents that are stored in it. */
uint64_t skein_checkpoint_contents(const struct skein_checkpoint_footer *footer);

/* Reads header and footer, and checks them. The file is closed again until it is read. */
int skein_checkpoint_file_open(const char *dir, const struct skein_manifest *manifest,
                               uint64_t number, struct skein_checkpoint_file **out,
                               struct skein_error *err);
void skein_checkpoint_file_close(struct skein_checkpoint_file *f);

/* Closes the descriptor, until something is read again: there may be thousands of them. */
void skein_checkpoint_file_rest(struct skein_checkpoint_file *f);

/* Chunk i of a part, verified: *bytes of it go to `to`, which has room for a whole one. */
int skein_checkpoint_file_chunk(struct skein_checkpoint_file *f, enum skein_checkpoint_part part,
                                uint64_t i, uint8_t *to, size_t *bytes, struct skein_error *err);

/* The table, whole. The blocks must have been found to be the snapshot's. */
int skein_checkpoint_file_table(struct skein_checkpoint_file *f, struct skein_checkpoint_table *t,
                                struct skein_error *err);

/* The state as a source for struct skein_raw. */
struct skein_checkpoint_state {
    struct skein_checkpoint_file *file;
    struct skein_error error; /* why a read has failed */
    uint64_t next;            /* chunk */
    size_t at, used;
    uint8_t chunk[SKEIN_CHECKPOINT_CHUNK_BYTES];
};
int skein_checkpoint_state_read(void *state, void *to, size_t bytes);

#endif
