#include "cli/slice_name.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/block_shape.h"
#include "pipeline/stats.h"

struct stay {
    const char *base; /* what the vCPU entered last */
    const char *over; /* the interrupt that its slice began with; NULL: none */
    bool idle;        /* base is, and nothing came after the wake-up */
    bool began;       /* the slice has begun at `position` and nothing was executed since */
    uint64_t position;
};

struct skein_slice_name {
    const struct skein_event_names *names;
    uint32_t shard_count;
    struct stay shard[SKEIN_MAX_SHARDS];
};

int skein_slice_name_create(const struct skein_event_names *names, uint32_t shard_count,
                            struct skein_slice_name **out) {
    struct skein_slice_name *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return -ENOMEM;
    t->names = names;
    t->shard_count = shard_count;
    for (uint32_t s = 0; s < SKEIN_MAX_SHARDS; s++)
        t->shard[s].base = s + 1 == shard_count ? "dma" : "boot";
    *out = t;
    return 0;
}

void skein_slice_name_free(struct skein_slice_name *t) {
    free(t);
}

static uint64_t first_word(const struct skein_record *rec, uint32_t word) {
    uint64_t value;
    memcpy(&value, (const uint8_t *)(rec + 1) + 8 * (size_t)word, sizeof(value));
    return value;
}

static void take_token(struct stay *s, const struct skein_record *rec) {
    s->over = NULL;
    s->began = (rec->flags & SKEIN_F_AT_IO) == 0;
    s->position = first_word(rec, 1);
}

static void take_interrupt(struct stay *s, const struct skein_record *rec, const char *name) {
    if ((rec->arg & 0xff) == SKEIN_INTR_WAKE) {
        s->base = name;
        s->over = NULL;
        s->idle = true;
        return;
    }
    if (s->idle)
        s->base = name;
    else if (s->began && first_word(rec, 0) == s->position)
        s->over = name;
    s->idle = s->began = false;
}

static void feed_vcpu(const struct skein_slice_name *t, struct stay *s,
                      const struct skein_record *rec) {
    size_t tail_bytes;
    if (rec->kind != SKEIN_ENTRY && rec->kind != SKEIN_INTERRUPT && rec->kind != SKEIN_TOKEN)
        return;
    if (!skein_shape_match(rec, &tail_bytes))
        return;
    if (rec->kind == SKEIN_TOKEN) {
        take_token(s, rec);
    } else if (rec->kind == SKEIN_INTERRUPT) {
        take_interrupt(s, rec, skein_event_names_interrupt(t->names, rec));
    } else {
        s->base = skein_event_names_entry(t->names, rec);
        s->over = NULL;
        s->idle = s->began = false;
    }
}

const char *skein_slice_name_feed(struct skein_slice_name *t, uint32_t shard,
                                  const struct skein_record *rec) {
    if (shard >= t->shard_count || t->shard_count > SKEIN_MAX_SHARDS)
        return "";
    if (shard + 1 != t->shard_count)
        feed_vcpu(t, &t->shard[shard], rec);
    return skein_slice_name_of(t, shard);
}

const char *skein_slice_name_of(const struct skein_slice_name *t, uint32_t shard) {
    if (shard >= t->shard_count || shard >= SKEIN_MAX_SHARDS)
        return "";
    const struct stay *s = &t->shard[shard];
    return s->over != NULL ? s->over : s->base;
}
