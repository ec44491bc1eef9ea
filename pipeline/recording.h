/*
 * A recording: a directory.
 *
 *   manifest              what it is (manifest.h)
 *   snapshot.zst          the machine's state at the start (snapshot_file.h)
 *   console.log           what the guest wrote to its console
 *   segments/000001.skn   sealed segments (segment.h), numbered from 1
 *   segments/000007.skn.partial   one that was not sealed: the recorder died
 *   checkpoints/000001.skc   the machine's state later on (checkpoint.h), numbered from 1
 */
#ifndef SKEIN_PIPELINE_RECORDING_H
#define SKEIN_PIPELINE_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/error.h"
#include "pipeline/manifest.h"
#include "pipeline/stats.h"

#define SKEIN_SNAPSHOT_NAME "snapshot.zst"
#define SKEIN_CONSOLE_NAME "console.log"

enum skein_read_mode {
    SKEIN_READ_STRICT,  /* the first thing that is wrong is an error */
    SKEIN_READ_SALVAGE, /* unreadable blocks are passed over and counted */
};

struct skein_recording;

struct skein_segment_info {
    uint64_t number;
    char path[1200];
    uint64_t size_bytes;
    uint64_t blocks;
    uint64_t events;
    bool sealed;
};

/*
 * Makes the directory (it must not exist, or be empty) with segments/ and a first manifest.
 * -EEXIST: there is something in it.
 */
int skein_recording_create(const char *dir, const struct skein_manifest *manifest,
                           struct skein_error *err);

/*
 * Opens for reading: reads the manifest and what every segment says about itself in its header and
 * footer. A recording whose recorder died is readable (complete is false); what a strict open
 * refuses is damage. That of blocks is found when they are read: the headers of a segment's blocks
 * all at once, when the first of them is. A salvage open reads every block's header.
 * -ENOENT, -EINVAL: not a recording; -EPROTO: of another format version; -EBADMSG: damaged.
 */
int skein_recording_open(const char *dir, enum skein_read_mode mode, struct skein_recording **out,
                         struct skein_error *err);
void skein_recording_close(struct skein_recording *rec);

const char *skein_recording_dir(const struct skein_recording *rec);
const struct skein_manifest *skein_recording_manifest(const struct skein_recording *rec);
uint32_t skein_recording_shard_count(const struct skein_recording *rec);

/* True when the manifest says complete and all that it counts is there. */
bool skein_recording_complete(const struct skein_recording *rec);

/* Events that the readable blocks hold. */
uint64_t skein_recording_events(const struct skein_recording *rec);

size_t skein_recording_segment_count(const struct skein_recording *rec);
void skein_recording_segment(const struct skein_recording *rec, size_t i,
                             struct skein_segment_info *info);

/* Blocks that salvage could not use, and bytes passed over. */
void skein_recording_losses(const struct skein_recording *rec, uint64_t *blocks, uint64_t *bytes);

/*
 * What the recording holds, by kind and shard: the manifest's numbers, or, when it is not complete,
 * those of the footers, and counted by reading the segments that have none.
 */
int skein_recording_stats(struct skein_recording *rec, struct skein_stats *stats,
                          struct skein_error *err);

/* Reads everything once: every checksum, every block decoded, snapshot, console, checkpoints. */
int skein_recording_check(struct skein_recording *rec, struct skein_error *err);

#endif
