/*
 * Reads a recording for a verb that shows what is there. It is read strictly, which needs no memory
 * for its length, up to the first thing that is wrong; from there on what can be read is, and what
 * is missing is said on stderr and by the exit code.
 */
#ifndef SKEIN_CLI_OPEN_H
#define SKEIN_CLI_OPEN_H

#include <stdbool.h>

#include "pipeline/block_plan.h"
#include "pipeline/reader.h"
#include "pipeline/recording.h"

struct skein_opened {
    const char *verb, *dir;
    struct skein_recording *rec;      /* the same from open to finish */
    struct skein_recording *salvaged; /* NULL, or the same one opened again, behind damage */
    struct skein_reader *reader;
    bool salvage;                    /* something is wrong, and it has been said */
    uint64_t tick[SKEIN_MAX_SHARDS]; /* of the last events read */
};

/* False: it cannot be opened at all; an error line has been written. */
bool skein_open_readable(struct skein_opened *o, const char *verb, const char *dir);

/* Begins to read, from the start, also when it has been read before. 0 or negative errno. */
int skein_open_reader(struct skein_opened *o, struct skein_error *err);

/*
 * The blocks that `want` needs, for the reader that was just opened; *plan must outlive it. Of a
 * recording with damage, all blocks are read, and *plan is NULL.
 */
int skein_open_plan(struct skein_opened *o, const struct skein_block_want *want,
                    struct skein_block_plan **plan, struct skein_error *err);

/* Like skein_reader_next(), without damage as an error. */
int skein_open_next(struct skein_opened *o, struct skein_event *event, struct skein_error *err);

/*
 * After the last event: says what reading has lost. The exit code: SKEIN_EXIT_OK or
 * SKEIN_EXIT_INCOMPLETE. Closes what is open.
 */
int skein_open_finish(struct skein_opened *o);

#endif
