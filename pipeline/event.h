/*
 * The events of a recording, as they lie in a shard: the contract between whoever records
 * (QEMU's recorder today, a guest agent later), the collector and the replayer.
 *
 * A record is an 8-byte header and a payload, little-endian, padded with zeros to 8 bytes. Records
 * of one shard are numbered 1, 2, 3, …: that number is the event's tick, and is not stored.
 *
 *   offset  size  field
 *        0     2  size_bytes   header + payload + padding; a multiple of 8, at least 8
 *        2     1  kind         enum skein_kind
 *        3     1  flags        SKEIN_F_*; the rest are zero
 *        4     4  arg          by kind, see below
 *        8     …  payload      by kind, see below
 *
 *   kind        arg                                     payload (u64 unless said)
 *   TOKEN       shard that held the token before        edge_tick, position, digest
 *   ENTRY       type | vector << 8 (skein_entry_arg)    icount, error, next_ip, mask,
 *                                                       slot[popcount(mask)]
 *   INTERRUPT   type | vector << 8 (skein_intr_arg)     icount, digest
 *   VALUE       source | size << 8 | addr16 << 16       value
 *   USER_READ   bytes in the run                        va of the run's start, then the bytes
 *   MEM         bytes                                   position, RAM offset, then the bytes
 *   FPU         words that follow                       mask_lo, mask_hi, slot[popcount(mask)]
 *   DIGEST      0                                       icount, digest
 *   PAGE_DIRTY  0                                       RAM offset of the page
 *   PAGE_CLEAN  1 clean from here on, 0 stays dirty     RAM offset of the page
 *   TLB_FLUSH   0                                       icount
 *   MARK        0                                       icount
 *   END         enum skein_end                          icount, digest, console_bytes,
 *                                                       console_hash, ram_hash
 *
 * Every event but END belongs to a slice: the kernel token is held by whoever logs it. Where a
 * slice ends, another shard's TOKEN names its last tick.
 *
 * Position: the owner's icount, or, with SKEIN_F_AT_IO, the ordinal (1, 2, …) of the port, MMIO or
 * MSR access of the owner during which it happened. The device shard executes nothing: its
 * positions are 0. A USER_READ run has no position: it is met in program order; nor has a MEM with
 * SKEIN_F_USER, whatever its word says: it belongs to the entry or exit next to it. PAGE_DIRTY is a
 * vCPU's, or, for what a device that is left out writes, the device shard's.
 */
#ifndef SKEIN_PIPELINE_EVENT_H
#define SKEIN_PIPELINE_EVENT_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum skein_kind {
    SKEIN_PAD = 0, /* filler before the ring's end; has no tick */
    SKEIN_TOKEN = 1,
    SKEIN_ENTRY = 2,
    SKEIN_INTERRUPT = 3,
    SKEIN_VALUE = 4,
    SKEIN_USER_READ = 5,
    SKEIN_MEM = 6,
    SKEIN_FPU = 7,
    SKEIN_DIGEST = 8,
    SKEIN_PAGE_DIRTY = 9,
    SKEIN_PAGE_CLEAN = 10,
    SKEIN_TLB_FLUSH = 11,
    SKEIN_MARK = 12,
    SKEIN_END = 13,
    SKEIN_KIND_COUNT = 14,
};

/* What an event may carry at most; longer runs are split by the writer. */
#define SKEIN_RECORD_MAX_BYTES 8192u

#define SKEIN_F_AT_IO 0x01u     /* the position is an I/O ordinal, not an icount */
#define SKEIN_F_TLB_RESET 0x02u /* ENTRY: user mode has used the kernel's TLB; reset it first */
#define SKEIN_F_USER 0x04u      /* MEM, PAGE_DIRTY: made by a vCPU in user mode (its page walk) */

/* The edge of a slice that nothing precedes: the first one of a recording. */
#define SKEIN_SHARD_NONE 0xffu

struct skein_record {
    uint16_t size_bytes;
    uint8_t kind;
    uint8_t flags;
    uint32_t arg;
};
static_assert(sizeof(struct skein_record) == 8, "record header is 8 bytes on the wire");

enum skein_entry_type {
    SKEIN_ENTRY_SYSCALL = 1,
    SKEIN_ENTRY_SYSENTER = 2,
    SKEIN_ENTRY_EXCEPTION = 3, /* faults, traps and INT n */
    SKEIN_ENTRY_INTERRUPT = 4, /* external, taken in user mode */
    SKEIN_ENTRY_NMI = 5,
    SKEIN_ENTRY_MCE = 6,
    SKEIN_ENTRY_INIT = 7,
};
#define SKEIN_ENTRY_IS_INT 0x80u /* in the type byte: the exception came from INT n */

enum skein_intr_type {
    SKEIN_INTR_HARD = 1,
    SKEIN_INTR_NMI = 2,
    SKEIN_INTR_INIT = 3,
    SKEIN_INTR_SIPI = 4, /* vector: the start page */
    SKEIN_INTR_MCE = 5,
    SKEIN_INTR_WAKE = 6, /* left HLT; what it takes, if anything, is an event of its own */
    SKEIN_INTR_SMI = 7,
};

enum skein_value_source {
    SKEIN_VALUE_PORT = 1,
    SKEIN_VALUE_MMIO = 2,
    SKEIN_VALUE_TSC = 3,
    SKEIN_VALUE_RANDOM = 4,
    SKEIN_VALUE_MSR = 5,
    SKEIN_VALUE_PMC = 6,
    SKEIN_VALUE_TPR = 7,
};

enum skein_end {
    SKEIN_END_STOPPED = 1,  /* somebody asked for the end */
    SKEIN_END_SHUTDOWN = 2, /* the guest powered itself off */
    SKEIN_END_RESET = 3,    /* the guest reset itself */
    SKEIN_END_PANIC = 4,    /* the guest reported a panic */
    SKEIN_END_IGNORED = 5,  /* the kernel used a device that is left out: the message says which */
};

struct skein_token_payload {
    uint64_t edge_tick; /* the last tick of shard `arg` before it gave the token up */
    uint64_t position;  /* where this shard stood meanwhile */
    uint64_t digest;    /* of this shard at that point */
};

/*
 * ENTRY: the user state that differs from what it was when this vCPU last left the kernel, and for
 * system calls RAX in any case, which is their number. Bit i of the mask says that slot i follows.
 */
enum skein_slot {
    SKEIN_SLOT_GPR = 0, /* 16: rax rcx rdx rbx rsp rbp rsi rdi r8 … r15 */
    SKEIN_SLOT_RIP = 16,
    SKEIN_SLOT_RFLAGS = 17,
    SKEIN_SLOT_SEG = 18, /* 6 × 3: es cs ss ds fs gs; selector | flags << 32, base, limit */
    SKEIN_SLOT_CR2 = 36,
    SKEIN_SLOT_DR6 = 37,
    SKEIN_SLOT_PKRU = 38,
    SKEIN_SLOT_HFLAGS = 39,
    SKEIN_SLOT_COUNT = 40,
};

struct skein_entry_payload {
    uint64_t icount;
    uint64_t error;   /* error code */
    uint64_t next_ip; /* INT n: the address after it; SYSCALL: the length of the instruction */
    uint64_t mask;
    uint64_t slot[SKEIN_SLOT_COUNT];
};

static inline uint32_t skein_entry_arg(uint32_t type, uint32_t vector) {
    return type | vector << 8;
}
static inline uint32_t skein_intr_arg(uint32_t type, uint32_t vector) {
    return type | vector << 8;
}
static inline uint32_t skein_value_arg(uint32_t source, uint32_t size, uint64_t addr) {
    return source | size << 8 | (uint32_t)(addr & 0xffff) << 16;
}

/*
 * The icount at which the event stands, of those that carry one. False: it has none (see above), or
 * is too short to.
 */
static inline bool skein_record_icount(const struct skein_record *rec, uint64_t *icount) {
    const bool at_io = (rec->flags & SKEIN_F_AT_IO) != 0;
    uint32_t word = 0;

    switch (rec->kind) {
    case SKEIN_TOKEN:
        word = 1;
        if (at_io) {
            return false;
        }
        break;
    case SKEIN_MEM:
        if (at_io || (rec->flags & SKEIN_F_USER) != 0) {
            return false;
        }
        break;
    case SKEIN_ENTRY:
    case SKEIN_INTERRUPT:
    case SKEIN_DIGEST:
    case SKEIN_TLB_FLUSH:
    case SKEIN_MARK:
    case SKEIN_END:
        break;
    default:
        return false;
    }
    if (rec->size_bytes < sizeof(*rec) + 8 * (word + 1)) {
        return false;
    }
    memcpy(icount, (const uint8_t *)(rec + 1) + 8 * word, 8);
    return true;
}

/* What an END says of the guest's console; 0 when it is too short to say so. */
static inline uint64_t skein_end_console_bytes(const struct skein_record *rec) {
    uint64_t bytes = 0;

    if (rec->kind == SKEIN_END && rec->size_bytes >= sizeof(*rec) + 3 * sizeof(bytes)) {
        memcpy(&bytes, (const uint8_t *)(rec + 1) + 2 * sizeof(bytes), sizeof(bytes));
    }
    return bytes;
}

/*
 * Whether a replay can hold its vCPU right at this event, and at which icount. DIGEST is checked
 * where the vCPU comes by anyway, and what a vCPU's page walk did in user mode (MEM with
 * SKEIN_F_USER) belongs to the entry or exit next to it.
 */
static inline bool skein_record_is_stop(const struct skein_record *rec, uint64_t *icount) {
    return rec->kind != SKEIN_DIGEST && skein_record_icount(rec, icount);
}

/* The name used everywhere: "token", "entry", …; NULL for a kind that does not exist. */
const char *skein_kind_name(uint8_t kind);

#endif
