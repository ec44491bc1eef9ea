#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/reader.h"
#include "pipeline/recording_private.h"

/* Counts every event, which reads, checks and decodes every block. */
static int count_events(struct skein_recording *rec, struct skein_stats *stats,
                        struct skein_error *err) {
    struct skein_reader *reader;
    struct skein_event event;
    int rc = skein_reader_open(rec, &reader, err);

    if (rc != 0) {
        return rc;
    }
    stats->shard_count = skein_recording_shard_count(rec);
    while ((rc = skein_reader_next(reader, &event, err)) == 1) {
        skein_stats_count(stats, event.shard, event.record);
    }
    skein_reader_close(reader);
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

int skein_recording_stats(struct skein_recording *rec, struct skein_stats *stats,
                          struct skein_error *err) {
    *stats = (struct skein_stats){.shard_count = skein_recording_shard_count(rec)};
    if (rec->complete) {
        *stats = rec->manifest.stats;
        return 0;
    }
    for (size_t i = 0; i < rec->segment_count; i++) {
        stats->disk_bytes += rec->segments[i]->size_bytes;
        stats->blocks += rec->segments[i]->block_count;
    }
    stats->segments = rec->segment_count;
    return count_events(rec, stats, err);
}

int skein_recording_check(struct skein_recording *rec, struct skein_error *err) {
    struct skein_stats counted = {0};
    int rc = count_events(rec, &counted, err);

    if (rc != 0) {
        return rc;
    }
    if (rec->complete &&
        (memcmp(counted.events, rec->manifest.stats.events, sizeof(counted.events)) != 0 ||
         memcmp(counted.kind_bytes, rec->manifest.stats.kind_bytes, sizeof(counted.kind_bytes)) !=
             0)) {
        return skein_error_set(err, -EBADMSG,
                               "%s: its events are not those that its manifest counts", rec->dir);
    }
    rc = check_file(rec, SKEIN_SNAPSHOT_NAME, &rec->manifest.snapshot, err);
    return rc != 0 ? rc : check_file(rec, SKEIN_CONSOLE_NAME, &rec->manifest.console, err);
}
