#include "pipeline/recording.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/recording_private.h"

/* Whether the directory has entries; -errno if it cannot be read. */
static int dir_in_use(const char *dir) {
    DIR *d = opendir(dir);
    const struct dirent *entry;
    int used = 0;

    if (d == NULL) {
        return -errno;
    }
    while ((entry = readdir(d)) != NULL && !used) {
        used = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(d);
    return used;
}

int skein_recording_create(const char *dir, const struct skein_manifest *manifest,
                           struct skein_error *err) {
    char segments[PATH_MAX];
    int rc;

    if (mkdir(dir, 0777) != 0) {
        rc = errno == EEXIST ? dir_in_use(dir) : -errno;
        if (rc < 0) {
            return skein_error_sys(err, rc, "cannot make the recording %s", dir);
        }
        if (rc > 0) {
            return skein_error_set(err, -EEXIST, "%s exists and is not empty", dir);
        }
    }
    snprintf(segments, sizeof(segments), "%s/segments", dir);
    if (mkdir(segments, 0777) != 0) {
        return skein_error_sys(err, -errno, "cannot make %s", segments);
    }
    return skein_manifest_write(dir, manifest, err);
}

/* The number in NNNNNN.skn or NNNNNN.skn.partial; 0 for other names. */
static uint64_t name_number(const char *name) {
    char *rest;
    const uint64_t number = strtoull(name, &rest, 10);

    if (rest - name < 6 || (strcmp(rest, ".skn") != 0 && strcmp(rest, ".skn.partial") != 0)) {
        return 0;
    }
    return number;
}

static int is_segment(const struct dirent *entry) {
    return name_number(entry->d_name) != 0;
}

static int compare_names(const struct dirent **a, const struct dirent **b) {
    const uint64_t x = name_number((*a)->d_name), y = name_number((*b)->d_name);

    return x != y ? (x < y ? -1 : 1) : strcmp((*a)->d_name, (*b)->d_name);
}

static bool clock_reached(const uint64_t *clock, const uint64_t *other, uint32_t shard_count) {
    for (uint32_t i = 0; i < shard_count; i++) {
        if (other[i] < clock[i]) {
            return false;
        }
    }
    return true;
}

/* Whether the segment just read follows the ones before it. */
static int check_chain(const struct skein_recording *rec, const struct skein_segment *seg,
                       uint64_t number, struct skein_error *err) {
    static const uint64_t zeros[SKEIN_MAX_SHARDS];
    /* Recovery has said that something is missing there; then it is no damage. */
    const bool strict = rec->mode == SKEIN_READ_STRICT && !seg->start.gap;
    const uint64_t *before = zeros;
    uint64_t last = 0;

    if (rec->segment_count != 0) {
        before = rec->segments[rec->segment_count - 1]->clock_end;
        last = rec->segments[rec->segment_count - 1]->start.number;
    }
    if (memcmp(seg->start.uuid, rec->manifest.uuid, 16) != 0 ||
        seg->start.shard_count != rec->manifest.vcpu_count + 1) {
        return skein_error_set(err, -EBADMSG, "segment %s belongs to another recording", seg->path);
    }
    if (seg->start.number != number || number <= last || (strict && number != last + 1)) {
        return skein_error_set(err, -EBADMSG, "segment %" PRIu64 " of %s is missing", last + 1,
                               rec->dir);
    }
    if ((strict && memcmp(seg->start.clock, before, seg->start.shard_count * 8) != 0) ||
        (seg->start.gap && !clock_reached(before, seg->start.clock, seg->start.shard_count))) {
        return skein_error_set(err, -EBADMSG, "segment %s does not follow the one before it",
                               seg->path);
    }
    return 0;
}

static int add_segment(struct skein_recording *rec, const char *name, struct skein_error *err) {
    struct skein_segment *seg;
    char path[PATH_MAX];
    int rc;

    snprintf(path, sizeof(path), "%s/segments/%s", rec->dir, name);
    rc = rec->mode == SKEIN_READ_STRICT ? skein_segment_glance(path, &seg, err)
                                        : skein_segment_open(path, rec->mode, &seg, err);
    if (rc == 0) {
        rc = check_chain(rec, seg, name_number(name), err);
        if (rc != 0) {
            skein_segment_close(seg);
        }
    } else if (rc == -EBADMSG && strstr(name, ".partial") != NULL) {
        struct stat st;
        /* The recorder died before it had written the header: there is nothing in it. */
        if (stat(path, &st) == 0 && st.st_size == 0) {
            return 0;
        }
    }
    if (rc == -EINVAL || rc == -EPROTO) {
        rc = -EBADMSG; /* the manifest is that of a recording, of a version that we know */
    }
    if (rc != 0) {
        return rec->mode == SKEIN_READ_SALVAGE && rc == -EBADMSG ? 0 : rc;
    }
    rec->segments[rec->segment_count++] = seg;
    return 0;
}

static int open_segments(struct skein_recording *rec, struct skein_error *err) {
    struct dirent **names = NULL;
    char path[PATH_MAX];
    int count, rc = 0;

    snprintf(path, sizeof(path), "%s/segments", rec->dir);
    count = scandir(path, &names, is_segment, compare_names);
    if (count < 0) {
        return skein_error_sys(err, -errno, "cannot read %s", path);
    }
    rec->segments = calloc((size_t)count + 1, sizeof(void *));
    if (rec->segments == NULL) {
        rc = skein_error_set(err, -ENOMEM, "out of memory");
    }
    for (int i = 0; i < count; i++) {
        if (rc == 0) {
            rc = add_segment(rec, names[i]->d_name, err);
        }
        free(names[i]);
    }
    free(names);
    return rc;
}

/* What the footers count together; false: not every segment has one. */
static bool sum_footers(const struct skein_recording *rec, struct skein_stats *sum) {
    bool sealed = true;

    *sum = (struct skein_stats){0};
    for (size_t i = 0; i < rec->segment_count; i++) {
        sealed &= rec->segments[i]->sealed;
        skein_stats_add(sum, &rec->segments[i]->stats);
    }
    return sealed;
}

/* What the manifest counts, against what is there. */
static int check_totals(struct skein_recording *rec, struct skein_error *err) {
    const struct skein_stats *want = &rec->manifest.stats;
    const uint64_t events = skein_recording_events(rec);
    struct skein_stats sum;
    bool there;

    if (!rec->manifest.complete) {
        return 0;
    }
    there = sum_footers(rec, &sum) && rec->segment_count == want->segments &&
            events == skein_stats_events(want);
    rec->complete = there && skein_stats_same_events(&sum, want);
    if (rec->complete || rec->mode == SKEIN_READ_SALVAGE) {
        return 0;
    }
    if (there) {
        return skein_error_set(err, -EBADMSG,
                               "%s is damaged: its manifest counts other events than its segments",
                               rec->dir);
    }
    return skein_error_set(err, -EBADMSG,
                           "%s is damaged: %zu segments with %" PRIu64 " events are there, "
                           "its manifest says %" PRIu64 " with %" PRIu64,
                           rec->dir, rec->segment_count, events, want->segments,
                           skein_stats_events(want));
}

int skein_recording_open(const char *dir, enum skein_read_mode mode, struct skein_recording **out,
                         struct skein_error *err) {
    struct skein_recording *rec = calloc(1, sizeof(*rec));
    struct stat st;
    int rc;

    if (rec == NULL || (rec->dir = strdup(dir)) == NULL) {
        free(rec);
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    rec->mode = mode;
    if (stat(dir, &st) != 0) {
        rc = skein_error_sys(err, -errno, "cannot open the recording %s", dir);
    } else if (!S_ISDIR(st.st_mode) || dir_in_use(dir) == 0) {
        rc = skein_error_set(err, -EINVAL, "%s is not a recording: it is %s", dir,
                             S_ISDIR(st.st_mode) ? "empty" : "not a directory");
    } else {
        rc = skein_manifest_read(dir, &rec->manifest, err);
    }
    if (rc == 0) {
        rc = open_segments(rec, err);
    }
    if (rc == 0) {
        rc = check_totals(rec, err);
    }
    if (rc != 0) {
        skein_recording_close(rec);
        return rc;
    }
    *out = rec;
    return 0;
}

void skein_recording_close(struct skein_recording *rec) {
    if (rec == NULL) {
        return;
    }
    for (size_t i = 0; i < rec->segment_count; i++) {
        skein_segment_close(rec->segments[i]);
    }
    free(rec->segments);
    free(rec->dir);
    free(rec);
}

const char *skein_recording_dir(const struct skein_recording *rec) {
    return rec->dir;
}

const struct skein_manifest *skein_recording_manifest(const struct skein_recording *rec) {
    return &rec->manifest;
}

uint32_t skein_recording_shard_count(const struct skein_recording *rec) {
    return rec->manifest.vcpu_count + 1;
}

bool skein_recording_complete(const struct skein_recording *rec) {
    return rec->complete;
}

uint64_t skein_recording_events(const struct skein_recording *rec) {
    uint64_t events = 0;

    for (size_t i = 0; i < rec->segment_count; i++) {
        events += rec->segments[i]->events;
    }
    return events;
}

size_t skein_recording_segment_count(const struct skein_recording *rec) {
    return rec->segment_count;
}

void skein_recording_segment(const struct skein_recording *rec, size_t i,
                             struct skein_segment_info *info) {
    const struct skein_segment *seg = rec->segments[i];

    *info = (struct skein_segment_info){
        .number = seg->start.number,
        .size_bytes = seg->size_bytes,
        .blocks = seg->block_count,
        .events = seg->events,
        .sealed = seg->sealed,
    };
    snprintf(info->path, sizeof(info->path), "%s", seg->path);
}

void skein_recording_losses(const struct skein_recording *rec, uint64_t *blocks, uint64_t *bytes) {
    *blocks = 0;
    *bytes = 0;
    for (size_t i = 0; i < rec->segment_count; i++) {
        *blocks += rec->segments[i]->lost_blocks;
        *bytes += rec->segments[i]->lost_bytes;
    }
}
