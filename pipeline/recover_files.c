/* Recovery, first part: which whole blocks there are, in which order, and what is missing. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/recover_private.h"

/* How a clock stands to another: each shard's tick is the same; none is lower; none is higher. */
struct relation {
    bool same, not_before, not_after;
};

static struct relation compare(const struct skein_recovery *r, const uint64_t *clock,
                               const uint64_t *other) {
    struct relation rel = {true, true, true};

    for (uint32_t i = 0; i < r->identity.shard_count; i++) {
        rel.not_before &= clock[i] >= other[i];
        rel.not_after &= clock[i] <= other[i];
    }
    rel.same = rel.not_before && rel.not_after;
    return rel;
}

static int is_segment(const struct dirent *entry) {
    return skein_segment_name_number(entry->d_name) != 0;
}

static int open_file(struct skein_recovery *r, const char *name, struct skein_error *err) {
    struct skein_recover_file *f = &r->files[r->file_count];
    char path[PATH_MAX];
    int rc;

    snprintf(path, sizeof(path), "%s/segments/%s", r->dir, name);
    rc = skein_salvage_open(path, skein_segment_name_number(name), &r->identity, &f->salvage, err);
    if (rc != 0) {
        return rc;
    }
    r->file_count++;
    f->used = calloc(f->salvage->block_count + 1, sizeof(*f->used));
    if (f->used == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    for (uint32_t i = 0; i < SKEIN_MAX_SHARDS; i++) {
        r->known[i] = r->known[i] > f->salvage->known[i] ? r->known[i] : f->salvage->known[i];
    }
    skein_recovery_progress(r, f->salvage->size);
    return 0;
}

static int open_files(struct skein_recovery *r, struct skein_error *err) {
    struct dirent **names = NULL;
    char path[PATH_MAX];
    int count, rc = 0;

    snprintf(path, sizeof(path), "%s/segments", r->dir);
    count = scandir(path, &names, is_segment, alphasort);
    if (count < 0) {
        return errno == ENOENT ? 0 : skein_error_sys(err, -errno, "cannot read %s", path);
    }
    r->files = calloc((size_t)count + 1, sizeof(*r->files));
    if (r->files == NULL) {
        rc = skein_error_set(err, -ENOMEM, "out of memory");
    }
    for (int i = 0; i < count; i++) {
        if (rc == 0) {
            rc = open_file(r, names[i]->d_name, err);
        }
        free(names[i]);
    }
    free(names);
    return rc;
}

/* Events before the first block; files without blocks come last. */
static uint64_t place_of(const struct skein_salvage *s) {
    uint64_t events = 0;

    if (s->block_count == 0) {
        return UINT64_MAX;
    }
    for (uint32_t i = 0; i < s->start.shard_count; i++) {
        events += s->blocks[0].info.clock[i];
    }
    return events;
}

/* By what they hold; of two with the same, the sealed one first. */
static int compare_files(const void *a, const void *b) {
    const struct skein_salvage *x = ((const struct skein_recover_file *)a)->salvage,
                               *y = ((const struct skein_recover_file *)b)->salvage;
    const uint64_t px = place_of(x), py = place_of(y);

    if (px != py) {
        return px < py ? -1 : 1;
    }
    if (x->start.number != y->start.number) {
        return x->start.number < y->start.number ? -1 : 1;
    }
    return (int)y->intact - (int)x->intact;
}

/* The events between r->clock and the block's clock are nowhere. */
static int note_gap(struct skein_recovery *r, const struct skein_salvage *s, size_t i) {
    const struct skein_salvage_block *b = &s->blocks[i];
    struct skein_loss loss = {
        .segment = s->start.number,
        .bytes = b->lost_before,
    };
    const uint64_t before = i != 0 ? s->blocks[i - 1].number : 0;
    int rc = 0;

    if (b->number > before + 1) {
        loss.first_block = before + 1;
        loss.last_block = b->number - 1;
    }
    snprintf(loss.what, sizeof(loss.what), "%s",
             b->info.gap || (i == 0 && s->start.gap) ? "an earlier recovery did not find them"
             : loss.first_block != 0                 ? "their blocks are damaged or missing"
                                     : "the segments before are damaged or missing");
    for (uint32_t shard = 0; shard < r->identity.shard_count && rc == 0; shard++) {
        if (b->info.clock[shard] > r->clock[shard]) {
            loss.shard = shard;
            loss.first_tick = r->clock[shard] + 1;
            loss.last_tick = b->info.clock[shard];
            rc = skein_recovery_lose(r, &loss);
            loss.bytes = 0; /* said once */
        }
    }
    return rc;
}

static void advance(struct skein_recovery *r, const struct skein_salvage_block *b) {
    memcpy(r->clock, b->info.clock_after, sizeof(r->clock));
    for (uint32_t i = 0; i < r->identity.shard_count; i++) {
        r->last_kind[i] = b->last_kind[i] != 0 ? b->last_kind[i] : r->last_kind[i];
    }
    if (b->end != 0) {
        r->end = b->end;
        r->console_bytes = b->console_bytes;
    }
    r->last_shard = b->last_shard;
    r->slices = b->slices_after;
    r->out->events_in_files += b->info.events;
}

/* Takes the block if it goes on from where the result stands. */
static int use_block(struct skein_recovery *r, struct skein_recover_file *f, size_t i) {
    const struct skein_salvage_block *b = &f->salvage->blocks[i];
    const struct relation rel = compare(r, b->info.clock, r->clock);
    int rc = 0;

    r->out->passed_bytes += b->lost_before;
    if (!rel.not_before) {
        /* Another file has these events, as after a recovery that was killed. */
        if (!compare(r, b->info.clock_after, r->clock).not_after) {
            r->out->passed_bytes += b->data_bytes;
        }
        return 0;
    }
    if (!rel.same) {
        f->gap |= f->used_count == 0;
        rc = note_gap(r, f->salvage, i);
    }
    f->used[i] = true;
    f->used_count++;
    advance(r, b);
    return rc;
}

/* Whether the file can stay, bytes and all. */
static bool is_good(const struct skein_recovery *r, const struct skein_recover_file *f,
                    const uint64_t *clock_before) {
    const struct skein_salvage *s = f->salvage;

    return s->intact && f->used_count != 0 && f->used_count == s->block_count &&
           (s->start.gap || (!f->gap && compare(r, s->start.clock, clock_before).same));
}

static int use_file(struct skein_recovery *r, struct skein_recover_file *f,
                    struct skein_error *err) {
    const uint64_t number = f->salvage->start.number;
    uint64_t before[SKEIN_MAX_SHARDS];
    int rc = 0;

    memcpy(before, r->clock, sizeof(before));
    for (size_t i = 0; i < f->salvage->block_count && rc == 0; i++) {
        rc = use_block(r, f, i);
    }
    if (rc != 0) {
        return skein_error_set(err, rc, "out of memory");
    }
    r->out->passed_bytes += f->salvage->lost_after;
    if (f->used_count == 0) {
        return 0;
    }
    if (number <= r->last_number) {
        return skein_error_set(err, -EINVAL,
                               "the segments have wrong names: %s follows number %" PRIu64,
                               f->salvage->path, r->last_number);
    }
    f->gap |= number != r->last_number + 1;
    f->keep = is_good(r, f, before);
    r->last_number = number;
    return 0;
}

int skein_recovery_scan(struct skein_recovery *r, struct skein_error *err) {
    int rc = r->dir[0] != '\0' ? open_files(r, err) : 0;

    if (rc == 0 && r->file_count != 0) {
        qsort(r->files, r->file_count, sizeof(*r->files), compare_files);
    }
    for (size_t i = 0; i < r->file_count && rc == 0; i++) {
        rc = use_file(r, &r->files[i], err);
    }
    return rc;
}

void skein_recovery_close_files(struct skein_recovery *r) {
    for (size_t i = 0; i < r->file_count; i++) {
        skein_salvage_close(r->files[i].salvage);
        free(r->files[i].used);
    }
    free(r->files);
}
