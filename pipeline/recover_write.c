/* Recovery: segment files are written anew beside the old ones, and then take their places. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/file.h"
#include "pipeline/recover_private.h"
#include "pipeline/test_point.h"

#define COPY_BYTES (1u << 20)

static int copy_open(int in, int out, uint8_t *buffer) {
    ssize_t n;

    while ((n = read(in, buffer, COPY_BYTES)) != 0) {
        if (n < 0 && errno == EINTR) {
            continue;
        }
        int rc = n < 0 ? -errno : skein_file_write(out, buffer, (size_t)n);
        if (rc != 0) {
            return rc;
        }
    }
    return fsync(out) == 0 ? 0 : -errno;
}

int skein_recovery_copy(const char *from, const char *to, struct skein_error *err) {
    int in = open(from, O_RDONLY | O_CLOEXEC), out = -1, rc = 0;
    uint8_t *buffer = malloc(COPY_BYTES);

    if (in < 0) {
        rc = skein_error_sys(err, -errno, "cannot read %s", from);
    } else if (buffer == NULL) {
        rc = skein_error_set(err, -ENOMEM, "out of memory");
    } else if ((out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) < 0) {
        rc = skein_error_sys(err, -errno, "cannot create %s", to);
    } else if ((rc = copy_open(in, out, buffer)) != 0) {
        skein_error_sys(err, rc, "cannot copy %s to %s", from, to);
    }
    if (in >= 0) {
        close(in);
    }
    if (out >= 0) {
        close(out);
    }
    free(buffer);
    return rc;
}

static int count_block(struct skein_recovery *r, const struct skein_salvage *s,
                       const struct skein_salvage_block *b, struct skein_stats *stats,
                       struct skein_error *err) {
    struct skein_block *events;
    int rc = skein_block_decode(s->bytes + b->offset, b->data_bytes, &b->info,
                                r->identity.shard_count, &events, err);

    for (uint32_t e = 0; rc == 0 && e < b->info.events; e++) {
        skein_stats_count(stats, events->events[e].shard, skein_block_record(events, e));
    }
    if (rc == 0) {
        skein_block_free(events);
    }
    return rc;
}

static int write_blocks(struct skein_recovery *r, const struct skein_recover_file *f,
                        struct skein_segment_writer *w, const uint64_t *clock,
                        struct skein_stats *stats, struct skein_error *err) {
    const size_t clock_bytes = r->identity.shard_count * sizeof(*clock);
    int rc = 0;

    for (size_t i = 0; i < f->salvage->block_count && rc == 0; i++) {
        const struct skein_salvage_block *b = &f->salvage->blocks[i];
        struct skein_block_info info = b->info;
        if (!f->used[i]) {
            continue;
        }
        info.gap = memcmp(clock, info.clock, clock_bytes) != 0;
        rc = count_block(r, f->salvage, b, stats, err);
        if (rc == 0) {
            rc = skein_segment_writer_block(w, &info, f->salvage->bytes + b->offset, b->data_bytes,
                                            err);
        }
        clock = b->info.clock_after;
    }
    return rc;
}

/* The used blocks of the file, in a new file of the same number. */
static int rewrite(struct skein_recovery *r, const struct skein_recover_file *f,
                   struct skein_error *err) {
    const struct skein_salvage_block *first = f->salvage->blocks;
    struct skein_segment_start start = f->salvage->start;
    struct skein_stats stats = {.shard_count = r->identity.shard_count};
    struct skein_segment_writer *w;
    int rc;

    for (size_t i = 0; !f->used[i]; i++) {
        first++;
    }
    memcpy(start.clock, first->info.clock, sizeof(start.clock));
    start.slices = first->info.slices;
    start.gap = f->gap;
    rc = skein_segment_writer_open(r->base, &start, SKEIN_DURABILITY_SEGMENT, &w, err);
    if (rc != 0) {
        return rc;
    }
    rc = write_blocks(r, f, w, start.clock, &stats, err);
    if (rc != 0) {
        skein_segment_writer_abandon(w);
        return rc;
    }
    rc = skein_segment_writer_seal(w, &stats, err);
    skein_stats_add(&r->stats, &stats);
    return rc;
}

static void sealed_name(char *path, const char *dir, uint64_t number) {
    snprintf(path, PATH_MAX, "%s/segments/%06" PRIu64 ".skn", dir, number);
}

static int keep(struct skein_recovery *r, const struct skein_recover_file *f,
                struct skein_error *err) {
    struct skein_stats stats = f->salvage->stats;
    char to[PATH_MAX];

    stats.disk_bytes = f->salvage->size;
    stats.blocks = f->salvage->block_count;
    stats.segments = 1;
    skein_stats_add(&r->stats, &stats);
    if (r->opts->out == NULL) {
        return 0;
    }
    sealed_name(to, r->base, f->salvage->start.number);
    return skein_recovery_copy(f->salvage->path, to, err);
}

int skein_recovery_write_files(struct skein_recovery *r, struct skein_error *err) {
    int rc = 0;

    for (size_t i = 0; i < r->file_count && rc == 0; i++) {
        const struct skein_recover_file *f = &r->files[i];
        if (f->keep) {
            rc = keep(r, f, err);
        } else if (f->used_count != 0) {
            rc = rewrite(r, f, err);
            r->out->segments_rewritten++;
        }
        r->out->changed |= !f->keep;
        skein_recovery_progress(r, f->salvage->size);
    }
    return rc;
}

/* A file in which something was passed over stays, under another name. */
static int set_aside(const struct skein_recover_file *f, struct skein_error *err) {
    const struct skein_salvage *s = f->salvage;
    char path[PATH_MAX + 16];
    uint64_t lost = s->lost_after;

    for (size_t i = 0; i < s->block_count; i++) {
        lost += s->blocks[i].lost_before;
    }
    if (lost == 0) {
        return 0;
    }
    for (unsigned n = 0; n < 1000; n++) {
        if (n == 0) {
            snprintf(path, sizeof(path), "%s.damaged", s->path);
        } else {
            snprintf(path, sizeof(path), "%s.damaged.%u", s->path, n);
        }
        if (link(s->path, path) == 0) {
            SKEIN_TEST_POINT("recover.set_aside");
            return 0;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    return skein_error_sys(err, -errno, "cannot keep %s as %s", s->path, path);
}

/* The new file of that number takes its place; the old one of the same name is gone with that. */
static int put_in_place(const struct skein_recovery *r, uint64_t number, struct skein_error *err) {
    char from[PATH_MAX], to[PATH_MAX];

    sealed_name(from, r->base, number);
    sealed_name(to, r->dir, number);
    if (rename(from, to) != 0) {
        return skein_error_sys(err, -errno, "cannot rename %s to %s", from, to);
    }
    SKEIN_TEST_POINT("recover.segment_in_place");
    return 0;
}

static int replace(const struct skein_recovery *r, const struct skein_recover_file *f,
                   struct skein_error *err) {
    char now[PATH_MAX];
    int rc = set_aside(f, err);

    if (rc == 0 && f->used_count != 0) {
        rc = put_in_place(r, f->salvage->start.number, err);
    }
    sealed_name(now, r->dir, f->salvage->start.number);
    /* What it held is in the file of the final name, or nothing in it was of use. */
    if (rc == 0 && (f->used_count == 0 || strcmp(now, f->salvage->path) != 0) &&
        unlink(f->salvage->path) != 0) {
        rc = skein_error_sys(err, -errno, "cannot remove %s", f->salvage->path);
    }
    SKEIN_TEST_POINT("recover.old_removed");
    return rc;
}

int skein_recovery_commit(struct skein_recovery *r, struct skein_error *err) {
    char path[PATH_MAX];
    int rc = 0;

    for (size_t i = 0; i < r->file_count && rc == 0; i++) {
        if (!r->files[i].keep) {
            rc = replace(r, &r->files[i], err);
        }
    }
    for (uint64_t n = 1; n <= r->new_segments && rc == 0; n++) {
        rc = put_in_place(r, r->last_number + n, err);
    }
    sealed_name(path, r->dir, 1);
    if (rc == 0 && (rc = skein_file_sync_parent(path)) != 0) {
        skein_error_sys(err, rc, "cannot sync the segments of %s", r->dir);
    }
    return rc;
}

static void remove_files(const char *dir) {
    DIR *d = opendir(dir);
    const struct dirent *entry;
    char path[PATH_MAX + 256];

    if (d == NULL) {
        return;
    }
    while ((entry = readdir(d)) != NULL) {
        if (skein_segment_name_number(entry->d_name) != 0) {
            snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
            unlink(path);
        }
    }
    closedir(d);
    rmdir(dir);
}

void skein_recovery_remove_scratch(const struct skein_recovery *r) {
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/segments", r->base);
    remove_files(path);
    rmdir(r->base);
}

void skein_recovery_remove_out(const struct skein_recovery *r) {
    static const char *const names[] = {"manifest", SKEIN_SNAPSHOT_NAME, SKEIN_CONSOLE_NAME};
    char path[PATH_MAX];

    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", r->base, names[i]);
        unlink(path);
    }
    skein_recovery_remove_scratch(r);
}

int skein_recovery_make_scratch(struct skein_recovery *r, struct skein_error *err) {
    char path[PATH_MAX];

    /* What a recovery left that was killed is of no use. */
    skein_recovery_remove_scratch(r);
    snprintf(path, sizeof(path), "%s/segments", r->base);
    if (mkdir(r->base, 0777) != 0 || mkdir(path, 0777) != 0) {
        return skein_error_sys(err, -errno, "cannot make %s", path);
    }
    /* A recording that has lost this directory, too. */
    snprintf(path, sizeof(path), "%s/segments", r->dir);
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        return skein_error_sys(err, -errno, "cannot make %s", path);
    }
    return 0;
}
