/*
 * A trace: what a replay writes about the instructions of one vCPU between two icounts, for skein
 * to show or to compare. A file of records, little-endian, in the order in which things happened;
 * it lives no longer than the command that asked for it.
 *
 *   kind     payload (u64 unless said)
 *   STATE    icount, slice, count × (register, value): all registers, once at the start
 *   CHANGE   the same: what events between two instructions have changed
 *   INSN     icount, slice, PC, 16 bytes of code (15 count), count × (register, value): what the
 *            instruction has changed, but for RIP
 *   EVENT    icount, slice, tick, shard, the event (struct skein_record and its payload). Of an
 *            event that an instruction consumes: after its INSN, with its icount.
 *   END      icount: the range is complete
 */
#ifndef SKEIN_PIPELINE_TRACE_RECORD_H
#define SKEIN_PIPELINE_TRACE_RECORD_H

#include <assert.h>
#include <stdint.h>

enum skein_trace_kind {
    SKEIN_TRACE_STATE = 1,
    SKEIN_TRACE_CHANGE = 2,
    SKEIN_TRACE_INSN = 3,
    SKEIN_TRACE_EVENT = 4,
    SKEIN_TRACE_END = 5,
};

enum skein_trace_register {
    SKEIN_REG_GPR = 0, /* 16: rax rcx rdx rbx rsp rbp rsi rdi r8 … r15 */
    SKEIN_REG_RIP = 16,
    SKEIN_REG_RFLAGS = 17,
    SKEIN_REG_SEG = 18, /* 6: es cs ss ds fs gs */
    SKEIN_REG_FS_BASE = 24,
    SKEIN_REG_GS_BASE = 25,
    SKEIN_REG_KERNEL_GS_BASE = 26,
    SKEIN_REG_CR0 = 27,
    SKEIN_REG_CR2 = 28,
    SKEIN_REG_CR3 = 29,
    SKEIN_REG_CR4 = 30,
    SKEIN_REG_XMM = 31, /* 16 × 2: low, high */
    SKEIN_REG_COUNT = 63,
};

struct skein_trace_record {
    uint32_t size_bytes; /* with this header; a multiple of 8 */
    uint16_t kind;
    uint16_t count; /* registers that follow */
};
static_assert(sizeof(struct skein_trace_record) == 8, "the header is 8 bytes");

struct skein_trace_change {
    uint64_t reg; /* enum skein_trace_register */
    uint64_t value;
};

struct skein_trace_state {
    struct skein_trace_record head;
    uint64_t icount;
    uint64_t slice;
    struct skein_trace_change changes[];
};

struct skein_trace_insn {
    struct skein_trace_record head;
    uint64_t icount;
    uint64_t slice;
    uint64_t pc;
    uint8_t code[16];
    struct skein_trace_change changes[];
};

struct skein_trace_event {
    struct skein_trace_record head;
    uint64_t icount;
    uint64_t slice;
    uint64_t tick;
    uint64_t shard;
    uint8_t event[];
};
static_assert(sizeof(struct skein_trace_event) == 40, "the event begins at 40");

#endif
