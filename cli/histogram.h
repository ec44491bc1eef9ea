/* How values are spread, by powers of two. */
#ifndef SKEIN_CLI_HISTOGRAM_H
#define SKEIN_CLI_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

#include "cli/json.h"

/* Bucket 0 holds the zeros; bucket i the values from 2^(i-1) up to 2^i - 1. */
#define SKEIN_HISTOGRAM_BUCKETS 65u

struct skein_histogram {
    uint64_t count;
    uint64_t sum; /* modulo 2^64 */
    uint64_t max;
    uint64_t bucket_count[SKEIN_HISTOGRAM_BUCKETS];
    uint64_t bucket_sum[SKEIN_HISTOGRAM_BUCKETS];
};

static inline void skein_histogram_add(struct skein_histogram *h, uint64_t value) {
    const unsigned i = value == 0 ? 0 : 64u - (unsigned)__builtin_clzll(value);
    h->count++;
    h->sum += value;
    h->max = value > h->max ? value : h->max;
    h->bucket_count[i]++;
    h->bucket_sum[i] += value;
}

/* The bounds of a bucket, both inside. */
uint64_t skein_histogram_first(unsigned bucket);
uint64_t skein_histogram_last(unsigned bucket);

/* The first value of the bucket that holds the value in the middle; 0 without values. */
uint64_t skein_histogram_median(const struct skein_histogram *h);

/* One line for each bucket from the first to the last that is not empty, with a bar. */
void skein_histogram_text(FILE *out, const struct skein_histogram *h);

/* An object: count, sum, max, and the buckets that are not empty. */
void skein_histogram_json(struct skein_json *j, const char *name, const struct skein_histogram *h);

#endif
