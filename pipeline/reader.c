#include "pipeline/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/block_cache.h"
#include "pipeline/block_plan.h"
#include "pipeline/reader_shared.h"
#include "pipeline/recording_private.h"

#define ALL_SHARDS UINT32_MAX

struct skein_reader {
    struct skein_recording *rec;
    struct skein_block_cache *cache;
    bool owns_cache;
    uint32_t shard;        /* or ALL_SHARDS */
    uint64_t next_tick;    /* of one shard: the first that is wanted */
    size_t segment, index; /* the next block to look at */
    bool in_segment;       /* its blocks are acquired */
    const struct skein_block *block;
    uint32_t at, end; /* in the block's events, or in by_shard */
    uint64_t clock[SKEIN_MAX_SHARDS];
    const struct skein_block_plan *plan; /* NULL: all blocks */
};

int skein_reader_open_shared(struct skein_recording *rec, struct skein_block_cache *cache,
                             uint32_t shard, uint64_t first_tick, struct skein_reader **out,
                             struct skein_error *err) {
    struct skein_reader *r = calloc(1, sizeof(*r));

    if (r == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    r->rec = rec;
    r->cache = cache;
    r->shard = shard;
    r->next_tick = first_tick;
    *out = r;
    return 0;
}

static int open_alone(struct skein_recording *rec, uint32_t shard, uint64_t first_tick,
                      struct skein_reader **out, struct skein_error *err) {
    struct skein_block_cache *cache;
    int rc;

    if (skein_block_cache_create(rec, &cache) != 0) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    rc = skein_reader_open_shared(rec, cache, shard, first_tick, out, err);
    if (rc != 0) {
        skein_block_cache_free(cache);
        return rc;
    }
    (*out)->owns_cache = true;
    return 0;
}

int skein_reader_open(struct skein_recording *rec, struct skein_reader **out,
                      struct skein_error *err) {
    return open_alone(rec, ALL_SHARDS, 1, out, err);
}

int skein_reader_open_shard(struct skein_recording *rec, uint32_t shard, uint64_t first_tick,
                            struct skein_reader **out, struct skein_error *err) {
    if (shard >= skein_recording_shard_count(rec) || first_tick == 0) {
        return skein_error_set(err, -EINVAL,
                               "the recording has no shard %" PRIu32 ", tick %" PRIu64, shard,
                               first_tick);
    }
    return open_alone(rec, shard, first_tick, out, err);
}

/* Whether the block holds something that this reader wants. */
static bool wanted(const struct skein_reader *r, const struct skein_block_info *info) {
    return r->shard == ALL_SHARDS || (info->clock_after[r->shard] >= r->next_tick &&
                                      info->clock_after[r->shard] > info->clock[r->shard]);
}

static void enter_block(struct skein_reader *r) {
    const struct skein_block *b = r->block;

    memcpy(r->clock, b->info.clock, sizeof(r->clock));
    if (r->shard == ALL_SHARDS) {
        r->at = 0;
        r->end = (uint32_t)b->info.events;
        return;
    }
    r->at = b->shard_start[r->shard];
    r->end = b->shard_start[r->shard + 1];
    if (r->next_tick > b->info.clock[r->shard] + 1) {
        const uint64_t skip = r->next_tick - b->info.clock[r->shard] - 1;
        r->at += (uint32_t)skip;
        r->clock[r->shard] += skip;
    }
}

static void leave_block(struct skein_reader *r) {
    if (r->block != NULL) {
        skein_block_cache_put(r->cache, r->block);
        r->block = NULL;
    }
}

static void leave_segment(struct skein_reader *r) {
    if (r->in_segment) {
        skein_segment_release(r->rec->segments[r->segment]);
        r->in_segment = false;
    }
}

/* Whether any block of the segment may hold something that this reader wants. */
static bool segment_wanted(const struct skein_reader *r, const struct skein_segment *seg) {
    return r->shard == ALL_SHARDS || seg->clock_end[r->shard] >= r->next_tick;
}

/* 1: in the next block of the segment; 0: it has no more. */
static int next_block_in(struct skein_reader *r, struct skein_segment *seg,
                         struct skein_error *err) {
    while (r->index < seg->block_count) {
        const size_t i = r->index++;
        if (!wanted(r, &seg->blocks[i].info) ||
            (r->plan != NULL && !skein_block_plan_has(r->plan, r->segment, i))) {
            continue;
        }
        int rc = skein_block_cache_get(r->cache, r->segment, i, &r->block, err);
        if (rc == 0) {
            enter_block(r);
            return 1;
        }
        if (rc != -EBADMSG || r->rec->mode == SKEIN_READ_STRICT) {
            return rc;
        }
        seg->lost_blocks++;
    }
    return 0;
}

/*
 * 1: in the next block; 0: there is none. Out of line: what every event takes should save no
 * registers for it.
 */
static __attribute__((noinline)) int next_block(struct skein_reader *r, struct skein_error *err) {
    leave_block(r);
    while (r->segment < r->rec->segment_count) {
        struct skein_segment *seg = r->rec->segments[r->segment];
        int rc = 0;
        if (!r->in_segment && segment_wanted(r, seg)) {
            rc = skein_segment_acquire(seg, err);
            if (rc != 0) {
                return rc;
            }
            r->in_segment = true;
        }
        if (r->in_segment) {
            rc = next_block_in(r, seg, err);
        }
        if (rc != 0) {
            return rc;
        }
        leave_segment(r);
        r->segment++;
        r->index = 0;
    }
    return 0;
}

int skein_reader_next(struct skein_reader *r, struct skein_event *event, struct skein_error *err) {
    uint32_t e;

    while (r->block == NULL || r->at == r->end) {
        int rc = next_block(r, err);
        if (rc != 1) {
            return rc;
        }
    }
    e = r->shard == ALL_SHARDS ? r->at : r->block->by_shard[r->at];
    r->at++;
    event->shard = r->block->events[e].shard;
    event->tick = ++r->clock[event->shard];
    event->slice = r->block->info.slices + r->block->events[e].slices;
    event->record = skein_block_record(r->block, e);
    r->next_tick = event->tick + 1;
    return 1;
}

void skein_reader_seek(struct skein_reader *r, uint64_t first_tick) {
    size_t segment = 0;

    r->next_tick = first_tick;
    while (segment < r->rec->segment_count && !segment_wanted(r, r->rec->segments[segment])) {
        segment++;
    }
    leave_block(r);
    if (segment != r->segment) {
        leave_segment(r);
    }
    r->segment = segment;
    r->index = 0;
}

void skein_reader_close(struct skein_reader *r) {
    if (r == NULL) {
        return;
    }
    leave_block(r);
    leave_segment(r);
    if (r->owns_cache) {
        skein_block_cache_free(r->cache);
    }
    free(r);
}

void skein_reader_follow(struct skein_reader *r, const struct skein_block_plan *plan) {
    r->plan = plan;
}
