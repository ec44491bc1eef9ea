/*
 * skein bench: checks the command line and becomes bench/suite, which measures. That is a program
 * of its own, since it is nobody's but a developer's: skein itself needs no Python.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/argv.h"
#include "cli/cli.h"
#include "pipeline/session.h"

#define TRIALS_MAX 1000u
#define HARNESS "bench/suite/run"

static const char *const workloads[] = {"rocksdb", "redis", "nginx", "build", "micro", NULL};
static const char *const schemes[] = {"native", "skein", "system", "qemu-rr", NULL};

static bool is_one_of(const char *word, size_t len, const char *const *names) {
    for (; *names != NULL; names++)
        if (strlen(*names) == len && strncmp(word, *names, len) == 0)
            return true;
    return false;
}

static bool is_scheme(const char *word, size_t len) {
    return is_one_of(word, len, schemes);
}

static bool is_core_count(const char *word, size_t len) {
    char text[8];
    uint32_t n;
    if (len >= sizeof(text))
        return false;
    memcpy(text, word, len);
    text[len] = '\0';
    return skein_parse_u32(text, SKEIN_MAX_VCPUS, &n) && n > 0;
}

static bool is_pattern(const char *word, size_t len) {
    (void)word;
    return len > 0;
}

/* All words of a list with commas; none of them twice. */
static bool is_list(const char *text, bool (*good)(const char *word, size_t len)) {
    for (const char *word = text;; word++) {
        const size_t len = strcspn(word, ",");
        if (!good(word, len))
            return false;
        for (const char *other = text; other < word; other += strcspn(other, ",") + 1)
            if (strcspn(other, ",") == len && strncmp(other, word, len) == 0)
                return false;
        word += len;
        if (*word == '\0')
            return true;
    }
}

static bool is_scale(const char *text) {
    char *end;
    errno = 0;
    const double scale = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0' && scale > 0 && scale <= 1000;
}

static bool is_trial_count(const char *text) {
    uint32_t n;
    return skein_parse_u32(text, TRIALS_MAX, &n) && n > 0;
}

static bool is_scheme_list(const char *text) {
    return is_list(text, is_scheme);
}

static bool is_core_list(const char *text) {
    return is_list(text, is_core_count);
}

static bool is_pattern_list(const char *text) {
    return is_list(text, is_pattern);
}

enum { OPT_SCHEMES = 256, OPT_CORES, OPT_TRIALS, OPT_ONLY, OPT_SCALE, OPT_QEMU, OPT_JSON };

/* The values that can be wrong. */
static const struct {
    int option;
    bool (*good)(const char *text);
    const char *name;
    const char *wanted;
} values[] = {
    {OPT_SCHEMES, is_scheme_list, "schemes", "a list of native, skein, system, qemu-rr"},
    {OPT_CORES, is_core_list, "cores", "a list of numbers of vCPUs, like 1,2,4"},
    {OPT_TRIALS, is_trial_count, "trials", "a number from 1 to 1000"},
    {OPT_ONLY, is_pattern_list, "only", "a list of names or shell patterns"},
    {OPT_SCALE, is_scale, "scale", "a number above 0, like 0.5"},
};

static int check_value(int option, const char *value) {
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        if (values[i].option == option && !values[i].good(value))
            return skein_fail(SKEIN_EXIT_USAGE, "bench: --%s %s: %s is wanted", values[i].name,
                              value, values[i].wanted);
    return SKEIN_EXIT_OK;
}

/* What the harness is given: the same options, checked. */
struct command {
    struct skein_argv words;
    bool output;
};

static int parse(struct command *c, int argc, char **argv) {
    static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                            {"schemes", required_argument, NULL, OPT_SCHEMES},
                                            {"cores", required_argument, NULL, OPT_CORES},
                                            {"trials", required_argument, NULL, OPT_TRIALS},
                                            {"only", required_argument, NULL, OPT_ONLY},
                                            {"scale", required_argument, NULL, OPT_SCALE},
                                            {"qemu", required_argument, NULL, OPT_QEMU},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"json", optional_argument, NULL, OPT_JSON},
                                            {NULL, 0, NULL, 0}};
    int found;
    int at = 0;
    opterr = 0;
    while ((found = getopt_long(argc, argv, ":o:q", options, &at)) != -1) {
        if (found == ':' || found == '?')
            return skein_fail_option("bench", argv, found);
        if (check_value(found, optarg) != SKEIN_EXIT_OK)
            return SKEIN_EXIT_USAGE;
        if (found == OPT_QEMU) {
            if (setenv("SKEIN_QEMU", optarg, 1) != 0)
                return skein_fail(SKEIN_EXIT_USAGE, "bench: --qemu: %s", strerror(errno));
            continue;
        }
        if (optarg == NULL)
            skein_argv_push(&c->words, "--%s", found == 'q' ? "quiet" : "json");
        else
            skein_argv_push(&c->words, "--%s=%s", found == 'o' ? "output" : options[at].name,
                            optarg);
        c->output |= found == 'o';
    }
    return SKEIN_EXIT_OK;
}

static int parse_workloads(struct command *c, int argc, char **argv) {
    if (optind == argc)
        return skein_fail(SKEIN_EXIT_USAGE,
                          "bench: which workload? rocksdb, redis, nginx, build, micro");
    skein_argv_push(&c->words, "--");
    for (int i = optind; i < argc; i++) {
        if (!is_one_of(argv[i], strlen(argv[i]), workloads))
            return skein_fail(
                SKEIN_EXIT_USAGE,
                "bench: no workload %s: there are rocksdb, redis, nginx, build, micro", argv[i]);
        for (int j = optind; j < i; j++)
            if (strcmp(argv[i], argv[j]) == 0)
                return skein_fail(SKEIN_EXIT_USAGE, "bench: %s twice", argv[i]);
        skein_argv_push(&c->words, "%s", argv[i]);
    }
    if (!c->output)
        return skein_fail(SKEIN_EXIT_USAGE, "bench: where shall the results go? -o DIR");
    return SKEIN_EXIT_OK;
}

/* SKEIN_BENCH, or what Bazel has put beside the program. */
static int find_harness(const char *self, char *path, size_t len) {
    const char *named = getenv("SKEIN_BENCH");
    if (named != NULL && *named != '\0')
        snprintf(path, len, "%s", named);
    else
        snprintf(path, len, "%s.runfiles/skein/" HARNESS, self);
    if (access(path, X_OK) == 0)
        return SKEIN_EXIT_OK;
    return skein_fail(
        SKEIN_EXIT_USAGE,
        "bench: the harness is not at %s: SKEIN_BENCH names " HARNESS " of a source tree", path);
}

/* Does not return when all is well. */
static int start(struct command *c, const char *self, const char *harness) {
    /* It measures this program, not another one. */
    if (setenv("SKEIN", self, 1) == 0)
        execv(harness, c->words.v);
    return skein_fail(SKEIN_EXIT_USAGE, "bench: %s: %s", harness, strerror(errno));
}

int skein_cmd_bench(int argc, char **argv) {
    char self[PATH_MAX], harness[PATH_MAX + 64];
    struct command c = {.output = false};
    const ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (len < 0)
        return skein_fail(SKEIN_EXIT_USAGE, "bench: /proc/self/exe: %s", strerror(errno));
    self[len] = '\0';
    skein_argv_push(&c.words, "skein bench");
    int code = parse(&c, argc, argv);
    if (code == SKEIN_EXIT_OK)
        code = parse_workloads(&c, argc, argv);
    if (code == SKEIN_EXIT_OK)
        code = find_harness(self, harness, sizeof(harness));
    if (code == SKEIN_EXIT_OK)
        code = start(&c, self, harness);
    skein_argv_free(&c.words);
    return code;
}
