/* One line on the terminal that says how far things are; nothing at all elsewhere. */
#ifndef SKEIN_CLI_PROGRESS_H
#define SKEIN_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct skein_progress {
    bool on;       /* stderr is a terminal */
    bool drawn;    /* the line is on the screen */
    bool mid_line; /* the guest's console stands in the middle of a line: do not draw */
    uint64_t last_ns;
    uint64_t last_events;
    uint64_t last_bytes;
};

/* What there is to say; zero where it does not apply. */
struct skein_progress_state {
    uint64_t events;
    uint64_t events_all; /* replay */
    uint64_t bytes;      /* record: in the shards */
    uint64_t slices;
    uint64_t waits; /* record: for room in a shard */
};

void skein_progress_init(struct skein_progress *p, bool quiet);
void skein_progress_draw(struct skein_progress *p, const struct skein_progress_state *s);
/* verify: how many epochs are done and under way, and of all their events how many. */
void skein_progress_draw_epochs(struct skein_progress *p, uint64_t done, uint64_t all,
                                uint64_t running, const struct skein_progress_state *s);
void skein_progress_clear(struct skein_progress *p);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t skein_now_ns(void);

#endif
