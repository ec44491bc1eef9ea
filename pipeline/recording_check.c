#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/checkpoint.h"
#include "pipeline/recording_private.h"

/* Of a block that salvage cannot use, -EBADMSG: it is lost. */
static int count_block(struct skein_segment *seg, size_t i, struct skein_stats *stats,
                       struct skein_error *err) {
    struct skein_block *block;
    int rc = skein_segment_load(seg, i, &block, err);

    if (rc != 0) {
        return rc;
    }
    for (uint32_t e = 0; e < block->info.events; e++) {
        skein_stats_count(stats, block->events[e].shard, skein_block_record(block, e));
    }
    skein_block_free(block);
    return 0;
}

/* Reads, checks and decodes every block; what a footer counts must be there. */
static int count_segment(const struct skein_recording *rec, struct skein_segment *seg,
                         struct skein_stats *stats, struct skein_error *err) {
    int rc = skein_segment_acquire(seg, err);

    if (rc != 0) {
        return rc;
    }
    *stats = (struct skein_stats){
        .shard_count = seg->start.shard_count,
        .disk_bytes = seg->size_bytes,
        .blocks = seg->block_count,
        .segments = 1,
    };
    for (size_t i = 0; i < seg->block_count && rc == 0; i++) {
        rc = count_block(seg, i, stats, err);
        if (rc == -EBADMSG && rec->mode == SKEIN_READ_SALVAGE) {
            seg->lost_blocks++;
            rc = 0;
        }
    }
    skein_segment_release(seg);
    return rc;
}

static int check_segment(const struct skein_recording *rec, struct skein_segment *seg,
                         struct skein_stats *stats, struct skein_error *err) {
    int rc = count_segment(rec, seg, stats, err);

    if (rc == 0 && seg->sealed && rec->mode == SKEIN_READ_STRICT &&
        !skein_stats_same_events(stats, &seg->stats)) {
        return skein_error_set(err, -EBADMSG,
                               "segment %s: its events are not those that its footer counts",
                               seg->path);
    }
    return rc;
}

/* How the numbers of one segment are found. */
typedef int (*segment_stats)(const struct skein_recording *rec, struct skein_segment *seg,
                             struct skein_stats *stats, struct skein_error *err);

static int add_segments(struct skein_recording *rec, segment_stats find, struct skein_stats *stats,
                        struct skein_error *err) {
    struct skein_stats *one = malloc(sizeof(*one));
    int rc = 0;

    if (one == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    *stats = (struct skein_stats){.shard_count = skein_recording_shard_count(rec)};
    for (size_t i = 0; i < rec->segment_count && rc == 0; i++) {
        rc = find(rec, rec->segments[i], one, err);
        if (rc == 0) {
            skein_stats_add(stats, one);
        }
    }
    free(one);
    return rc;
}

/* The name is ours, not the manifest's: a manifest must not send us to files that are elsewhere. */
static int check_file(const struct skein_recording *rec, const char *name,
                      const struct skein_manifest_file *file, struct skein_error *err) {
    struct skein_manifest_file found = {.size_bytes = 0};
    char path[PATH_MAX];
    int rc;

    if (file->size_bytes == 0) {
        return 0;
    }
    snprintf(path, sizeof(path), "%s/%s", rec->dir, name);
    rc = skein_manifest_file_fill(&found, path, err);
    if (rc != 0) {
        return rc;
    }
    if (found.size_bytes != file->size_bytes || found.xxh64 != file->xxh64) {
        return skein_error_set(err, -EBADMSG, "%s is not the file of this recording, or is damaged",
                               path);
    }
    return 0;
}

/* A footer is believed, unless salvage has to say what can be read. */
static int known_or_counted(const struct skein_recording *rec, struct skein_segment *seg,
                            struct skein_stats *stats, struct skein_error *err) {
    if (seg->sealed && rec->mode == SKEIN_READ_STRICT) {
        *stats = seg->stats;
        return 0;
    }
    return count_segment(rec, seg, stats, err);
}

int skein_recording_stats(struct skein_recording *rec, struct skein_stats *stats,
                          struct skein_error *err) {
    if (rec->complete) {
        *stats = rec->manifest.stats;
        return 0;
    }
    return add_segments(rec, known_or_counted, stats, err);
}

int skein_recording_check(struct skein_recording *rec, struct skein_error *err) {
    struct skein_stats counted;
    int rc = add_segments(rec, check_segment, &counted, err);

    if (rc != 0) {
        return rc;
    }
    if (rec->complete && !skein_stats_same_events(&counted, &rec->manifest.stats)) {
        return skein_error_set(err, -EBADMSG,
                               "%s: its events are not those that its manifest counts", rec->dir);
    }
    rc = check_file(rec, SKEIN_SNAPSHOT_NAME, &rec->manifest.snapshot, err);
    if (rc == 0) {
        rc = check_file(rec, SKEIN_CONSOLE_NAME, &rec->manifest.console, err);
    }
    return rc != 0 ? rc : skein_checkpoint_check(rec, err);
}
