/* A small repeatable generator (splitmix64), so that a failing test fails again. */
#ifndef SKEIN_TESTS_PIPELINE_RANDOM_H
#define SKEIN_TESTS_PIPELINE_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *r) {
    uint64_t z = (r->state += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static inline uint64_t random_below(struct random *r, uint64_t bound) {
    return random_next(r) % bound;
}

#endif
