/* Completion scripts for shells, built in: made of cli/completion by cli/BUILD. */
#ifndef SKEIN_CLI_COMPLETION_H
#define SKEIN_CLI_COMPLETION_H

extern const char skein_completion_bash[];

#endif
