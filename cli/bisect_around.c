/* The events of the log around a place: the last ones of each shard, and the edges around it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bisect.h"
#include "cli/event_clock.h"
#include "cli/event_print.h"
#include "cli/open.h"

/* Events shown of each shard. */
#define LAST 4u

struct around {
    uint32_t shard;
    uint64_t tick;
    bool passed; /* the place was met; its shard's next edge is still looked for */
    struct skein_event_print print;
    struct skein_out out;
    char *last[SKEIN_MAX_SHARDS][LAST];
    uint64_t seen[SKEIN_MAX_SHARDS];
    char *edge_before;
    char *edge_behind;
};

static char *show(struct around *a, const struct skein_event *event) {
    a->out.used = 0;
    skein_event_print(&a->print, &a->out, event, 0);
    return strndup(a->out.buffer, a->out.used);
}

static void keep(struct around *a, const struct skein_event *event) {
    char **slot = &a->last[event->shard][a->seen[event->shard]++ % LAST];
    free(*slot);
    *slot = show(a, event);
    if (event->shard == a->shard && event->record->kind == SKEIN_TOKEN) {
        free(a->edge_before);
        a->edge_before = strdup(*slot != NULL ? *slot : "");
    }
}

/* False: everything is known. */
static bool take(struct around *a, const struct skein_event *event) {
    if (!a->passed)
        keep(a, event);
    else if (event->shard == a->shard && event->record->kind == SKEIN_TOKEN)
        a->edge_behind = show(a, event);
    a->passed |= event->shard == a->shard && event->tick == a->tick;
    return a->edge_behind == NULL;
}

/* One line, or one element of the array. */
static void put(const struct around *a, const char *what, const char *event, bool *any, FILE *out) {
    if (event == NULL)
        return;
    if (a->print.json)
        fprintf(out, "%s{\"what\":\"%s\",\"event\":%s}", *any ? "," : "", what, event);
    else
        fprintf(out, "  %-12s %s\n", what, event);
    *any = true;
}

static void print(const struct around *a, FILE *out) {
    bool any = false;
    for (uint32_t s = 0; s < a->print.shard_count; s++) {
        uint64_t first = a->seen[s] > LAST ? a->seen[s] - LAST : 0;
        for (uint64_t i = first; i < a->seen[s]; i++)
            put(a, "last", a->last[s][i % LAST], &any, out);
    }
    put(a, "edge before", a->edge_before, &any, out);
    put(a, "edge behind", a->edge_behind, &any, out);
}

static void read_all(struct around *a, struct skein_opened *opened) {
    struct skein_error err = {0};
    struct skein_event event;
    if (skein_open_reader(opened, &err) != 0)
        return;
    while (skein_open_next(opened, &event, &err) == 1)
        if (event.shard < SKEIN_MAX_SHARDS && !take(a, &event))
            break;
}

static void clean(struct around *a) {
    for (uint32_t s = 0; s < SKEIN_MAX_SHARDS; s++)
        for (uint32_t i = 0; i < LAST; i++)
            free(a->last[s][i]);
    free(a->edge_before);
    free(a->edge_behind);
    skein_out_free(&a->out);
    free(a);
}

void skein_bisect_around(const char *dir, uint32_t shard, uint64_t tick, bool json, FILE *out) {
    struct skein_opened opened = {0};
    struct skein_event_names *names = NULL;
    struct around *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return;
    a->shard = shard;
    a->tick = tick;
    if (skein_out_init(&a->out, -1) == 0 && skein_event_names_create(&names) == 0 &&
        skein_open_readable(&opened, "bisect", dir)) {
        a->print =
            (struct skein_event_print){.names = names,
                                       .shard_count = skein_recording_shard_count(opened.rec),
                                       .json = json,
                                       .no_time = true};
        read_all(a, &opened);
        print(a, out);
        skein_open_finish(&opened);
    }
    if (names != NULL)
        skein_event_names_free(names);
    clean(a);
}
