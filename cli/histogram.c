#include "cli/histogram.h"

#include <inttypes.h>

#define BAR_WIDTH 40u

uint64_t skein_histogram_first(unsigned bucket) {
    return bucket == 0 ? 0 : 1ull << (bucket - 1);
}

uint64_t skein_histogram_last(unsigned bucket) {
    return bucket == 0 ? 0 : skein_histogram_first(bucket) * 2 - 1;
}

uint64_t skein_histogram_median(const struct skein_histogram *h) {
    uint64_t seen = 0;
    for (unsigned i = 0; i < SKEIN_HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket_count[i];
        if (seen > h->count / 2)
            return skein_histogram_first(i);
    }
    return 0;
}

static uint64_t fullest(const struct skein_histogram *h) {
    uint64_t most = 0;
    for (unsigned i = 0; i < SKEIN_HISTOGRAM_BUCKETS; i++)
        most = h->bucket_count[i] > most ? h->bucket_count[i] : most;
    return most;
}

/* What is there has a bar, however short. */
static void text_bar(FILE *out, uint64_t count, uint64_t most) {
    unsigned width = (unsigned)((double)count / (double)most * BAR_WIDTH);
    if (width == 0 && count != 0)
        width = 1;
    if (width != 0)
        fputc(' ', out);
    for (unsigned i = 0; i < width; i++)
        fputc('#', out);
    fputc('\n', out);
}

void skein_histogram_text(FILE *out, const struct skein_histogram *h) {
    const uint64_t most = fullest(h);
    unsigned first = 0, last = SKEIN_HISTOGRAM_BUCKETS;
    if (most == 0)
        return;
    while (h->bucket_count[first] == 0)
        first++;
    while (h->bucket_count[last - 1] == 0)
        last--;
    for (unsigned i = first; i < last; i++) {
        fprintf(out, "  %20" PRIu64 " – %-20" PRIu64 " %12" PRIu64, skein_histogram_first(i),
                skein_histogram_last(i), h->bucket_count[i]);
        text_bar(out, h->bucket_count[i], most);
    }
}

void skein_histogram_json(struct skein_json *j, const char *name, const struct skein_histogram *h) {
    skein_json_open(j, name, '{');
    skein_json_u64(j, "count", h->count);
    skein_json_u64(j, "sum", h->sum);
    skein_json_u64(j, "max", h->max);
    skein_json_open(j, "buckets", '[');
    for (unsigned i = 0; i < SKEIN_HISTOGRAM_BUCKETS; i++) {
        if (h->bucket_count[i] == 0)
            continue;
        skein_json_open(j, NULL, '{');
        skein_json_u64(j, "first", skein_histogram_first(i));
        skein_json_u64(j, "last", skein_histogram_last(i));
        skein_json_u64(j, "count", h->bucket_count[i]);
        skein_json_u64(j, "sum", h->bucket_sum[i]);
        skein_json_close(j, '}');
    }
    skein_json_close(j, ']');
    skein_json_close(j, '}');
}
