/* skein bisect: which instruction is the first that differs? */
#include "cli/bisect.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/report.h"

#define DEFAULT_SECONDS 300u
#define SECONDS_MAX 86400u
#define JOBS_MAX 64u

static int parse_more(struct skein_bisect *b, int found) {
    if (found == 'r')
        b->reference = optarg;
    else if (found == 'R')
        b->reference_qemu = optarg;
    else if (found == 't' &&
             (!skein_parse_u32(optarg, SECONDS_MAX, &b->seconds) || b->seconds == 0))
        return skein_fail(SKEIN_EXIT_USAGE, "bisect: --seconds is a number up to %u, not %s",
                          SECONDS_MAX, optarg);
    else if (found == 'j' && (!skein_parse_u32(optarg, JOBS_MAX, &b->jobs) || b->jobs == 0))
        return skein_fail(SKEIN_EXIT_USAGE, "bisect: -j is a number up to %u, not %s", JOBS_MAX,
                          optarg);
    return 0;
}

static int parse(struct skein_bisect *b, int argc, char **argv) {
    static const struct option options[] = {
        {"jobs", required_argument, NULL, 'j'},
        {"reference", required_argument, NULL, 'r'},
        {"reference-qemu", required_argument, NULL, 'R'},
        {"seconds", required_argument, NULL, 't'},
        {"qemu", required_argument, NULL, 'Q'},
        {"verbose", no_argument, NULL, 'v'},
        {"json", optional_argument, NULL, 'o'},
        {NULL, 0, NULL, 0},
    };
    int code = 0;
    opterr = 0;
    for (int found; code == 0 && (found = getopt_long(argc, argv, ":j:", options, NULL)) != -1;) {
        if (found == 'Q')
            b->run.qemu = optarg;
        else if (found == 'v')
            b->run.verbose = true;
        else if (found == 'o')
            b->json = (struct skein_json_opt){.on = true, .file = optarg};
        else if (found == '?' || found == ':')
            return skein_fail_option("bisect", argv, found);
        else
            code = parse_more(b, found);
    }
    if (code == 0 && optind + 1 != argc)
        code = skein_fail(SKEIN_EXIT_USAGE, "bisect: which recording?");
    return code;
}

int skein_cmd_bisect(int argc, char **argv) {
    struct skein_bisect *b = calloc(1, sizeof(*b));
    if (b == NULL)
        return skein_fail(SKEIN_EXIT_FAILED, "out of memory");
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    b->jobs = cores > 0 && cores < (long)JOBS_MAX ? (uint32_t)cores : 1;
    b->seconds = DEFAULT_SECONDS;
    int code = parse(b, argc, argv);
    FILE *out = code == 0 && b->json.on ? skein_json_begin(&b->json) : stdout;
    if (out == NULL)
        code = skein_fail(SKEIN_EXIT_USAGE, "cannot write %s", b->json.file);
    if (code == 0) {
        b->dir = argv[optind];
        skein_bisect_search(b);
        code = b->exit_code;
        if (b->json.on && b->outcome != SKEIN_BISECT_FAILED)
            skein_bisect_json(b, out);
        else if (b->outcome != SKEIN_BISECT_FAILED)
            skein_bisect_report(b, out);
        if (b->json.on && !skein_json_end(out))
            code = skein_fail(SKEIN_EXIT_USAGE, "cannot write the JSON");
        skein_bisect_clean(b);
    }
    free(b);
    return code;
}
