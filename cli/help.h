/* What skein help VERB and skein VERB --help print. */
#ifndef SKEIN_CLI_HELP_H
#define SKEIN_CLI_HELP_H

/* The text of a verb: its usage, what it does, its options. NULL: nothing is written about it. */
const char *skein_help_find(const char *verb);

#endif
