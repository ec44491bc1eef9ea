/* skein stats: what a recording is made of, in numbers. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/open.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/stats_print.h"
#include "pipeline/reader.h"

#define TOP 10u
#define EVENTS_PER_LOOK 65536u /* at the clock, for the progress line */

struct options {
    const char *dir;
    struct skein_json_opt json;
    uint32_t top; /* 0: not given */
};

static int read_events(struct skein_opened *opened, struct skein_tally *tally,
                       struct skein_error *err) {
    struct skein_progress_state state = {.events_all = skein_recording_events(opened->rec)};
    struct skein_progress progress;
    struct skein_event event;
    int rc = skein_open_reader(opened, err);
    if (rc != 0)
        return rc;
    skein_progress_init(&progress, false);
    while ((rc = skein_open_next(opened, &event, err)) == 1) {
        skein_tally_add(tally, &event);
        if (++state.events % EVENTS_PER_LOOK == 0) {
            state.slices = event.slice;
            skein_progress_draw(&progress, &state);
        }
    }
    skein_progress_clear(&progress);
    return rc;
}

static uint64_t disk_bytes(const struct skein_recording *rec) {
    uint64_t sum = 0;
    for (size_t i = 0; i < skein_recording_segment_count(rec); i++) {
        struct skein_segment_info s;
        skein_recording_segment(rec, i, &s);
        sum += s.size_bytes;
    }
    return sum;
}

static int print(const struct options *o, struct skein_stats_view *view) {
    if (!o->json.on) {
        view->top = o->top != 0 ? o->top : TOP;
        skein_stats_text(stdout, view);
        return SKEIN_EXIT_OK;
    }
    FILE *out = skein_json_begin(&o->json);
    if (out == NULL)
        return skein_fail(SKEIN_EXIT_USAGE, "cannot write the JSON");
    struct skein_json j = {.out = out};
    view->top = o->top != 0 ? o->top : UINT32_MAX;
    skein_json_open(&j, NULL, '{');
    skein_stats_json(&j, view);
    skein_json_close(&j, '}');
    return skein_json_end(out) ? SKEIN_EXIT_OK
                               : skein_fail(SKEIN_EXIT_USAGE, "cannot write the JSON");
}

static int stats_of(const struct options *o, struct skein_opened *opened,
                    const struct skein_event_names *names) {
    struct skein_stats_view view = {.dir = o->dir,
                                    .manifest = skein_recording_manifest(opened->rec)};
    struct skein_tally *tally;
    struct skein_error err;
    int code;
    if (skein_tally_create(names, view.manifest, &tally) != 0)
        return skein_fail(SKEIN_EXIT_FAILED, "stats: out of memory");
    if (read_events(opened, tally, &err) != 0) {
        code = skein_fail(SKEIN_EXIT_USAGE, "stats: %s", err.text);
    } else {
        view.numbers = skein_tally_finish(tally);
        view.disk_bytes = disk_bytes(opened->rec);
        code = print(o, &view);
    }
    skein_tally_free(tally);
    return code;
}

static int stats(const struct options *o) {
    struct skein_event_names *names;
    struct skein_opened opened;
    int code, lost;
    if (!skein_open_readable(&opened, "stats", o->dir))
        return SKEIN_EXIT_USAGE;
    if (skein_event_names_create(&names) != 0) {
        code = skein_fail(SKEIN_EXIT_FAILED, "stats: out of memory");
    } else {
        code = stats_of(o, &opened, names);
        skein_event_names_free(names);
    }
    lost = skein_open_finish(&opened);
    return code != SKEIN_EXIT_OK ? code : lost;
}

int skein_cmd_stats(int argc, char **argv) {
    static const struct option options[] = {{"json", optional_argument, NULL, 'j'},
                                            {"top", required_argument, NULL, 't'},
                                            {NULL, 0, NULL, 0}};
    struct options o = {0};
    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
        if (found == 'j')
            o.json = (struct skein_json_opt){.on = true, .file = optarg};
        else if (found != 't')
            return skein_fail_option("stats", argv, found);
        else if (!skein_parse_u32(optarg, UINT32_MAX, &o.top) || o.top == 0)
            return skein_fail(SKEIN_EXIT_USAGE, "stats: --top %s: a number from 1", optarg);
    }
    if (optind + 1 != argc)
        return skein_fail(SKEIN_EXIT_USAGE, "stats: which recording? One at a time");
    o.dir = argv[optind];
    return stats(&o);
}
