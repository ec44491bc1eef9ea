/* Between lab.c, which makes and kills, and lab_check.c, which recovers and compares. */
#ifndef SKEIN_TESTS_CRASH_LAB_PRIVATE_H
#define SKEIN_TESTS_CRASH_LAB_PRIVATE_H

#include "pipeline/recover.h"
#include "tests/crash/lab.h"

#define LAB_BLOCK_BYTES 6000u
#define LAB_SEGMENT_BYTES 40000u

int lab_recover(const char *dir, struct skein_recovered *r, struct skein_error *err);

/* Recovers, compares with what was published, and recovers once more. */
void lab_check(const struct lab_run *run, const char *session, const char *dir);

#endif
