#include "cli/replay_cmd.h"

#include <getopt.h>
#include <string.h>

#include "cli/replay_report.h"
#include "cli/report.h"

int skein_replay_cmd_parse(struct skein_replay_cmd *c, int argc, char **argv) {
    static const struct option options[] = {
        {"qemu", required_argument, NULL, 'Q'}, {"json", optional_argument, NULL, 'j'},
        {"quiet", no_argument, NULL, 'q'},      {"verbose", no_argument, NULL, 'v'},
        {"gdb", optional_argument, NULL, 'g'},  {NULL, 0, NULL, 0},
    };
    const char *port = NULL;
    c->verb = argv[0];
    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, ":q", options, NULL)) != -1;) {
        if (found == 'Q')
            c->run.qemu = optarg;
        else if (found == 'j')
            c->json = (struct skein_json_opt){.on = true, .file = optarg};
        else if (found == 'q')
            c->quiet = true;
        else if (found == 'v')
            c->run.verbose = true;
        else if (found == 'g' && strcmp(c->verb, "replay") == 0)
            c->run.gdb = true, port = optarg;
        else
            return skein_fail_option(c->verb, argv, found);
    }
    if (port != NULL && !skein_parse_u32(port, UINT16_MAX, &c->run.gdb_port))
        return skein_fail(SKEIN_EXIT_USAGE, "%s: --gdb=%s is no port", c->verb, port);
    return optind < argc ? 0 : skein_fail(SKEIN_EXIT_USAGE, "%s: which recording?", c->verb);
}

void skein_replay_cmd_json(struct skein_json *j, const char *dir,
                           const struct skein_replay_result *r) {
    skein_json_open(j, NULL, '{');
    if (r->has_manifest)
        skein_report_json(j, dir, &r->manifest);
    else
        skein_json_string(j, "dir", dir);
    skein_replay_report_json(j, r);
    skein_json_close(j, '}');
}
