#include "cli/replay_cmd.h"

#include <getopt.h>

#include "cli/replay_report.h"
#include "cli/report.h"

bool skein_replay_cmd_option(struct skein_replay_cmd *c, int found) {
    switch (found) {
    case 'Q':
        c->run.qemu = optarg;
        return true;
    case 'j':
        c->json = (struct skein_json_opt){.on = true, .file = optarg};
        return true;
    case 'q':
        c->quiet = true;
        return true;
    case 'v':
        c->run.verbose = true;
        return true;
    default:
        return false;
    }
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
