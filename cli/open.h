/*
 * Opens a recording for a verb that shows what is there: one that is damaged or incomplete is read
 * as far as it can be, and what is wrong with it is said on stderr and by the exit code.
 */
#ifndef SKEIN_CLI_OPEN_H
#define SKEIN_CLI_OPEN_H

#include <stdbool.h>

#include "pipeline/recording.h"

struct skein_opened {
    struct skein_recording *rec;
    bool lossy; /* something is missing, and it has been said */
};

/* False: it cannot be opened at all; an error line has been written. */
bool skein_open_readable(struct skein_opened *o, const char *verb, const char *dir);

/* Once more from the start: what the first reading lost is not counted twice. 0 or -errno. */
int skein_open_again(struct skein_opened *o, struct skein_error *err);

/*
 * After the last event: says what reading has lost. The exit code: SKEIN_EXIT_OK or
 * SKEIN_EXIT_INCOMPLETE. Closes the recording.
 */
int skein_open_finish(struct skein_opened *o, const char *verb);

#endif
