/*
 * krr_image RECORDING FILE: the bytes that KRR (OSDI 2025) would hold in memory for the same
 * events, as its public sources lay them out, so that they can be compressed for real. Each entry
 * has a 4-byte type before it.
 *
 *   ours                                        theirs       bytes
 *   ENTRY by SYSCALL, SYSENTER, INT 80h         SYSCALL      184
 *   ENTRY by another exception                  EXCEPTION    192
 *   ENTRY by interrupt or NMI                   INTERRUPT    192
 *   INTERRUPT, hard and NMI                     INTERRUPT    192
 *   VALUE from a port, the PMC                  IO           32
 *   VALUE from the TSC                          RDTSC        32
 *   VALUE from RDRAND and RDSEED                RDSEED       32
 *   USER_READ up to 8 bytes                     GFU          32
 *   USER_READ of n > 8 bytes                    CFU          48 + n + 1
 *   MEM of up to 8 bytes by a vCPU (A/D bits)   PTE          32
 *   MEM by devices                              DMA          its bytes, nothing else
 *
 * What KRR has no counterpart for is left out: tokens, digests, marks, page states, TLB flushes,
 * FPU state, MMIO and MSR values, user stores seen through other mappings, END. What it logs and
 * we need not (INST_SYNC) is left out as well. One run of ours is one CFU, though several calls may
 * have been one run. Fields that a recording of ours does not hold (CR3, spin counts, the kernel's
 * registers, RIP of values) are zero, and registers are those of the last entry that changed them.
 * All of this is in KRR's favour.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/reader.h"

enum entry_type { INTERRUPT, EXCEPTION, SYSCALL, IO, CFU, RDTSC = 6, GFU = 8, RDSEED = 10, PTE };
#define DMA 12u /* of `counts` only */
#define COUNTS 13u
#define VECTOR_INT80 0x80u

/* In the order of KVM's registers. */
struct registers {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r[8], rip, rflags;
};

struct io {
    int32_t id;
    uint64_t value, instructions, rip;
};

struct user_value {
    int32_t id;
    uint64_t value, address, size;
};

struct user_copy {
    int32_t id;
    uint64_t source, target, length, rdx, data;
};

struct syscall_entry {
    int32_t id;
    struct registers regs;
    uint64_t kernel_gs, gs, cr3, spins;
};

struct exception {
    int32_t id, vector, error;
    uint64_t cr2;
    struct registers regs;
    uint64_t spins, rest[2];
};

struct interrupt {
    int32_t id, vector;
    uint64_t rcx;
    int32_t from;
    uint64_t spins, instructions, rip;
    struct registers regs;
};
static_assert(sizeof(struct io) == 32, "as theirs");
static_assert(sizeof(struct user_value) == 32, "as theirs");
static_assert(sizeof(struct user_copy) == 48, "as theirs");
static_assert(sizeof(struct syscall_entry) == 184, "as theirs");
static_assert(sizeof(struct exception) == 192, "as theirs");
static_assert(sizeof(struct interrupt) == 192, "as theirs");

struct image {
    FILE *out;
    uint64_t count[COUNTS], bytes;
    uint64_t user_bytes;    /* of CFUs and DMA */
    uint64_t ours, counted; /* events */
    uint32_t device_shard;
    uint64_t slots[SKEIN_MAX_SHARDS][SKEIN_SLOT_COUNT];
};

static void put(struct image *m, const void *bytes, size_t n) {
    fwrite(bytes, 1, n, m->out);
    m->bytes += n;
}

static void put_entry(struct image *m, enum entry_type type, const void *entry, size_t n) {
    const uint32_t word = type;

    put(m, &word, sizeof(word));
    put(m, entry, n);
    m->count[type]++;
    m->counted++;
}

static struct registers registers_of(const uint64_t *slot) {
    struct registers r = {slot[0], slot[3], slot[1], slot[2], slot[6], slot[7],
                          slot[4], slot[5], {0},     0,       0};

    memcpy(r.r, slot + 8, sizeof(r.r));
    return r;
}

static void add_entry(struct image *m, const struct skein_event *e) {
    const struct skein_entry_payload *p = (const void *)(e->record + 1);
    const uint32_t type = e->record->arg & 0x7f, vector = e->record->arg >> 8 & 0xff;
    uint64_t *slot = m->slots[e->shard];
    size_t n = 0;

    for (uint64_t mask = p->mask; mask != 0; mask &= mask - 1) {
        slot[__builtin_ctzll(mask)] = p->slot[n++];
    }
    if (type == SKEIN_ENTRY_SYSCALL || type == SKEIN_ENTRY_SYSENTER ||
        (type == SKEIN_ENTRY_EXCEPTION && vector == VECTOR_INT80)) {
        const struct syscall_entry s = {.id = (int32_t)e->shard, .regs = registers_of(slot)};
        put_entry(m, SYSCALL, &s, sizeof(s));
    } else if (type == SKEIN_ENTRY_EXCEPTION) {
        struct exception s = {
            .id = (int32_t)e->shard,
            .vector = (int32_t)vector,
            .error = (int32_t)p->error,
            .cr2 = slot[SKEIN_SLOT_CR2],
            .regs = registers_of(slot),
        };
        s.regs.rip = slot[SKEIN_SLOT_RIP];
        s.regs.rflags = slot[SKEIN_SLOT_RFLAGS];
        put_entry(m, EXCEPTION, &s, sizeof(s));
    } else if (type == SKEIN_ENTRY_INTERRUPT || type == SKEIN_ENTRY_NMI) {
        const struct interrupt s = {
            .id = (int32_t)e->shard,
            .vector = (int32_t)vector,
            .rcx = slot[1],
            .rip = slot[SKEIN_SLOT_RIP],
            .instructions = p->icount,
        };
        put_entry(m, INTERRUPT, &s, sizeof(s));
    }
}

static void add_interrupt(struct image *m, const struct skein_event *e, const uint64_t *words) {
    const uint32_t type = e->record->arg & 0xff;
    const struct interrupt s = {
        .id = (int32_t)e->shard,
        .vector = (int32_t)(e->record->arg >> 8 & 0xff),
        .instructions = words[0],
    };

    if (type == SKEIN_INTR_HARD || type == SKEIN_INTR_NMI) {
        put_entry(m, INTERRUPT, &s, sizeof(s));
    }
}

static void add_value(struct image *m, const struct skein_event *e, const uint64_t *words) {
    const struct io s = {.id = (int32_t)e->shard, .value = words[0]};
    const struct user_value seed = {.value = words[0]};

    switch (e->record->arg & 0xff) {
    case SKEIN_VALUE_PORT:
    case SKEIN_VALUE_PMC:
        put_entry(m, IO, &s, sizeof(s));
        break;
    case SKEIN_VALUE_TSC:
        put_entry(m, RDTSC, &s, sizeof(s));
        break;
    case SKEIN_VALUE_RANDOM:
        put_entry(m, RDSEED, &seed, sizeof(seed));
        break;
    default:
        break;
    }
}

static void add_user_value(struct image *m, enum entry_type type, uint64_t address,
                           const void *bytes, uint32_t n) {
    struct user_value s = {.address = address, .size = n};

    memcpy(&s.value, bytes, n);
    put_entry(m, type, &s, sizeof(s));
}

static void add_user_read(struct image *m, const struct skein_event *e, const uint64_t *words) {
    const uint32_t n = e->record->arg;

    if (n <= 8) {
        add_user_value(m, GFU, words[0], words + 1, n);
    } else {
        const struct user_copy s = {.source = words[0], .length = n + 1};
        put_entry(m, CFU, &s, sizeof(s));
        put(m, words + 1, n);
        m->user_bytes += n;
        put(m, "", 1);
    }
}

static void add_mem(struct image *m, const struct skein_event *e, const uint64_t *words) {
    const uint32_t n = e->record->arg;

    if (e->shard == m->device_shard) {
        put(m, words + 2, n);
        m->user_bytes += n;
        m->count[DMA]++;
        m->counted++;
    } else if (n <= 8) {
        add_user_value(m, PTE, words[1], words + 2, n);
    }
}

static void add(struct image *m, const struct skein_event *e) {
    const uint64_t *words = (const void *)(e->record + 1);

    m->ours++;
    switch (e->record->kind) {
    case SKEIN_ENTRY:
        add_entry(m, e);
        break;
    case SKEIN_INTERRUPT:
        add_interrupt(m, e, words);
        break;
    case SKEIN_VALUE:
        add_value(m, e, words);
        break;
    case SKEIN_USER_READ:
        add_user_read(m, e, words);
        break;
    case SKEIN_MEM:
        add_mem(m, e, words);
        break;
    default:
        break;
    }
}

static int write_image(struct image *m, const char *dir, struct skein_error *err) {
    struct skein_recording *rec = NULL;
    struct skein_reader *reader = NULL;
    struct skein_event event;
    int rc = skein_recording_open(dir, SKEIN_READ_STRICT, &rec, err);

    if (rc != 0) {
        return rc;
    }
    m->device_shard = skein_recording_shard_count(rec) - 1;
    rc = skein_reader_open(rec, &reader, err);
    while (rc == 0 && (rc = skein_reader_next(reader, &event, err)) == 1) {
        add(m, &event);
        rc = 0;
    }
    skein_reader_close(reader);
    skein_recording_close(rec);
    return rc;
}

static void print_counts(const struct image *m) {
    static const char *const names[COUNTS] = {
        [INTERRUPT] = "interrupt",
        [EXCEPTION] = "exception",
        [SYSCALL] = "syscall",
        [IO] = "io",
        [CFU] = "cfu",
        [RDTSC] = "rdtsc",
        [GFU] = "gfu",
        [RDSEED] = "rdseed",
        [PTE] = "pte",
        [DMA] = "dma",
    };

    printf("image events=%" PRIu64 " counted=%" PRIu64 " bytes=%" PRIu64 " user_bytes=%" PRIu64,
           m->ours, m->counted, m->bytes, m->user_bytes);
    for (unsigned i = 0; i < COUNTS; i++) {
        if (names[i] != NULL) {
            printf(" %s=%" PRIu64, names[i], m->count[i]);
        }
    }
    putchar('\n');
}

int main(int argc, char **argv) {
    static struct image m;
    struct skein_error err = {""};
    int rc;

    if (argc != 3) {
        fputs("usage: krr_image RECORDING FILE\n", stderr);
        return 2;
    }
    m.out = fopen(argv[2], "wb");
    if (m.out == NULL) {
        fprintf(stderr, "krr_image: %s: %s\n", argv[2], strerror(errno));
        return 1;
    }
    rc = write_image(&m, argv[1], &err);
    if (fclose(m.out) != 0 && rc == 0) {
        rc = skein_error_sys(&err, -errno, "%s", argv[2]);
    }
    if (rc != 0) {
        fprintf(stderr, "krr_image: %s\n", err.text);
        return 1;
    }
    print_counts(&m);
    return 0;
}
