#include "pipeline/tsc_grid.h"

#include "pipeline/event.h"

#define SHIFT_MAX 3u
#define STEP_MAX (512u << SHIFT_MAX) /* a clock of 10 MHz under 5 GHz */
#define STEP_LIMIT (1u << 14)        /* what a reader accepts */
#define SAMPLES 128u
#define SAMPLES_MIN 32u
#define GLANCE 8u
#define PAUSE 64u /* shards and blocks without a search after one that found nothing */

struct samples {
    size_t count;
    int64_t at[SAMPLES]; /* distances from the origin */
};

static bool is_tsc(uint64_t arg) {
    return (arg & 0xff) == SKEIN_VALUE_TSC;
}

static int64_t add(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* The k whose place is nearest below or at t. By a multiplication: a division takes longer than all
 * the rest. What it is off by, rounding, is put right. */
static inline int64_t k_of(struct skein_tsc_grid g, double k_per_tick, int64_t t) {
    int64_t k = (int64_t)((double)t * k_per_tick);

    /* Off by one at most where a double is exact, which it is as far as anything is packed. */
    k -= skein_tsc_on_grid(g, k) > t;
    k += skein_tsc_on_grid(g, k + 1) <= t;
    return k;
}

static double k_per_tick(struct skein_tsc_grid g) {
    return (double)(1u << g.shift) / g.step;
}

static int64_t rest_of(struct skein_tsc_grid g, double ratio, int64_t t) {
    return t - skein_tsc_on_grid(g, k_of(g, ratio, t));
}

/*
 * How often the distance from the grid changes. On its grid a counter stays, or, when its thread
 * has moved to another processor or the origin happens to be off, beside it.
 */
static size_t count_off(struct skein_tsc_grid g, const struct samples *s, size_t count) {
    const double ratio = k_per_tick(g);
    size_t off = 0;
    int64_t last = 0;

    for (size_t i = 0; i < count; i++) {
        const int64_t rest = rest_of(g, ratio, s->at[i]);
        off += rest != last;
        last = rest;
    }
    return off;
}

/* False: some counter is too far from the first, or there are too few. */
static bool take_samples(const struct skein_tsc_values *v, struct samples *s) {
    int64_t at = 0;
    bool first = true;

    s->count = 0;
    for (size_t i = 0; i < v->count; i++) {
        if (!is_tsc(v->arg[i])) {
            continue;
        }
        at = first ? 0 : add(at, v->value[i]);
        if (at >= SKEIN_TSC_DISTANCE_MAX || at <= -SKEIN_TSC_DISTANCE_MAX) {
            return false;
        }
        if (!first && s->count < SAMPLES) {
            s->at[s->count++] = at;
        }
        first = false;
    }
    return s->count >= SAMPLES_MIN;
}

/* The phase with the fewest samples off the grid; how many. */
static size_t best_phase(struct skein_tsc_grid *g, const struct samples *s) {
    struct skein_tsc_grid try = *g;
    size_t fewest = SIZE_MAX;

    for (try.phase = 0; try.phase < 1u << try.shift; try.phase++) {
        const size_t off = count_off(try, s, s->count);
        if (off < fewest) {
            fewest = off;
            *g = try;
        }
    }
    return fewest;
}

/* Whether a glance at a few samples leaves a chance for some phase. */
static bool promising(struct skein_tsc_grid g, const struct samples *s) {
    for (g.phase = 0; g.phase < 1u << g.shift; g.phase++) {
        if (count_off(g, s, GLANCE / 2) <= 1 && count_off(g, s, GLANCE) <= GLANCE / 4) {
            return true;
        }
    }
    return false;
}

static struct skein_tsc_grid search(const struct samples *s) {
    static const struct skein_tsc_grid none;

    /* The widest step first: a counter that moves by 24 lies on the grids of 12 and 8, too. */
    for (uint32_t eighths = STEP_MAX; eighths >= 3u << SHIFT_MAX; eighths--) {
        const uint32_t common = (uint32_t)__builtin_ctz(eighths | 1u << SHIFT_MAX);
        struct skein_tsc_grid g = {.step = eighths >> common, .shift = SHIFT_MAX - common};
        if (promising(g, s) && best_phase(&g, s) <= s->count / 16) {
            return g;
        }
    }
    return none;
}

struct skein_tsc_grid skein_tsc_grid_find(struct skein_tsc_finder *finder,
                                          const struct skein_tsc_values *values) {
    static const struct skein_tsc_grid none;
    struct skein_tsc_grid g = finder->last;
    struct samples s;

    if (!take_samples(values, &s)) {
        return none;
    }
    /* Threads move between processors whose counters differ by less than a step: many may be off.
     */
    if (g.step != 0 && best_phase(&g, &s) <= s.count - s.count / 4) {
        return g;
    }
    if (finder->pause != 0) {
        finder->pause--;
        return none;
    }
    g = search(&s);
    if (g.step != 0) {
        finder->last = g;
    } else {
        finder->pause = PAUSE;
    }
    return g;
}

static uint64_t zigzag(int64_t v) {
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

/* The index of the first counter; count when there is none. */
static size_t first_tsc(const struct skein_tsc_values *v) {
    size_t i = 0;

    while (i < v->count && !is_tsc(v->arg[i])) {
        i++;
    }
    return i;
}

void skein_tsc_grid_pack(const struct skein_tsc_values *v, struct skein_tsc_grid g,
                         struct skein_tsc_columns *c) {
    const double ratio = k_per_tick(g);
    int64_t at = 0, k = 0;
    bool any = false;

    c->count = 0;
    for (size_t i = first_tsc(v) + 1; i < v->count; i++) {
        if (!is_tsc(v->arg[i])) {
            continue;
        }
        at = add(at, v->value[i]);
        const int64_t next = k_of(g, ratio, at);
        const uint64_t delta = zigzag(next - k);
        k = next;
        v->value[i] = (int64_t)(delta >> 8);
        c->low[c->count] = (uint8_t)delta;
        c->rest[c->count] = at - skein_tsc_on_grid(g, k);
        any |= c->rest[c->count] != 0;
        c->count++;
    }
    c->rest_count = any ? c->count : 0;
}

bool skein_tsc_grid_valid(struct skein_tsc_grid g) {
    return g.step != 0 && g.step <= STEP_LIMIT && g.shift <= SHIFT_MAX && g.phase >> g.shift == 0;
}
