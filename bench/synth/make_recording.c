/* make_recording: see README.md. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/synth/synth.h"
#include "cli/cli.h"
#include "pipeline/session.h"

#define USAGE "make_recording -o DIR [--size SIZE] [--events N] [--vcpus N] [--seed N] [--killed]"

static bool parse(int argc, char **argv, struct skein_synth_opts *opts) {
    static const struct option options[] = {
        {"size", required_argument, NULL, 's'},  {"events", required_argument, NULL, 'e'},
        {"vcpus", required_argument, NULL, 'v'}, {"seed", required_argument, NULL, 'r'},
        {"killed", no_argument, NULL, 'k'},      {NULL, 0, NULL, 0},
    };
    bool good = true;
    uint32_t seed = 1;

    for (int found; (found = getopt_long(argc, argv, "o:", options, NULL)) != -1 && good;) {
        switch (found) {
        case 'o':
            opts->dir = optarg;
            break;
        case 's':
            good = skein_parse_size(optarg, &opts->disk_bytes);
            break;
        case 'e':
            good = skein_parse_size(optarg, &opts->events);
            break;
        case 'v':
            good = skein_parse_u32(optarg, SKEIN_MAX_VCPUS, &opts->vcpu_count);
            break;
        case 'r':
            good = skein_parse_u32(optarg, UINT32_MAX, &seed);
            break;
        case 'k':
            opts->killed = true;
            break;
        default:
            good = false;
        }
    }
    opts->seed = seed;
    if (opts->disk_bytes == 0 && opts->events == 0) {
        opts->disk_bytes = 64ull << 20;
    }
    return good && opts->dir != NULL && optind == argc;
}

int main(int argc, char **argv) {
    struct skein_synth_opts opts = {.vcpu_count = 4};
    struct skein_error err;

    if (!parse(argc, argv, &opts)) {
        return skein_fail(SKEIN_EXIT_USAGE, "%s", USAGE);
    }
    if (skein_synth_make(&opts, &err) != 0) {
        return skein_fail(SKEIN_EXIT_FAILED, "%s", err.text);
    }
    return SKEIN_EXIT_OK;
}
