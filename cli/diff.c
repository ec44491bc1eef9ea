/* skein diff: compares two recordings. */
#include "cli/diff.h"
#include "cli/cli.h"
#include "cli/json_option.h"
#include "cli/progress.h"
#include "cli/report.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define DRAW_EVERY 65536u

/* Reads the next event of a side. */
static void advance(struct skein_diff_side *s, struct skein_error *err) {
    s->rc = skein_open_next(&s->opened, &s->event, err);
    if (s->rc != 1)
        return;
    s->time_ns = skein_event_clock_ns(&s->clock, &s->event);
    skein_stats_count(&s->stats, s->event.shard, s->event.record);
    s->events++;
}

static bool same_event(const struct skein_event *a, const struct skein_event *b) {
    return a->shard == b->shard && a->tick == b->tick && a->slice == b->slice &&
           a->record->size_bytes == b->record->size_bytes &&
           memcmp(a->record, b->record, a->record->size_bytes) == 0;
}

/* The event in words, or in JSON, in memory of its own. */
static char *show(const struct skein_diff_side *s, const struct skein_event_print *print) {
    struct skein_event_print p = *print;
    struct skein_out out;
    char *text = NULL;
    p.shard_count = skein_recording_shard_count(s->opened.rec);
    if (skein_out_init(&out, -1) == 0) {
        skein_event_print(&p, &out, &s->event, s->time_ns);
        text = strndup(out.buffer, out.used);
    }
    skein_out_free(&out);
    return text;
}

static int note_difference(struct skein_diff *d, const struct skein_event_print *print) {
    d->events_differ = true;
    for (int i = 0; i < 2; i++) {
        struct skein_diff_side *s = &d->side[i];
        d->first = s->rc == 1 ? s->events - 1 : s->events;
        if (s->rc != 1)
            continue;
        d->shown[i] = show(s, print);
        if (d->shown[i] == NULL)
            return -ENOMEM;
    }
    d->at = d->side[d->side[0].rc == 1 ? 0 : 1].event;
    d->at.record = NULL; /* valid until the next read only */
    return 0;
}

static void draw(struct skein_progress *p, const struct skein_diff *d) {
    const struct skein_diff_side *s = &d->side[0];
    if (s->events % DRAW_EVERY != 0)
        return;
    struct skein_progress_state state = {.events = s->events,
                                         .events_all = skein_recording_events(s->opened.rec),
                                         .slices = s->event.slice};
    skein_progress_draw(p, &state);
}

/* Both to their ends; side by side until they differ. */
static int compare_events(struct skein_diff *d, const struct skein_event_print *print,
                          struct skein_error *err) {
    struct skein_diff_side *a = &d->side[0], *b = &d->side[1];
    struct skein_progress progress;
    int rc = 0;
    skein_progress_init(&progress, false);
    do {
        advance(a, err);
        advance(b, err);
        draw(&progress, d);
        if (a->rc < 0 || b->rc < 0)
            break;
        if (!d->events_differ && (a->rc == 1 || b->rc == 1) &&
            (a->rc != b->rc || !same_event(&a->event, &b->event)))
            rc = note_difference(d, print);
    } while (rc == 0 && (a->rc == 1 || b->rc == 1));
    skein_progress_clear(&progress);
    if (rc != 0)
        return skein_error_set(err, rc, "out of memory");
    return a->rc < 0 ? a->rc : b->rc;
}

static int open_side(struct skein_diff_side *s, struct skein_error *err) {
    const struct skein_manifest *m = skein_recording_manifest(s->opened.rec);
    skein_diff_fields(m, s->field);
    skein_event_clock_init(&s->clock, m);
    s->stats.shard_count = skein_recording_shard_count(s->opened.rec);
    return skein_open_reader(&s->opened, err);
}

static int compare(struct skein_diff *d, bool json, struct skein_error *err) {
    struct skein_event_names *names = NULL;
    int rc = open_side(&d->side[0], err);
    if (rc == 0)
        rc = open_side(&d->side[1], err);
    for (uint32_t i = 0; rc == 0 && i < SKEIN_DIFF_FIELDS; i++)
        d->fields_differ += strcmp(d->side[0].field[i].text, d->side[1].field[i].text) != 0;
    if (rc == 0 && skein_event_names_create(&names) != 0)
        rc = skein_error_set(err, -ENOMEM, "out of memory");
    if (rc == 0) {
        const struct skein_event_print print = {.names = names, .json = json};
        rc = compare_events(d, &print, err);
    }
    skein_event_names_free(names);
    return rc;
}

static int print(const struct skein_diff *d, const struct skein_json_opt *json) {
    FILE *out = json->on ? skein_json_begin(json) : stdout;
    if (out == NULL)
        return skein_fail(SKEIN_EXIT_USAGE, "diff: cannot write %s", json->file);
    if (!json->on) {
        skein_diff_text(out, d);
    } else {
        skein_diff_json(out, d);
        if (!skein_json_end(out))
            return skein_fail(SKEIN_EXIT_USAGE, "diff: cannot write the JSON");
    }
    return d->fields_differ != 0 || d->events_differ ? SKEIN_EXIT_FAILED : SKEIN_EXIT_OK;
}

static int diff(struct skein_diff *d, const struct skein_json_opt *json) {
    struct skein_error err;
    int code = SKEIN_EXIT_USAGE, lost = SKEIN_EXIT_OK;
    if (skein_open_readable(&d->side[0].opened, "diff", d->side[0].dir) &&
        skein_open_readable(&d->side[1].opened, "diff", d->side[1].dir)) {
        code = compare(d, json->on, &err) == 0 ? print(d, json)
                                               : skein_fail(SKEIN_EXIT_USAGE, "diff: %s", err.text);
    }
    for (int s = 0; s < 2; s++) {
        if (d->side[s].opened.rec != NULL && skein_open_finish(&d->side[s].opened) != 0)
            lost = SKEIN_EXIT_INCOMPLETE;
        free(d->shown[s]);
    }
    return code != SKEIN_EXIT_OK ? code : lost;
}

int skein_cmd_diff(int argc, char **argv) {
    struct skein_json_opt json;
    int bad = skein_json_option("diff", argc, argv, &json);
    if (bad != SKEIN_EXIT_OK)
        return bad;
    if (optind + 2 != argc)
        return skein_fail(SKEIN_EXIT_USAGE, "diff: which two recordings?");
    struct skein_diff *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return skein_fail(SKEIN_EXIT_FAILED, "diff: out of memory");
    d->side[0].dir = argv[optind];
    d->side[1].dir = argv[optind + 1];
    int code = diff(d, &json);
    free(d);
    return code;
}
