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

/* slices_after: TOKEN events up to the end of the block. */
static bool may_hold(const struct skein_block_want *want, uint32_t shard_count,
                     const struct skein_block_info *info, uint64_t slices_after) {
    if (info->slices > want->last_slice || slices_after < want->first_slice) {
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

static int fill_segment(struct skein_block_plan *p, struct skein_recording *rec, size_t s,
                        const struct skein_block_want *want, struct skein_error *err) {
    struct skein_segment *seg = rec->segments[s];
    const uint32_t shard_count = skein_recording_shard_count(rec);
    const uint64_t slices_end =
        s + 1 < rec->segment_count ? rec->segments[s + 1]->start.slices : UINT64_MAX;
    int rc = skein_segment_acquire(seg, err);

    if (rc != 0) {
        return rc;
    }
    for (size_t b = 0; b < seg->block_count; b++) {
        p->planned[p->segment_start[s] + b] =
            may_hold(want, shard_count, &seg->blocks[b].info,
                     b + 1 < seg->block_count ? seg->blocks[b + 1].info.slices : slices_end);
    }
    skein_segment_release(seg);
    return 0;
}

static void add_lead_in(struct skein_block_plan *p, uint32_t lead_in) {
    size_t lead = 0;

    for (size_t n = p->block_count; n-- != 0;) {
        if (p->planned[n]) {
            lead = lead_in;
        } else if (lead != 0) {
            p->planned[n] = true;
            lead--;
        }
    }
}

static int allocate(struct skein_block_plan *p, const struct skein_recording *rec) {
    p->segment_start = calloc(rec->segment_count + 1, sizeof(*p->segment_start));
    if (p->segment_start == NULL) {
        return -ENOMEM;
    }
    p->segment_count = rec->segment_count;
    for (size_t s = 0; s < rec->segment_count; s++) {
        p->segment_start[s] = p->block_count;
        p->block_count += rec->segments[s]->block_count;
    }
    p->segment_start[rec->segment_count] = p->block_count;
    p->planned = calloc(p->block_count + 1, sizeof(*p->planned));
    return p->planned != NULL ? 0 : -ENOMEM;
}

int skein_block_plan_create(struct skein_recording *rec, const struct skein_block_want *want,
                            struct skein_block_plan **out, struct skein_error *err) {
    struct skein_block_plan *p = calloc(1, sizeof(*p));
    int rc = 0;

    if (p == NULL || allocate(p, rec) != 0) {
        rc = skein_error_set(err, -ENOMEM, "out of memory");
    }
    for (size_t s = 0; rc == 0 && s < rec->segment_count; s++) {
        rc = fill_segment(p, rec, s, want, err);
    }
    if (rc != 0) {
        skein_block_plan_free(p);
        return rc;
    }
    add_lead_in(p, want->lead_in);
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
