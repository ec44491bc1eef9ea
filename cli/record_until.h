/*
 * The failure that a recording is to catch: skein record --until.
 *
 *   panic         the kernel says that it is broken: a panic, an oops, a BUG
 *   console:TEXT  the console shows TEXT
 *   exit:N        the guest's workload reports exit status N, by a byte to I/O port 0x5ce1
 *
 * Only what happens while the recording runs counts.
 */
#ifndef SKEIN_CLI_RECORD_UNTIL_H
#define SKEIN_CLI_RECORD_UNTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/textmatch.h"
#include "pipeline/session.h"

#define SKEIN_UNTIL_TEXTS 4u

enum skein_until_kind {
    SKEIN_UNTIL_NOTHING,
    SKEIN_UNTIL_PANIC,
    SKEIN_UNTIL_CONSOLE,
    SKEIN_UNTIL_EXIT,
};

struct skein_until {
    enum skein_until_kind kind;
    const char *word; /* as the user wrote it */
    const char *text; /* CONSOLE */
    uint32_t status;  /* EXIT */
};

/* False: it is none of the three. */
bool skein_until_parse(const char *word, struct skein_until *u);

struct skein_until_watch {
    const struct skein_until *until;
    struct skein_textmatch match[SKEIN_UNTIL_TEXTS];
    size_t matches;
    bool seen;
    char what[64 + SKEIN_TEXT_MAX]; /* one line: what was seen */
};

void skein_until_watch_init(struct skein_until_watch *w, const struct skein_until *u);
/* The guest's console goes on like this. */
void skein_until_watch_console(struct skein_until_watch *w, const char *bytes, size_t len);
/* What QEMU says about the guest. */
void skein_until_watch_session(struct skein_until_watch *w, const struct skein_session_header *h);

#endif
