/*
 * Two recordings, compared: what is said about the guest in their manifests, then event by event in
 * canonical order up to the first difference, and the counts by kind of both. Who recorded when,
 * and how long things took, differs always and is not compared.
 */
#ifndef SKEIN_CLI_DIFF_H
#define SKEIN_CLI_DIFF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/event_clock.h"
#include "cli/event_print.h"
#include "cli/json.h"
#include "cli/open.h"

#define SKEIN_DIFF_FIELDS 16u

/* What a manifest says about the guest and its machine, in words. */
struct skein_diff_field {
    const char *name;
    char text[2112];
};

/* The same names in the same order for each manifest. */
void skein_diff_fields(const struct skein_manifest *m,
                       struct skein_diff_field field[SKEIN_DIFF_FIELDS]);

/* One of the two. */
struct skein_diff_side {
    const char *dir;
    struct skein_opened opened;
    struct skein_diff_field field[SKEIN_DIFF_FIELDS];
    struct skein_event_clock clock;
    struct skein_stats stats; /* of the events read so far */
    uint64_t events;
    int rc; /* of the last read: 1: `event` is the next one; 0: there are no more */
    struct skein_event event;
    uint64_t time_ns;
};

struct skein_diff {
    struct skein_diff_side side[2];
    uint32_t fields_differ;
    bool events_differ;
    uint64_t first;        /* the first difference: events before it; valid when events_differ */
    char *shown[2];        /* the two events there, printed; NULL: that side has no more */
    struct skein_event at; /* where: shard, tick, slice of side 0, or of 1 if 0 has no more */
};

void skein_diff_text(FILE *out, const struct skein_diff *d);
void skein_diff_json(FILE *out, const struct skein_diff *d);

#endif
