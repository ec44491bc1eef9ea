#include "cli/timeline_bins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BINS SKEIN_TIMELINE_BINS
#define FIRST_WIDTH_NS 16u

int skein_timeline_bins_init(struct skein_timeline_bins *b, uint32_t shard_count,
                             uint64_t start_ns) {
    *b = (struct skein_timeline_bins){
        .shard_count = shard_count, .start_ns = start_ns, .width_ns = FIRST_WIDTH_NS};
    b->busy_ns = calloc((size_t)shard_count * SKEIN_SPAN_TYPE_COUNT * BINS, sizeof(uint64_t));
    b->spans = calloc((size_t)shard_count * BINS, sizeof(uint64_t));
    if (b->busy_ns != NULL && b->spans != NULL)
        return 0;
    skein_timeline_bins_free(b);
    return -ENOMEM;
}

void skein_timeline_bins_free(struct skein_timeline_bins *b) {
    free(b->busy_ns);
    free(b->spans);
    b->busy_ns = b->spans = NULL;
}

static void halve(uint64_t *row) {
    for (size_t i = 0; i < BINS / 2; i++)
        row[i] = row[2 * i] + row[2 * i + 1];
    memset(row + BINS / 2, 0, BINS / 2 * sizeof(*row));
}

static void widen(struct skein_timeline_bins *b) {
    for (size_t i = 0; i < (size_t)b->shard_count * SKEIN_SPAN_TYPE_COUNT; i++)
        halve(b->busy_ns + i * BINS);
    for (size_t i = 0; i < b->shard_count; i++)
        halve(b->spans + i * BINS);
    b->width_ns *= 2;
}

void skein_timeline_bins_add(struct skein_timeline_bins *b, const struct skein_span *s) {
    /* A span that was going on at the start counts from there. */
    uint64_t at = s->begin_ns > b->start_ns ? s->begin_ns - b->start_ns : 0;
    const uint64_t end = s->end_ns > b->start_ns ? s->end_ns - b->start_ns : 0;
    while ((end > at ? end : at) / b->width_ns >= BINS)
        widen(b);
    b->spans[(size_t)s->shard * BINS + at / b->width_ns]++;
    uint64_t *row =
        b->busy_ns + ((size_t)s->shard * SKEIN_SPAN_TYPE_COUNT + (size_t)s->type) * BINS;
    while (at < end) {
        const uint64_t bin = at / b->width_ns;
        const uint64_t next = (bin + 1) * b->width_ns;
        const uint64_t until = next < end ? next : end;
        row[bin] += until - at;
        at = until;
    }
}

void skein_timeline_bins_pack(const struct skein_timeline_bins *b, struct skein_packed *out) {
    for (size_t s = 0; s < b->shard_count; s++) {
        for (size_t i = 0; i < (size_t)SKEIN_SPAN_TYPE_COUNT * BINS; i++)
            skein_packed_number(out, b->busy_ns[s * SKEIN_SPAN_TYPE_COUNT * BINS + i]);
        for (size_t i = 0; i < BINS; i++)
            skein_packed_number(out, b->spans[s * BINS + i]);
    }
}
