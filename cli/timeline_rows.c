#include "cli/timeline_rows.h"

#include <errno.h>
#include <stdlib.h>

/* Details: eleven numbers at most. */
#define DETAILS_MAX_BYTES 128u

int skein_timeline_rows_create(uint32_t shard_count, uint64_t from_ns, uint64_t max,
                               struct skein_timeline_rows **out) {
    struct skein_timeline_rows *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return -ENOMEM;
    t->max = max;
    if (skein_timeline_bins_init(&t->bins, shard_count, from_ns) != 0 ||
        skein_packed_create(&t->rows) != 0 || skein_packed_create(&t->instants) != 0) {
        skein_timeline_rows_free(t);
        return -ENOMEM;
    }
    *out = t;
    return 0;
}

void skein_timeline_rows_free(struct skein_timeline_rows *t) {
    if (t == NULL)
        return;
    skein_packed_free(t->rows);
    skein_packed_free(t->instants);
    skein_timeline_bins_free(&t->bins);
    free(t);
}

/* What cannot be kept is not kept in part. */
static bool fits(struct skein_packed **stream, uint64_t count, uint64_t max) {
    if (*stream != NULL && count > max) {
        skein_packed_free(*stream);
        *stream = NULL;
    }
    return *stream != NULL;
}

static void put_details(struct skein_packed *rows, const struct skein_span *s) {
    uint8_t bytes[DETAILS_MAX_BYTES];
    size_t n = 0;
    if (s->entered) {
        n += skein_packed_encode(bytes + n, s->vector);
        n += skein_packed_encode(bytes + n, s->error);
        n += skein_packed_encode(bytes + n, s->cr2);
        n += skein_packed_encode(bytes + n, s->rip);
        n += skein_packed_encode(bytes + n, s->reg_mask);
        for (uint32_t i = 0; i < SKEIN_SPAN_REGS; i++)
            if ((s->reg_mask >> i & 1) != 0)
                n += skein_packed_encode(bytes + n, s->reg[i]);
    }
    skein_packed_number(rows, n);
    skein_packed_bytes(rows, bytes, n);
}

static void put_row(struct skein_timeline_rows *t, const struct skein_span *s) {
    const uint64_t icount = s->first_icount;
    uint64_t flags = s->opens_slice ? SKEIN_TIMELINE_OPENS_SLICE : 0;
    flags |= s->entered ? SKEIN_TIMELINE_ENTERED : 0;
    flags |= s->follows ? SKEIN_TIMELINE_FOLLOWS : 0;
    skein_packed_number(t->rows, s->shard);
    skein_packed_number(t->rows, s->name);
    skein_packed_number(t->rows, flags);
    skein_packed_number(t->rows, s->begin_ns - t->at_ns);
    skein_packed_number(t->rows, s->end_ns - s->begin_ns);
    skein_packed_number(t->rows, s->slice - t->at_slice);
    skein_packed_number(t->rows, s->first_tick - t->at_tick[s->shard]);
    skein_packed_number(t->rows, s->last_tick - s->first_tick);
    skein_packed_number(t->rows, icount);
    skein_packed_number(t->rows, s->last_icount > icount ? s->last_icount - icount : 0);
    skein_packed_number(t->rows, s->bytes);
    put_details(t->rows, s);
}

static int end(void *opaque, const struct skein_span *s) {
    struct skein_timeline_rows *t = opaque;
    if (t->span_count++ == 0)
        t->first_ns = s->begin_ns;
    t->last_ns = s->end_ns;
    t->slice_count += s->opens_slice ? 1 : 0;
    t->by_name[s->name].spans++;
    t->by_name[s->name].ns += s->end_ns - s->begin_ns;
    skein_timeline_bins_add(&t->bins, s);
    if (fits(&t->rows, t->span_count, t->max))
        put_row(t, s);
    t->at_ns = s->end_ns;
    t->at_slice = s->slice;
    t->at_tick[s->shard] = s->last_tick;
    return 0;
}

static int begin(void *opaque, const struct skein_span *s) {
    (void)opaque;
    (void)s; /* all of it is there when it ends */
    return 0;
}

static int instant(void *opaque, const struct skein_instant *i) {
    struct skein_timeline_rows *t = opaque;
    t->instant_count++;
    if (fits(&t->instants, t->instant_count, t->max)) {
        skein_packed_number(t->instants, i->shard);
        skein_packed_number(t->instants, i->name);
        skein_packed_number(t->instants, i->ns - t->at_instant_ns);
        skein_packed_number(t->instants, i->tick);
        skein_packed_number(t->instants, i->icount);
    }
    t->at_instant_ns = i->ns;
    return 0;
}

struct skein_span_sink skein_timeline_rows_sink(struct skein_timeline_rows *t) {
    return (struct skein_span_sink){.opaque = t, .begin = begin, .instant = instant, .end = end};
}
