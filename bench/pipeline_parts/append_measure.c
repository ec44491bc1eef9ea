#include "bench/pipeline_parts/append_measure.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/atomics.h"

#define WRITERS_MAX 64u
#define BATCHES_MAX 1000000u

static uint32_t writers_ended;

int append_done(void) {
    return skein_load_acquire_32(&writers_ended) != 0;
}

static uint64_t clock_ns(void) {
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static double ticks_per_ns(void) {
    const uint64_t ns = clock_ns(), ticks = ticks_now();

    while (clock_ns() - ns < 50000000) {
    }
    return (double)(ticks_now() - ticks) / (double)(clock_ns() - ns);
}

/* The tick count below which `part` of the histogram lies. */
static uint32_t percentile(const uint32_t *histogram, double part) {
    uint64_t all = 0, below = 0;
    uint32_t i = 0;

    for (uint32_t k = 0; k < BUCKETS; k++) {
        all += histogram[k];
    }
    while (i < BUCKETS - 1 && (double)(below += histogram[i]) < part * (double)all) {
        i++;
    }
    return i;
}

/* The histograms of all lanes into those of the first. */
static void merge(struct lane *lanes, unsigned writers) {
    for (unsigned w = 1; w < writers; w++) {
        for (uint32_t i = 0; i < BUCKETS; i++) {
            lanes[0].group_ticks[i] += lanes[w].group_ticks[i];
            lanes[0].append_ticks[i] += lanes[w].append_ticks[i];
            lanes[0].timer_ticks[i] += lanes[w].timer_ticks[i];
        }
        lanes[0].ticks += lanes[w].ticks;
        lanes[0].pauses += lanes[w].pauses;
    }
}

static double less(uint32_t ticks, uint32_t timer, double per_ns) {
    return ticks > timer ? (double)(ticks - timer) / per_ns : 0;
}

/* The timer's step: the smallest difference between two results of it. */
static uint32_t timer_step(const uint32_t *histogram) {
    uint32_t last = 0, step = BUCKETS;

    for (uint32_t i = 1; i < BUCKETS - 1; i++) {
        if (histogram[i] != 0) {
            if (last != 0 && i - last > 1 && i - last < step) {
                step = i - last;
            }
            last = i;
        }
    }
    return step == BUCKETS ? 1 : step;
}

static void print_result(const struct append_side *side, struct lane *lanes, unsigned writers,
                         uint64_t lost, uint64_t waits) {
    const double per_ns = ticks_per_ns();
    const uint64_t half = writers * lanes[0].batches * BATCH_EVENTS;

    merge(lanes, writers);
    const uint32_t *single = lanes[0].append_ticks;
    const uint32_t timer = percentile(lanes[0].timer_ticks, 0.5);
    const uint32_t group = percentile(lanes[0].group_ticks, 0.5);
    const double p50 = less(group, timer, per_ns) / PUBLISH_EVENTS;
    printf("append side=%s writers=%u events=%" PRIu64 " p50_ns=%.2f p50_cycles=%.1f "
           "mean_ns=%.2f single_p50_ns=%.1f p99_ns=%.1f p999_ns=%.1f timer_ns=%.1f "
           "timer_step_ns=%.1f ticks_per_ns=%.4f lost=%" PRIu64 " waits=%" PRIu64 " pauses=%" PRIu64
           "\n",
           side->name, writers, 2 * half, p50, p50 * per_ns,
           (double)lanes[0].ticks / per_ns / (double)half,
           less(percentile(single, 0.5), timer, per_ns),
           less(percentile(single, 0.99), timer, per_ns),
           less(percentile(single, 0.999), timer, per_ns), timer / per_ns,
           timer_step(lanes[0].timer_ticks) / per_ns, per_ns, lost, waits, lanes[0].pauses);
}

/* False: a thread could not be started. */
static bool run_threads(const struct append_side *side, struct lane *lanes, unsigned writers) {
    pthread_t consumer, writer[WRITERS_MAX];
    unsigned started = 0;
    const bool drains =
        side->drain != NULL && pthread_create(&consumer, NULL, side->drain, NULL) == 0;

    while (drains == (side->drain != NULL) && started < writers &&
           pthread_create(&writer[started], NULL, side->write, &lanes[started]) == 0) {
        started++;
    }
    for (unsigned w = 0; w < started; w++) {
        pthread_join(writer[w], NULL);
    }
    skein_store_release_32(&writers_ended, 1);
    if (drains) {
        pthread_join(consumer, NULL);
    }
    return started == writers;
}

static int run_side(const struct append_side *side, struct lane *lanes, unsigned writers) {
    uint64_t lost = 0, waits = 0;
    int code = side->open(lanes, writers);

    if (code != 0) {
        fprintf(stderr, "append: cannot open %s\n", side->name);
        return code;
    }
    if (!run_threads(side, lanes, writers)) {
        fputs("append: cannot start the threads\n", stderr);
        return 1;
    }
    side->close(lanes, writers, &lost, &waits);
    print_result(side, lanes, writers, lost, waits);
    return 0;
}

int append_main(const struct append_side *side, int argc, char **argv) {
    const uint64_t writers = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;
    const uint64_t batches = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
    struct lane *lanes;
    int code;

    if (writers == 0 || writers > WRITERS_MAX || batches == 0 || batches > BATCHES_MAX) {
        fprintf(stderr, "usage: append_… WRITERS BATCHES (at most %u and %u)\n", WRITERS_MAX,
                BATCHES_MAX);
        return 2;
    }
    lanes = calloc(writers, sizeof(*lanes));
    if (lanes == NULL) {
        fputs("append: out of memory\n", stderr);
        return 1;
    }
    for (unsigned w = 0; w < writers; w++) {
        memset(&lanes[w], 0, sizeof(lanes[w])); /* no page faults later */
        lanes[w].number = w;
        lanes[w].batches = batches;
    }
    code = run_side(side, lanes, (unsigned)writers);
    free(lanes);
    return code;
}
