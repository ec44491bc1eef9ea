/*
 * soak RECORDING SECONDS [EVENTS_PER_S]: plays the recording's events, again and again, at that
 * rate (default: twice the rate at which they were recorded) into a session, collects them, reads
 * the result back and compares every event. Meanwhile samples how full the rings are and how much
 * memory the collector has.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/pipeline_parts/play.h"
#include "pipeline/atomics.h"
#include "pipeline/shard_layout.h"

#define PERIOD_MS 5
#define FILL_STEPS 6u

/* Upper ends of the histogram's steps, as parts of the ring. */
static const double fill_end[FILL_STEPS] = {0.001, 0.01, 0.05, 0.25, 0.5, 1.0};

struct samples {
    const struct tape *tape;
    double start_s, seconds;
    uint64_t count;
    uint64_t fill[FILL_STEPS]; /* samples by the fullest ring */
    double fill_max;
    uint64_t memory_kib[2]; /* most in the second quarter of the time, and in the second half */
};

/* Anonymous memory of this process: without the session, which is the writers' too. */
static uint64_t memory_kib(void) {
    FILE *f = fopen("/proc/self/status", "r");
    unsigned long kib = 0;
    char line[256];

    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, "RssAnon:", 8) == 0) {
            kib = strtoul(line + 8, NULL, 10);
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return kib;
}

static double fullest_ring(struct skein_session *session, uint32_t shards) {
    double most = 0;

    for (uint32_t i = 0; i < shards; i++) {
        size_t bytes;
        const struct skein_shard_mem *mem = skein_session_shard(session, i, &bytes);
        /* The tail first: the head seen then is not behind it. */
        const uint64_t tail = skein_load_acquire_64(&mem->tail);
        const uint64_t head = skein_load_acquire_64(&mem->head);
        const double fill = (double)(head - tail) / (double)mem->ring_bytes;
        most = fill > most ? fill : most;
    }
    return most > 1 ? 1 : most; /* the reader may have gone on in between */
}

static void take_sample(struct skein_session *session, struct skein_collector *collector,
                        void *opaque) {
    struct samples *s = opaque;
    const double part = (play_now_s() - s->start_s) / s->seconds;
    const double fill = fullest_ring(session, s->tape->shard_count);
    const uint64_t kib = memory_kib();
    unsigned step = 0;

    (void)collector;
    while (step < FILL_STEPS - 1 && fill >= fill_end[step]) {
        step++;
    }
    s->fill[step]++;
    s->count++;
    s->fill_max = fill > s->fill_max ? fill : s->fill_max;
    if (part >= 0.25) {
        uint64_t *most = &s->memory_kib[part >= 0.5];
        *most = kib > *most ? kib : *most;
    }
}

static void print_soak(const struct play *play, const struct samples *s,
                       const struct play_result *r) {
    const double events = (double)tape_events(play->tape, play->rounds);

    printf("soak events=%.0f bytes=%" PRIu64 " wall_s=%.2f events_per_s=%.0f wanted_per_s=%" PRIu64
           " cpu_s=%.2f lost=%.0f waits=%" PRIu64 " wait_s=%.3f disk_bytes=%" PRIu64
           " memory_before_kib=%" PRIu64 " memory_after_kib=%" PRIu64 " buffered_peak=%" PRIu64
           " complete=%d\n",
           events, tape_bytes(play->tape, play->rounds), r->wall_s, events / r->wall_s,
           play->events_per_s, r->cpu_s, events - (double)skein_stats_events(&r->status.stats),
           r->status.ring_waits, (double)r->status.ring_wait_ns / 1e9, r->status.stats.disk_bytes,
           s->memory_kib[0], s->memory_kib[1], r->status.buffered_peak_bytes, r->status.complete);
    printf("fill samples=%" PRIu64 " max=%.4f", s->count, s->fill_max);
    for (unsigned i = 0; i < FILL_STEPS; i++) {
        printf(" below_%g=%" PRIu64, fill_end[i], s->fill[i]);
    }
    putchar('\n');
    fflush(stdout);
}

static int soak(const struct tape *tape, double seconds, uint64_t events_per_s,
                struct skein_error *err) {
    char dir[] = "/tmp/skein-soak-XXXXXX";
    struct samples samples = {.tape = tape, .seconds = seconds};
    struct play play = {
        .tape = tape,
        .events_per_s = events_per_s,
        .dir = dir,
        .sample = take_sample,
        .opaque = &samples,
        .period_ms = PERIOD_MS,
    };
    struct play_result result;
    int rc;

    play.rounds = (uint64_t)(seconds * (double)events_per_s / (double)tape->events) + 1;
    if (mkdtemp(dir) == NULL) {
        return skein_error_set(err, -1, "cannot make a folder in /tmp");
    }
    samples.start_s = play_now_s();
    rc = play_run(&play, &result, err);
    if (rc == 0) {
        print_soak(&play, &samples, &result);
        rc = play_check(&play, err);
    }
    if (rc == 0) {
        printf("check events=%" PRIu64 " same=1\n", tape_events(tape, play.rounds));
    }
    play_remove(dir);
    return rc;
}

int main(int argc, char **argv) {
    struct tape tape;
    struct skein_error err = {""};
    const double seconds = argc >= 3 ? strtod(argv[2], NULL) : 0;
    uint64_t events_per_s = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
    int rc;

    if (argc < 3 || argc > 4 || seconds <= 0 || (argc == 4 && events_per_s == 0)) {
        fputs("usage: soak RECORDING SECONDS [EVENTS_PER_S]\n", stderr);
        return 2;
    }
    rc = tape_load(argv[1], &tape, &err);
    if (rc == 0 && events_per_s == 0 && tape.duration_ns == 0) {
        rc = skein_error_set(&err, -1, "%s does not say how long it took: give a rate", argv[1]);
    }
    if (rc == 0) {
        if (events_per_s == 0) {
            events_per_s = (uint64_t)(2e9 * (double)tape.events / (double)tape.duration_ns);
        }
        rc = soak(&tape, seconds, events_per_s, &err);
    }
    tape_free(&tape);
    if (rc != 0) {
        fprintf(stderr, "soak: %s\n", err.text);
        return 1;
    }
    return 0;
}
