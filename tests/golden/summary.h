/* What a recording holds, in one number per thing: what golden recordings are compared by. */
#ifndef SKEIN_TESTS_GOLDEN_SUMMARY_H
#define SKEIN_TESTS_GOLDEN_SUMMARY_H

#include <stdio.h>

#include "pipeline/recording.h"
#include "pipeline/stats.h"

#define SUMMARY_MAX_BYTES 4096

/*
 * Reads all of it and writes lines "key value" into text:
 *
 *   open        ok, or refused: strict reading finds damage
 *   complete    1 or 0
 *   events, slices, lost_blocks, lost_bytes
 *   digest      XXH64 of every event: shard (4 bytes), tick (8), slice (8), the record
 *   kind NAME   events of that kind; only those that occur
 */
void summary_make(const char *dir, enum skein_read_mode mode, char text[SUMMARY_MAX_BYTES]);

/* The same in both modes: "strict" and its lines, "salvage" and its lines. */
void summary_make_both(const char *dir, char text[2 * SUMMARY_MAX_BYTES]);

#endif
