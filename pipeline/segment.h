/*
 * Segment files (layout: proto/skein.proto). A writer appends blocks to NNNNNN.skn.partial and
 * seals it into NNNNNN.skn; a reader loads the headers of all blocks and then any block by its
 * index. What a sealed segment holds is known from its footer, before any block header is read.
 */
#ifndef SKEIN_PIPELINE_SEGMENT_H
#define SKEIN_PIPELINE_SEGMENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/block.h"
#include "pipeline/collector.h"
#include "pipeline/error.h"
#include "pipeline/recording.h"
#include "pipeline/stats.h"

#define SKEIN_SEGMENT_TRAILER "SKNSEGND"
#define SKEIN_SEGMENT_TRAILER_BYTES 16u
#define SKEIN_CODEC_ZSTD_COLUMNS 1u

struct skein_segment_start {
    uint8_t uuid[16];
    uint64_t number; /* 1, 2, … */
    uint32_t shard_count;
    uint64_t clock[SKEIN_MAX_SHARDS]; /* last ticks before it */
    uint64_t slices;                  /* TOKEN events before it */
    bool gap;                         /* recovered, and events before it are missing */
};

struct skein_segment_writer;

/* Creates DIR/segments/NNNNNN.skn.partial with the segment's header. */
int skein_segment_writer_open(const char *dir, const struct skein_segment_start *start,
                              enum skein_durability durability, struct skein_segment_writer **out,
                              struct skein_error *err);

/* Appends a block as skein_block_encoder_finish() gave it. */
int skein_segment_writer_block(struct skein_segment_writer *writer,
                               const struct skein_block_info *info, const uint8_t *data,
                               size_t data_bytes, struct skein_error *err);

/*
 * Writes the footer, makes it durable, gives the file its final name. stats: of its events; its
 * disk_bytes, blocks and segments are filled in. The writer is freed, whatever the result.
 */
int skein_segment_writer_seal(struct skein_segment_writer *writer, struct skein_stats *stats,
                              struct skein_error *err);

/* Leaves the file as it is, with its .partial name, and frees the writer. */
void skein_segment_writer_abandon(struct skein_segment_writer *writer);

struct skein_segment_block {
    uint64_t header; /* its offset in the file */
    uint64_t offset; /* of the block data */
    uint64_t data_bytes;
    uint64_t data_xxh64;
    uint64_t number; /* 1, 2, … */
    struct skein_block_info info;
};

struct skein_segment {
    struct skein_segment_start start;
    char *path;
    uint64_t size_bytes;
    bool sealed;                          /* has a footer that fits */
    struct skein_stats stats;             /* of the footer, if sealed */
    uint64_t clock_end[SKEIN_MAX_SHARDS]; /* last ticks up to its end */
    uint64_t events;
    size_t block_count;
    struct skein_segment_block *blocks; /* NULL: not read, see skein_segment_acquire() */
    uint64_t lost_bytes; /* passed over: the torn end of a partial file, or by salvage */
    uint64_t lost_blocks;
    unsigned users; /* of blocks, when they are read on demand */
    bool on_demand;
    pthread_mutex_t lock; /* of users and blocks */
};

/*
 * Reads all headers. A file named *.partial may end anywhere: its torn end is counted as lost.
 * Everything else that is wrong is -EBADMSG (-EPROTO: another version) in strict mode and passed
 * over in salvage mode, in which only an unreadable segment header is an error.
 */
int skein_segment_open(const char *path, enum skein_read_mode mode, struct skein_segment **out,
                       struct skein_error *err);

/*
 * The same for strict mode, at the cost of a few pages: of a sealed segment only its header and its
 * footer, which says how much there is. Whatever is not in order there, or not sealed, is read as
 * above.
 */
int skein_segment_glance(const char *path, struct skein_segment **out, struct skein_error *err);

/*
 * Makes `blocks` available, from now until as many calls of release. Reads all headers when nobody
 * has yet, with all the checks of skein_segment_open(). Any thread may call these two.
 */
int skein_segment_acquire(struct skein_segment *segment, struct skein_error *err);
void skein_segment_release(struct skein_segment *segment);

/* Reads block i, checks its checksum, decodes it. `blocks` must be available. */
int skein_segment_load(const struct skein_segment *segment, size_t i, struct skein_block **out,
                       struct skein_error *err);

void skein_segment_close(struct skein_segment *segment);

#endif
