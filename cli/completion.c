/* skein completion: prints what a shell needs to complete skein's command lines. */
#include "cli/completion.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

int skein_cmd_completion(int argc, char **argv) {
    static const struct option options[] = {{NULL, 0, NULL, 0}};
    opterr = 0;
    const int found = getopt_long(argc, argv, ":", options, NULL);
    if (found != -1)
        return skein_fail_option("completion", argv, found);
    if (optind + 1 != argc || strcmp(argv[optind], "bash") != 0)
        return skein_fail(SKEIN_EXIT_USAGE, "completion: for which shell? There is bash");
    fputs(skein_completion_bash, stdout);
    return SKEIN_EXIT_OK;
}
