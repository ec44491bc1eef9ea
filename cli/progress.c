#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define REDRAW_NS 200000000ull

uint64_t skein_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

void skein_progress_init(struct skein_progress *p, bool quiet) {
    *p = (struct skein_progress){.on = !quiet && isatty(STDERR_FILENO)};
}

static void draw_replay(const struct skein_progress_state *s, double events_per_s) {
    double share = s->events_all > 0 ? (double)s->events * 100 / (double)s->events_all : 0;
    fprintf(stderr,
            "\r\033[Kskein: events %" PRIu64 "/%" PRIu64 " (%.0f%%), slices %" PRIu64
            ", %.0f k events/s",
            s->events, s->events_all, share, s->slices, events_per_s / 1e3);
}

static void draw_record(const struct skein_progress_state *s, double events_per_s,
                        double bytes_per_s) {
    fprintf(stderr,
            "\r\033[Kskein: %" PRIu64 " events, %.0f k events/s, %.1f MB/s, slices %" PRIu64
            ", back-pressure %" PRIu64,
            s->events, events_per_s / 1e3, bytes_per_s / 1e6, s->slices, s->waits);
}

void skein_progress_draw(struct skein_progress *p, const struct skein_progress_state *s) {
    uint64_t now_ns = skein_now_ns();
    if (!p->on || p->mid_line || now_ns - p->last_ns < REDRAW_NS)
        return;
    double seconds = (double)(now_ns - p->last_ns) / 1e9;
    double events_per_s = (double)(s->events - p->last_events) / seconds;
    if (s->events_all > 0)
        draw_replay(s, events_per_s);
    else
        draw_record(s, events_per_s, (double)(s->bytes - p->last_bytes) / seconds);
    fflush(stderr);
    p->drawn = true;
    p->last_ns = now_ns;
    p->last_events = s->events;
    p->last_bytes = s->bytes;
}

void skein_progress_draw_epochs(struct skein_progress *p, uint64_t done, uint64_t all,
                                uint64_t running, const struct skein_progress_state *s) {
    uint64_t now_ns = skein_now_ns();
    if (!p->on || now_ns - p->last_ns < REDRAW_NS)
        return;
    double share = s->events_all > 0 ? (double)s->events * 100 / (double)s->events_all : 0;
    fprintf(stderr,
            "\r\033[Kskein: epochs %" PRIu64 "/%" PRIu64 ", %" PRIu64 " running, events %" PRIu64
            "/%" PRIu64 " (%.0f%%)",
            done, all, running, s->events, s->events_all, share);
    fflush(stderr);
    p->drawn = true;
    p->last_ns = now_ns;
}

void skein_progress_clear(struct skein_progress *p) {
    if (!p->drawn)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    p->drawn = false;
}
