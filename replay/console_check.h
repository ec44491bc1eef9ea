/*
 * The guest's console in a replay, against what it was while recording: byte for byte, as the
 * bytes come. Both are files; the replayed one grows.
 */
#ifndef SKEIN_REPLAY_CONSOLE_CHECK_H
#define SKEIN_REPLAY_CONSOLE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/error.h"

struct skein_console_check {
    int recorded_fd;
    int replayed_fd; /* -1: not there yet */
    const char *replayed_path;
    uint64_t from, to; /* the part of the recorded one; to: UINT64_MAX is its end */
    /* An incomplete recording may have lost the end of the file: what is missing is not compared.
     */
    bool may_end_early;
    uint64_t bytes; /* compared, and the same; or not to be compared */
    bool differs;
    struct skein_error difference; /* differs: one line */
};

/*
 * recorded_path may be missing: an empty console. replayed_path is not copied. For a part of a
 * replay, set `from` and `to` then; for an incomplete recording, `may_end_early`.
 */
int skein_console_check_open(struct skein_console_check *c, const char *recorded_path,
                             const char *replayed_path, struct skein_error *err);
void skein_console_check_close(struct skein_console_check *c);

/*
 * Takes the next replayed bytes, at most size, into buf, compares them, and returns how many they
 * are; 0: no more for now, or they differ (the bytes up to the first wrong one are returned first).
 */
size_t skein_console_check_next(struct skein_console_check *c, char *buf, size_t size);

/* At the end of a complete replay: the recorded part has no more bytes than the replayed one. */
void skein_console_check_finish(struct skein_console_check *c);

#endif
