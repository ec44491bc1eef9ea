/* Signals as something to poll: SIGINT and SIGTERM ask for the end, SIGCHLD only wakes. */
#ifndef SKEIN_CLI_SIGNALS_H
#define SKEIN_CLI_SIGNALS_H

#include "pipeline/error.h"

/* Blocks the signals for this thread and those it will make; *fd becomes readable instead. */
int skein_signals_open(int *fd, struct skein_error *err);

/* The same without SIGCHLD: as long as nobody takes them, *fd is readable iff the end was asked
 * for. */
int skein_signals_open_end(int *fd, struct skein_error *err);

/* How many SIGINT and SIGTERM came since the last call. */
unsigned skein_signals_take(int fd);

#endif
