/* The verdict of a replay, in words and in JSON. */
#ifndef SKEIN_CLI_REPLAY_REPORT_H
#define SKEIN_CLI_REPLAY_REPORT_H

#include <stdio.h>

#include "cli/json.h"
#include "cli/replay_run.h"

/* The first difference in all its parts, over several lines. */
void skein_replay_report_divergence(FILE *out, const struct skein_replay_result *r);

/* One line about everything. */
void skein_replay_report_line(FILE *out, const char *dir, const struct skein_replay_result *r);

/* The members of an object that is open. */
void skein_replay_report_json(struct skein_json *j, const struct skein_replay_result *r);

#endif
