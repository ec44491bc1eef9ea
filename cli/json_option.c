#include "cli/json_option.h"

#include <getopt.h>
#include <stddef.h>

int skein_json_option(const char *verb, int argc, char **argv, struct skein_json_opt *json) {
    static const struct option options[] = {{"json", optional_argument, NULL, 'j'},
                                            {NULL, 0, NULL, 0}};
    *json = (struct skein_json_opt){0};
    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
        if (found != 'j')
            return skein_fail_option(verb, argv, found);
        *json = (struct skein_json_opt){.on = true, .file = optarg};
    }
    return SKEIN_EXIT_OK;
}
