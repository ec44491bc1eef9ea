/* skein export: a recording for other tools to show. */
#include <getopt.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/outfile.h"
#include "cli/perfetto_writer.h"
#include "cli/span_walk.h"

static int cannot_write(const char *path, int rc) {
    return skein_fail(SKEIN_EXIT_USAGE, "export: cannot write %s: %s", path, strerror(-rc));
}

static int write_trace(struct skein_span_walk *walk, struct skein_outfile *out) {
    struct skein_perfetto p;
    const struct skein_span_sink sink = skein_perfetto_sink(&p);
    int rc = skein_span_walk_start(walk, &sink);
    if (rc == 0)
        rc = skein_perfetto_start(&p, out->f, walk->spans,
                                  skein_recording_manifest(walk->opened.rec), walk->dir);
    if (rc != 0)
        return cannot_write(out->path, rc);
    const int code = skein_span_walk_run(walk, out->path);
    if (code != SKEIN_EXIT_OK)
        return code;
    rc = skein_perfetto_finish(&p);
    return rc == 0 ? SKEIN_EXIT_OK : cannot_write(out->path, rc);
}

static int write_file(struct skein_span_walk *walk, const char *path) {
    struct skein_outfile out;
    int rc = skein_outfile_open(&out, path);
    if (rc != 0)
        return cannot_write(path, rc);
    const int code = write_trace(walk, &out);
    rc = skein_outfile_close(&out, code == SKEIN_EXIT_OK);
    return code == SKEIN_EXIT_OK && rc != 0 ? cannot_write(path, rc) : code;
}

static int export_perfetto(const char *dir, const char *path, const struct skein_span_range *range,
                           const struct skein_json_opt *json) {
    struct skein_span_walk walk;
    if (!skein_span_walk_open(&walk, "export", dir, range))
        return SKEIN_EXIT_USAGE;
    int code = write_file(&walk, path);
    if (code == SKEIN_EXIT_OK && json->on && !skein_span_walk_report(&walk, json, path))
        code = skein_fail(SKEIN_EXIT_USAGE, "export: cannot write the JSON");
    const int lossy = skein_span_walk_close(&walk);
    return code != SKEIN_EXIT_OK ? code : lossy;
}

int skein_cmd_export(int argc, char **argv) {
    static const struct option options[] = {{"perfetto", required_argument, NULL, 'p'},
                                            {"from", required_argument, NULL, 'f'},
                                            {"to", required_argument, NULL, 't'},
                                            {"json", optional_argument, NULL, 'j'},
                                            {NULL, 0, NULL, 0}};
    struct skein_span_range range = {.to_ns = UINT64_MAX};
    struct skein_json_opt json = {0};
    const char *path = NULL;
    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
        if (found == 'p')
            path = optarg;
        else if (found == 'j')
            json = (struct skein_json_opt){.on = true, .file = optarg};
        else if (found != 'f' && found != 't')
            return skein_fail_option("export", argv, found);
        else if (!skein_span_parse_seconds(optarg, found == 'f' ? &range.from_ns : &range.to_ns))
            return skein_fail(SKEIN_EXIT_USAGE, "export: --%s wants seconds, not %s",
                              found == 'f' ? "from" : "to", optarg);
    }
    if (path == NULL)
        return skein_fail(SKEIN_EXIT_USAGE, "export: to what? --perfetto FILE");
    if (optind + 1 != argc)
        return skein_fail(SKEIN_EXIT_USAGE, "export: which recording? One at a time");
    if (json.on && json.file == NULL && strcmp(path, "-") == 0)
        return skein_fail(SKEIN_EXIT_USAGE, "export: the trace goes to stdout: --json=FILE");
    if (range.from_ns > range.to_ns)
        return skein_fail(SKEIN_EXIT_USAGE, "export: --from is later than --to");
    return export_perfetto(argv[optind], path, &range, &json);
}
