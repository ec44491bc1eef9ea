#include "pipeline/cut.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/block_cache.h"
#include "pipeline/recording_private.h"

/* A block by its place in the recording. */
struct block_ref {
    size_t segment, index;
};

struct finder {
    struct skein_recording *rec;
    struct skein_block_cache *cache;
    uint32_t shard_count;
    size_t acquired; /* segments, from the first on */
    size_t block_count;
    struct block_ref *blocks;
    struct skein_clock *cut;
    /* Whether the event at the cut is a TOKEN that cannot be taken. */
    bool pending[SKEIN_MAX_SHARDS];
};

static const struct skein_block_info *info_of(const struct finder *f, size_t i) {
    return &f->rec->segments[f->blocks[i].segment]->blocks[f->blocks[i].index].info;
}

static int get(struct finder *f, size_t i, const struct skein_block **block,
               struct skein_error *err) {
    return skein_block_cache_get(f->cache, f->blocks[i].segment, f->blocks[i].index, block, err);
}

/* All blocks up to the first gap (which only salvage leaves); *cut becomes what they hold. */
static int list_blocks(struct finder *f, struct skein_error *err) {
    size_t total = 0;

    for (; f->acquired < f->rec->segment_count; f->acquired++) {
        int rc = skein_segment_acquire(f->rec->segments[f->acquired], err);
        if (rc != 0) {
            return rc;
        }
        total += f->rec->segments[f->acquired]->block_count;
    }
    f->blocks = malloc((total + 1) * sizeof(*f->blocks));
    if (f->blocks == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    for (size_t s = 0; s < f->rec->segment_count; s++) {
        const struct skein_segment *seg = f->rec->segments[s];
        for (size_t i = 0; i < seg->block_count; i++) {
            const struct skein_block_info *info = &seg->blocks[i].info;
            if (memcmp(info->clock, f->cut->tick, f->shard_count * 8) != 0) {
                return 0;
            }
            memcpy(f->cut->tick, info->clock_after, f->shard_count * 8);
            f->blocks[f->block_count++] = (struct block_ref){s, i};
        }
    }
    return 0;
}

/* Whether a replay of the shard can stop right at this event. */
static bool is_stop(const struct finder *f, uint32_t shard, const struct skein_record *rec) {
    uint64_t icount;

    /* Devices execute nothing. */
    return shard == f->shard_count - 1 || skein_record_is_stop(rec, &icount);
}

/* The last stop of the shard at or before the tick, from one block; 0: it has none. */
static uint64_t last_stop_in(const struct finder *f, const struct skein_block *b, uint32_t shard,
                             uint64_t tick) {
    const uint64_t first = b->info.clock[shard] + 1;
    uint64_t t = b->info.clock_after[shard] < tick ? b->info.clock_after[shard] : tick;

    for (; t >= first; t--) {
        const uint32_t e = b->by_shard[b->shard_start[shard] + (t - first)];
        if (is_stop(f, shard, skein_block_record(b, e))) {
            return t;
        }
    }
    return 0;
}

/* Moves the shard's cut back to its last stop at or before the tick; 0 when there is none. */
static int cut_back(struct finder *f, uint32_t shard, uint64_t tick, struct skein_error *err) {
    f->cut->tick[shard] = 0;
    for (size_t i = f->block_count; i-- != 0 && f->cut->tick[shard] == 0;) {
        const struct skein_block_info *info = info_of(f, i);
        const struct skein_block *b;
        if (info->clock[shard] >= tick || info->clock_after[shard] == info->clock[shard]) {
            continue;
        }
        int rc = get(f, i, &b, err);
        if (rc != 0) {
            return rc;
        }
        f->cut->tick[shard] = last_stop_in(f, b, shard, tick);
        skein_block_cache_put(f->cache, b);
    }
    return 0;
}

/* A TOKEN that would be taken although what it follows is not all inside. */
static bool dangles(const struct finder *f, uint32_t shard, uint64_t tick,
                    const struct skein_record *rec) {
    uint64_t edge;

    if (tick + f->pending[shard] > f->cut->tick[shard] || rec->kind != SKEIN_TOKEN ||
        rec->arg >= f->shard_count ||
        rec->size_bytes < sizeof(*rec) + sizeof(struct skein_token_payload)) {
        return false;
    }
    memcpy(&edge, rec + 1, sizeof(edge));
    /* A vCPU needs its next TOKEN, too, to know where it stopped. */
    return edge + (rec->arg != f->shard_count - 1) > f->cut->tick[rec->arg];
}

/* Ends the shard at its TOKEN that dangles, or before it where the TOKEN says no icount. */
static int end_at_token(struct finder *f, uint32_t shard, uint64_t tick,
                        const struct skein_record *rec, struct skein_error *err) {
    f->pending[shard] = shard != f->shard_count - 1 && is_stop(f, shard, rec);
    if (f->pending[shard]) {
        f->cut->tick[shard] = tick;
        return 0;
    }
    return cut_back(f, shard, tick - 1, err);
}

/* Cuts back every shard whose TOKEN in this block dangles. */
static int trim_block(struct finder *f, const struct skein_block *b, bool *changed,
                      struct skein_error *err) {
    uint64_t clock[SKEIN_MAX_SHARDS];

    memcpy(clock, b->info.clock, sizeof(clock));
    for (uint32_t e = 0; e < b->info.events; e++) {
        const uint32_t shard = b->events[e].shard;
        const uint64_t tick = ++clock[shard];
        if (dangles(f, shard, tick, skein_block_record(b, e))) {
            int rc = end_at_token(f, shard, tick, skein_block_record(b, e), err);
            if (rc != 0) {
                return rc;
            }
            *changed = true;
        }
    }
    return 0;
}

/* What follows an event outside comes after it: only blocks from the first of these on. */
static int trim(struct finder *f, bool *changed, struct skein_error *err) {
    size_t first = f->block_count;

    *changed = false;
    for (uint32_t shard = 0; shard < f->shard_count; shard++) {
        while (first != 0 && info_of(f, first - 1)->clock_after[shard] >= f->cut->tick[shard]) {
            first--;
        }
    }
    for (size_t i = first; i < f->block_count; i++) {
        const struct skein_block *b;
        int rc = get(f, i, &b, err);
        if (rc == 0) {
            rc = trim_block(f, b, changed, err);
            skein_block_cache_put(f->cache, b);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int find_ends(struct finder *f, bool *truncated, struct skein_error *err) {
    *truncated = false;
    for (uint32_t shard = 0; shard < f->shard_count && !*truncated; shard++) {
        const uint64_t last = f->cut->tick[shard];
        size_t i = f->block_count;
        const struct skein_block *b;
        while (i != 0 && info_of(f, i - 1)->clock[shard] == last) {
            i--;
        }
        if (last == 0 || i == 0) {
            *truncated = true;
            break;
        }
        int rc = get(f, i - 1, &b, err);
        if (rc != 0) {
            return rc;
        }
        const uint32_t e = b->by_shard[b->shard_start[shard + 1] - 1];
        *truncated = skein_block_record(b, e)->kind != SKEIN_END;
        skein_block_cache_put(f->cache, b);
    }
    return 0;
}

int skein_cut_find(struct skein_recording *rec, struct skein_clock *cut, bool *truncated,
                   struct skein_error *err) {
    struct finder f = {.rec = rec, .shard_count = skein_recording_shard_count(rec), .cut = cut};
    bool changed = true;
    int rc;

    skein_clock_init(cut, f.shard_count);
    if (skein_block_cache_create(rec, &f.cache) != 0) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    rc = list_blocks(&f, err);
    if (rc == 0) {
        rc = find_ends(&f, truncated, err);
    }
    if (rc == 0 && *truncated) {
        for (uint32_t shard = 0; shard < f.shard_count && rc == 0; shard++) {
            rc = cut_back(&f, shard, cut->tick[shard], err);
        }
        while (rc == 0 && changed) {
            rc = trim(&f, &changed, err);
        }
    }
    while (f.acquired != 0) {
        skein_segment_release(rec->segments[--f.acquired]);
    }
    free(f.blocks);
    skein_block_cache_free(f.cache);
    return rc;
}
