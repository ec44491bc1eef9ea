/*
 * Events in canonical order → blocks → segments of a recording. Where blocks and segments end
 * depends on the events only, so the same events make the same bytes.
 */
#ifndef SKEIN_PIPELINE_LOG_WRITER_H
#define SKEIN_PIPELINE_LOG_WRITER_H

#include <stdint.h>

#include "pipeline/collector.h"
#include "pipeline/error.h"
#include "pipeline/event.h"
#include "pipeline/segment.h"
#include "pipeline/stats.h"

#define SKEIN_LOG_BLOCK_BYTES (1024ull << 10) /* what block_bytes = 0 means */

struct skein_log_writer_opts {
    const char *dir; /* the recording; copied */
    uint8_t uuid[16];
    uint32_t shard_count;
    enum skein_durability durability;
    int zstd_level;         /* 0: the default */
    uint64_t block_bytes;   /* raw; 0: the default (1 MiB) */
    uint64_t segment_bytes; /* raw; 0: the default (64 MiB) */
};

struct skein_log_writer;

int skein_log_writer_create(const struct skein_log_writer_opts *opts, struct skein_log_writer **out,
                            struct skein_error *err);

/*
 * Goes on behind what other files hold: the first segment gets the number and the clock of `start`,
 * and its gap. Nothing may be added yet.
 */
void skein_log_writer_seek(struct skein_log_writer *writer,
                           const struct skein_segment_start *start);

/* The next event in canonical order. */
int skein_log_writer_add(struct skein_log_writer *writer, uint32_t shard,
                         const struct skein_record *record, struct skein_error *err);

/* Writes the last block and seals the last segment. Nothing is added after it. */
int skein_log_writer_finish(struct skein_log_writer *writer, struct skein_error *err);

/* Of all that was added; disk_bytes, blocks and segments of what is sealed. */
const struct skein_stats *skein_log_writer_stats(struct skein_log_writer *writer);

/* Each shard's last tick that is in a file: it survives this process. Index: the shard. */
const uint64_t *skein_log_writer_written(const struct skein_log_writer *writer);

/* Frees it; a segment that is not sealed stays as it is. */
void skein_log_writer_free(struct skein_log_writer *writer);

#endif
