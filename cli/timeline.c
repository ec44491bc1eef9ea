/* skein timeline: a recording as a page that any browser shows. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/outfile.h"
#include "cli/span_walk.h"
#include "cli/timeline_page.h"

/* What a browser still draws quickly. */
#define DEFAULT_MAX 1000000u
#define LARGEST_MAX 20000000u

struct timeline {
    const char *dir;
    const char *path;
    struct skein_span_range range;
    struct skein_json_opt json;
    uint32_t max;
};

static int write_page(const struct timeline *t, const struct skein_span_walk *walk,
                      struct skein_timeline_rows *rows) {
    struct skein_outfile out;
    int rc = skein_outfile_open(&out, t->path);
    if (rc == 0) {
        rc = skein_timeline_page_write(out.f, walk, rows);
        const int closed = skein_outfile_close(&out, rc == 0);
        rc = rc != 0 ? rc : closed;
    }
    if (rc != 0)
        return skein_fail(SKEIN_EXIT_USAGE, "timeline: cannot write %s: %s", t->path,
                          strerror(-rc));
    if (rows->rows == NULL)
        fprintf(stderr,
                "skein: timeline: %s has more than %" PRIu32
                " spans, so the page shows how busy the vCPUs "
                "were and not each span: use --from and --to, or --max\n",
                t->dir, t->max);
    return SKEIN_EXIT_OK;
}

static int walk_and_write(const struct timeline *t, struct skein_span_walk *walk) {
    struct skein_timeline_rows *rows;
    int code = SKEIN_EXIT_FAILED;
    if (skein_timeline_rows_create(skein_recording_shard_count(walk->opened.rec), t->range.from_ns,
                                   t->max, &rows) != 0)
        return skein_fail(code, "timeline: out of memory");
    const struct skein_span_sink sink = skein_timeline_rows_sink(rows);
    if (skein_span_walk_start(walk, &sink) != 0)
        skein_fail(code, "timeline: out of memory");
    else
        code = skein_span_walk_run(walk, t->path);
    if (code == SKEIN_EXIT_OK)
        code = write_page(t, walk, rows);
    skein_timeline_rows_free(rows);
    return code;
}

static int parse(struct timeline *t, int argc, char **argv) {
    static const struct option options[] = {{"from", required_argument, NULL, 'f'},
                                            {"to", required_argument, NULL, 't'},
                                            {"max", required_argument, NULL, 'm'},
                                            {"json", optional_argument, NULL, 'j'},
                                            {NULL, 0, NULL, 0}};
    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, ":o:", options, NULL)) != -1;) {
        bool good = true;
        if (found == 'o')
            t->path = optarg;
        else if (found == 'j')
            t->json = (struct skein_json_opt){.on = true, .file = optarg};
        else if (found == 'f')
            good = skein_span_parse_seconds(optarg, &t->range.from_ns);
        else if (found == 't')
            good = skein_span_parse_seconds(optarg, &t->range.to_ns);
        else if (found == 'm')
            good = skein_parse_u32(optarg, LARGEST_MAX, &t->max);
        else
            return skein_fail_option("timeline", argv, found);
        if (!good)
            return skein_fail(SKEIN_EXIT_USAGE, "timeline: --%s cannot be %s",
                              found == 'm'   ? "max"
                              : found == 'f' ? "from"
                                             : "to",
                              optarg);
    }
    if (t->path == NULL)
        return skein_fail(SKEIN_EXIT_USAGE, "timeline: to what? -o FILE.html");
    if (optind + 1 != argc)
        return skein_fail(SKEIN_EXIT_USAGE, "timeline: which recording? One at a time");
    if (t->range.from_ns > t->range.to_ns)
        return skein_fail(SKEIN_EXIT_USAGE, "timeline: --from is later than --to");
    t->dir = argv[optind];
    return SKEIN_EXIT_OK;
}

int skein_cmd_timeline(int argc, char **argv) {
    struct timeline t = {.range.to_ns = UINT64_MAX, .max = DEFAULT_MAX};
    struct skein_span_walk walk;
    int code = parse(&t, argc, argv);
    if (code != SKEIN_EXIT_OK)
        return code;
    if (!skein_span_walk_open(&walk, "timeline", t.dir, &t.range))
        return SKEIN_EXIT_USAGE;
    code = walk_and_write(&t, &walk);
    if (code == SKEIN_EXIT_OK && t.json.on && !skein_span_walk_report(&walk, &t.json, t.path))
        code = skein_fail(SKEIN_EXIT_USAGE, "timeline: cannot write the JSON");
    const int lossy = skein_span_walk_close(&walk);
    return code != SKEIN_EXIT_OK ? code : lossy;
}
