#include "pipeline/block_plan.h"

#include <errno.h>
#include <stdlib.h>

#include "pipeline/recording_private.h"

struct skein_block_plan {
    size_t segment_count;
    size_t *segment_start; /* the number of each segment's first block, counted from 0 */
    size_t block_count;
    bool *planned; /* by that number */
};

/* `next`: of the block that follows, NULL behind the last one. */
static bool may_hold(const struct skein_block_want *want, uint32_t shard_count,
                     const struct skein_block_info *info, const struct skein_block_info *next) {
    if (info->slices > want->last_slice || (next != NULL && next->slices < want->first_slice)) {
        return false;
    }
    for (uint32_t s = 0; s < shard_count; s++) {
        const uint64_t first = info->clock[s] + 1, last = info->clock_after[s];
        if (want->shard[s] && first <= last && first <= want->last_tick &&
            last >= want->first_tick) {
            return true;
        }
    }
    return false;
}

static const struct skein_block_info *block_info(const struct skein_recording *rec, size_t segment,
                                                 size_t block) {
    while (segment < rec->segment_count && block >= rec->segments[segment]->block_count) {
        segment++;
        block = 0;
    }
    return segment < rec->segment_count ? &rec->segments[segment]->blocks[block].info : NULL;
}

static void fill(struct skein_block_plan *p, const struct skein_recording *rec,
                 const struct skein_block_want *want) {
    const uint32_t shard_count = skein_recording_shard_count(rec);
    size_t n = 0, lead = 0;

    for (size_t s = 0; s < rec->segment_count; s++) {
        for (size_t b = 0; b < rec->segments[s]->block_count; b++) {
            p->planned[n++] =
                may_hold(want, shard_count, block_info(rec, s, b), block_info(rec, s, b + 1));
        }
    }
    while (n-- != 0) {
        if (p->planned[n]) {
            lead = want->lead_in;
        } else if (lead != 0) {
            p->planned[n] = true;
            lead--;
        }
    }
}

int skein_block_plan_create(const struct skein_recording *rec, const struct skein_block_want *want,
                            struct skein_block_plan **out) {
    struct skein_block_plan *p = calloc(1, sizeof(*p));

    if (p == NULL) {
        return -ENOMEM;
    }
    p->segment_start = calloc(rec->segment_count + 1, sizeof(*p->segment_start));
    if (p->segment_start != NULL) {
        p->segment_count = rec->segment_count;
        for (size_t s = 0; s < rec->segment_count; s++) {
            p->segment_start[s] = p->block_count;
            p->block_count += rec->segments[s]->block_count;
        }
        p->segment_start[rec->segment_count] = p->block_count;
        p->planned = calloc(p->block_count + 1, sizeof(*p->planned));
    }
    if (p->planned == NULL) {
        skein_block_plan_free(p);
        return -ENOMEM;
    }
    fill(p, rec, want);
    *out = p;
    return 0;
}

void skein_block_plan_free(struct skein_block_plan *p) {
    if (p == NULL) {
        return;
    }
    free(p->segment_start);
    free(p->planned);
    free(p);
}

bool skein_block_plan_has(const struct skein_block_plan *p, size_t segment, size_t block) {
    return segment < p->segment_count &&
           block < p->segment_start[segment + 1] - p->segment_start[segment] &&
           p->planned[p->segment_start[segment] + block];
}
