/* skein verify: quietly, one line for each recording. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/replay_cmd.h"
#include "cli/replay_report.h"
#include "cli/report.h"

/* The worst of two exit codes: interrupted, diverged, unreadable, incomplete, the same. */
static int worse(int a, int b) {
    static const int order[] = {SKEIN_EXIT_INTERRUPTED, SKEIN_EXIT_FAILED, SKEIN_EXIT_USAGE,
                                SKEIN_EXIT_INCOMPLETE};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return SKEIN_EXIT_OK;
}

static int verify_all(const struct skein_replay_cmd *c, char *const *dirs, struct skein_json *j) {
    int code = SKEIN_EXIT_OK;
    struct skein_replay_result *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return skein_fail(SKEIN_EXIT_FAILED, "out of memory");
    for (; *dirs != NULL && code != SKEIN_EXIT_INTERRUPTED; dirs++) {
        skein_replay_run(*dirs, &c->run, r);
        code = worse(code, skein_outcome_exit(r->outcome));
        if (j != NULL)
            skein_replay_cmd_json(j, *dirs, r);
        if (r->outcome == SKEIN_OUTCOME_UNREADABLE)
            skein_fail(SKEIN_EXIT_USAGE, "%s", r->error.text);
        else if (j == NULL && !(c->quiet && r->outcome == SKEIN_OUTCOME_SAME))
            skein_replay_report_line(stdout, *dirs, r);
        fflush(stdout);
    }
    free(r);
    return code;
}

/* 0, with optind at the first recording; or an exit code, and the reason has been said. */
static int parse(struct skein_replay_cmd *c, int argc, char **argv) {
    static const struct option options[] = {
        {"qemu", required_argument, NULL, 'Q'},
        {"json", optional_argument, NULL, 'j'},
        {"quiet", no_argument, NULL, 'q'},
        {"verbose", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, ":q", options, NULL)) != -1;)
        if (!skein_replay_cmd_option(c, found))
            return skein_fail_option("verify", argv, found);
    return optind < argc ? 0 : skein_fail(SKEIN_EXIT_USAGE, "verify: which recording?");
}

int skein_cmd_verify(int argc, char **argv) {
    struct skein_replay_cmd c = {0};
    int code = parse(&c, argc, argv);
    if (code != 0)
        return code;
    if (!c.json.on)
        return verify_all(&c, argv + optind, NULL);
    FILE *out = skein_json_begin(&c.json);
    if (out == NULL)
        return skein_fail(SKEIN_EXIT_USAGE, "cannot write %s", c.json.file);
    struct skein_json j = {.out = out};
    skein_json_open(&j, NULL, '[');
    code = verify_all(&c, argv + optind, &j);
    skein_json_close(&j, ']');
    if (!skein_json_end(out))
        return skein_fail(SKEIN_EXIT_USAGE, "cannot write the JSON");
    return code;
}
