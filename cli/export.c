/* skein export: a recording for other tools to show. */
#include <getopt.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/outfile.h"
#include "cli/perfetto_writer.h"
#include "cli/span_walk.h"

static int write_trace(struct skein_span_walk *walk, struct skein_outfile *out) {
    struct skein_perfetto p;
    const struct skein_span_sink sink = skein_perfetto_sink(&p);
    int code = SKEIN_EXIT_OK;
    int rc = skein_span_walk_start(walk, &sink);
    if (rc == 0)
        rc = skein_perfetto_start(&p, out->f, walk->spans, skein_recording_manifest(walk->rec),
                                  walk->dir);
    if (rc == 0) {
        code = skein_span_walk_run(walk, out->path);
        rc = skein_perfetto_finish(&p);
    }
    if (code != SKEIN_EXIT_OK && code != SKEIN_EXIT_INCOMPLETE)
        return code; /* it has been said why */
    if (rc != 0)
        return skein_fail(SKEIN_EXIT_USAGE, "cannot write %s: %s", out->path, strerror(-rc));
    return code;
}

static int export_perfetto(const char *dir, const char *path,
                           const struct skein_span_range *range) {
    struct skein_span_walk walk;
    struct skein_outfile out;
    int code = skein_span_walk_open(&walk, dir, range);
    if (code != SKEIN_EXIT_OK)
        return code;
    int rc = skein_outfile_open(&out, path);
    if (rc == 0) {
        code = write_trace(&walk, &out);
        const bool keep = code == SKEIN_EXIT_OK || code == SKEIN_EXIT_INCOMPLETE;
        rc = skein_outfile_close(&out, keep);
        rc = keep ? rc : 0; /* what went wrong has been said */
    }
    skein_span_walk_close(&walk);
    if (rc != 0)
        return skein_fail(SKEIN_EXIT_USAGE, "cannot write %s: %s", path, strerror(-rc));
    return code;
}

int skein_cmd_export(int argc, char **argv) {
    static const struct option options[] = {{"perfetto", required_argument, NULL, 'p'},
                                            {"from", required_argument, NULL, 'f'},
                                            {"to", required_argument, NULL, 't'},
                                            {NULL, 0, NULL, 0}};
    struct skein_span_range range = {.to_ns = UINT64_MAX};
    const char *path = NULL;
    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
        if (found == 'p')
            path = optarg;
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
    if (range.from_ns > range.to_ns)
        return skein_fail(SKEIN_EXIT_USAGE, "export: --from is later than --to");
    return export_perfetto(argv[optind], path, &range);
}
