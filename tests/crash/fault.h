/*
 * System calls that fail when told: write, fsync, fdatasync, rename and link of everything that is
 * linked into the test (by the linker's --wrap).
 */
#ifndef SKEIN_TESTS_CRASH_FAULT_H
#define SKEIN_TESTS_CRASH_FAULT_H

#include <stdint.h>

enum fault_kind {
    FAULT_NONE,
    FAULT_WRITE_ENOSPC, /* nothing is written, from then on */
    FAULT_WRITE_EIO,    /* once */
    FAULT_WRITE_HALF,   /* half is written; the rest fails with ENOSPC */
    FAULT_WRITE_SHORT,  /* every write writes some of it, which is no error */
    FAULT_SYNC_EIO,
    FAULT_RENAME_EIO,
    FAULT_LINK_EIO,
    FAULT_KINDS,
};

/* The call of that kind that fails, from 1. */
void fault_arm(enum fault_kind kind, uint32_t call);

/* Whether it has come to that. */
int fault_happened(void);

#endif
