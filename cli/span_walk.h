/* All spans of a recording on the disk, as the verbs that show them want it. */
#ifndef SKEIN_CLI_SPAN_WALK_H
#define SKEIN_CLI_SPAN_WALK_H

#include "cli/cli.h"
#include "cli/open.h"
#include "cli/span.h"

/* --from and --to. */
struct skein_span_range {
    uint64_t from_ns;
    uint64_t to_ns; /* UINT64_MAX: the end */
};

struct skein_span_walk {
    const char *verb; /* for what is said */
    const char *dir;
    struct skein_span_range range;
    struct skein_opened opened;
    struct skein_spans *spans;
    uint64_t events; /* told of so far */
};

/* "1.25" seconds; false: it is anything else. */
bool skein_span_parse_seconds(const char *text, uint64_t *ns);

/* Opens the recording. False: it cannot be, and why has been said. */
bool skein_span_walk_open(struct skein_span_walk *walk, const char *verb, const char *dir,
                          const struct skein_span_range *range);

/* Whom to tell; walk->spans is there afterwards. 0 or -errno. */
int skein_span_walk_start(struct skein_span_walk *walk, const struct skein_span_sink *sink);

/*
 * Tells the sink of every span that can be read. SKEIN_EXIT_OK, or the exit code once the reason
 * has been said. `out`: what the sink writes to, for the error line.
 */
int skein_span_walk_run(struct skein_span_walk *walk, const char *out);

/* What --json says of the file that was written. False: it cannot be written itself. */
bool skein_span_walk_report(const struct skein_span_walk *walk, const struct skein_json_opt *json,
                            const char *file);

/* SKEIN_EXIT_OK; SKEIN_EXIT_INCOMPLETE: the recording is incomplete or damaged, which is said. */
int skein_span_walk_close(struct skein_span_walk *walk);

#endif
