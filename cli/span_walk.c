#include "cli/span_walk.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/json.h"
#include "cli/progress.h"
#include "cli/report.h"

bool skein_span_parse_seconds(const char *text, uint64_t *ns) {
    char *end;
    /* No sign, no hexadecimal, no "inf". */
    if (text[strspn(text, "0123456789.")] != '\0' || !isdigit((unsigned char)*text))
        return false;
    double s = strtod(text, &end);
    if (*end != '\0' || s > 1e9)
        return false;
    *ns = (uint64_t)(s * 1e9 + 0.5);
    return true;
}

bool skein_span_walk_open(struct skein_span_walk *w, const char *verb, const char *dir,
                          const struct skein_span_range *range) {
    *w = (struct skein_span_walk){.verb = verb, .dir = dir, .range = *range};
    return skein_open_readable(&w->opened, verb, dir);
}

int skein_span_walk_start(struct skein_span_walk *w, const struct skein_span_sink *sink) {
    return skein_spans_create(skein_recording_manifest(w->opened.rec),
                              skein_recording_shard_count(w->opened.rec), w->range.from_ns,
                              w->range.to_ns, sink, &w->spans);
}

bool skein_span_walk_report(const struct skein_span_walk *w, const struct skein_json_opt *json,
                            const char *file) {
    FILE *out = skein_json_begin(json);
    struct stat st;
    if (out == NULL)
        return false;
    struct skein_json j = {.out = out};
    skein_json_open(&j, NULL, '{');
    skein_json_string(&j, "dir", w->dir);
    skein_json_string(&j, "file", file);
    if (stat(file, &st) == 0)
        skein_json_u64(&j, "bytes", (uint64_t)st.st_size);
    skein_json_u64(&j, "events", w->events);
    skein_json_u64(&j, "from_ns", w->range.from_ns);
    if (w->range.to_ns != UINT64_MAX)
        skein_json_u64(&j, "to_ns", w->range.to_ns);
    skein_json_bool(&j, "complete", skein_recording_complete(w->opened.rec) && !w->opened.salvage);
    skein_json_close(&j, '}');
    return skein_json_end(out);
}

int skein_span_walk_close(struct skein_span_walk *w) {
    skein_spans_free(w->spans);
    w->spans = NULL;
    return skein_open_finish(&w->opened);
}

/* 1: the recording cannot be read further (err says why); else what the sink said. */
static int feed_all(struct skein_span_walk *w, struct skein_error *err) {
    struct skein_progress progress;
    struct skein_progress_state state = {.events_all = skein_recording_events(w->opened.rec)};
    struct skein_event e;
    int rc, told = 0;
    skein_progress_init(&progress, false);
    while ((rc = skein_open_next(&w->opened, &e, err)) == 1 &&
           (told = skein_spans_feed(w->spans, &e)) == 0) {
        state.events++;
        state.slices = e.slice;
        if (state.events % 4096 == 0)
            skein_progress_draw(&progress, &state);
    }
    skein_progress_clear(&progress);
    w->events = state.events;
    if (rc < 0)
        return 1;
    return told < 0 ? told : skein_spans_finish(w->spans);
}

int skein_span_walk_run(struct skein_span_walk *w, const char *out) {
    struct skein_error err;
    if (skein_open_reader(&w->opened, &err) != 0)
        return skein_fail(SKEIN_EXIT_USAGE, "%s: %s", w->verb, err.text);
    const int rc = feed_all(w, &err);
    if (rc == 1)
        return skein_fail(SKEIN_EXIT_USAGE, "%s: %s", w->verb, err.text);
    if (rc != 0)
        return skein_fail(SKEIN_EXIT_USAGE, "%s: cannot write %s: %s", w->verb, out, strerror(-rc));
    return SKEIN_EXIT_OK;
}
