/* The options of skein replay, and its JSON. */
#ifndef SKEIN_CLI_REPLAY_CMD_H
#define SKEIN_CLI_REPLAY_CMD_H

#include "cli/cli.h"
#include "cli/json.h"
#include "cli/replay_run.h"

struct skein_replay_cmd {
    struct skein_replay_opts run;
    struct skein_json_opt json;
    bool quiet;
};

/* Takes one of the options that they share: Q --qemu, j --json, q --quiet, v --verbose. */
bool skein_replay_cmd_option(struct skein_replay_cmd *c, int found);

/* One object: the recording and what came of its replay. */
void skein_replay_cmd_json(struct skein_json *j, const char *dir,
                           const struct skein_replay_result *r);

#endif
