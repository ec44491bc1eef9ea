/*
 * ORC, the kernel's own tables for unwinding its stack (Documentation/arch/x86/orc-unwinder.rst in
 * Linux): kernels are built without frame pointers, and a debugger has no other way to a caller.
 */
#ifndef SKEIN_REPLAY_ORC_H
#define SKEIN_REPLAY_ORC_H

#include <stddef.h>
#include <stdint.h>

#include "replay/kernel.h"

/* The numbers that the kernel's entries use. */
enum skein_orc_register {
    SKEIN_ORC_UNDEFINED,
    SKEIN_ORC_CALLER_SP, /* for rbp: it is saved at an offset from where the caller's stack is */
    SKEIN_ORC_DX,
    SKEIN_ORC_DI,
    SKEIN_ORC_BP,
    SKEIN_ORC_SP,
    SKEIN_ORC_R10,
    SKEIN_ORC_R13,
    SKEIN_ORC_BP_INDIRECT, /* what lies at rbp + offset */
    SKEIN_ORC_SP_INDIRECT, /* what lies at rsp, + offset */
};

enum skein_orc_type {
    SKEIN_ORC_UNKNOWN, /* nothing is known of the stack here */
    SKEIN_ORC_END,     /* there is no caller */
    SKEIN_ORC_CALL,    /* the return address lies in front of the caller's stack */
    SKEIN_ORC_REGS,    /* all registers lie there (struct pt_regs) */
    SKEIN_ORC_IRET,    /* only what an interrupt pushes lies there */
};

struct skein_orc_entry {
    uint64_t address, end; /* of the code it speaks of */
    int16_t sp_offset, bp_offset;
    uint8_t sp, bp; /* enum skein_orc_register */
    uint8_t type;   /* enum skein_orc_type */
};

struct skein_orc {
    struct skein_orc_entry *entries; /* each table, the kernel's and the modules', is in order */
    size_t count, room;
};

/* Those that can be read. 0 also when there are none; -ENOMEM. */
int skein_orc_read(struct skein_kernel *kernel, struct skein_orc *orc);
void skein_orc_free(struct skein_orc *orc);

#endif
