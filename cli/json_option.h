/* The arguments of a verb that has no option but --json. */
#ifndef SKEIN_CLI_JSON_OPTION_H
#define SKEIN_CLI_JSON_OPTION_H

#include "cli/cli.h"

/* SKEIN_EXIT_OK, and optind is the first operand; or the exit code, and why has been said. */
int skein_json_option(const char *verb, int argc, char **argv, struct skein_json_opt *json);

#endif
