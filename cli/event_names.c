#include "cli/event_names.h"

#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/block_shape.h"

#define SYSCALLS 1024u
#define NAME_BYTES 32u
#define INT80 0x80u
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct skein_event_names {
    char *resolved[2][SYSCALLS]; /* libseccomp's; NULL where it knows none */
    char unknown[SYSCALLS][NAME_BYTES];
    char exception[256][NAME_BYTES];
    char irq[256][NAME_BYTES];
};

static const char *const exceptions[32] = {
    [0] = "#DE",  [1] = "#DB",  [2] = "NMI",  [3] = "#BP",  [4] = "#OF",  [5] = "#BR",
    [6] = "#UD",  [7] = "#NM",  [8] = "#DF",  [10] = "#TS", [11] = "#NP", [12] = "#SS",
    [13] = "#GP", [14] = "#PF", [16] = "#MF", [17] = "#AC", [18] = "#MC", [19] = "#XM",
    [20] = "#VE", [21] = "#CP", [28] = "#HV", [29] = "#VC", [30] = "#SX",
};

/* Linux's system vectors, from 0xec on. */
static const char *const system_vectors[] = {
    "timer",
    "hyperv stimer",
    "hyperv reenlightenment",
    "managed shutdown",
    "posted nested",
    "posted wakeup",
    "posted",
    "hypervisor callback",
    "deferred error",
    NULL, /* no longer in use */
    "work",
    "platform ipi",
    "reboot",
    "threshold",
    "thermal",
    "call function single",
    "call function",
    "reschedule",
    "apic error",
    "spurious",
};
#define FIRST_SYSTEM_VECTOR 0xecu
static_assert(FIRST_SYSTEM_VECTOR + COUNT(system_vectors) == 256, "they end with 0xff");

static void fill(struct skein_event_names *n) {
    for (uint32_t i = 0; i < SYSCALLS; i++) {
        n->resolved[0][i] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, (int)i);
        n->resolved[1][i] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86, (int)i);
        snprintf(n->unknown[i], NAME_BYTES, "syscall %u", i);
    }
    for (uint32_t v = 0; v < 256; v++) {
        const char *exception = v < COUNT(exceptions) ? exceptions[v] : NULL;
        const char *system =
            v >= FIRST_SYSTEM_VECTOR ? system_vectors[v - FIRST_SYSTEM_VECTOR] : NULL;
        if (exception != NULL)
            snprintf(n->exception[v], NAME_BYTES, "%s", exception);
        else
            snprintf(n->exception[v], NAME_BYTES, v < 32 ? "exception 0x%02x" : "int 0x%02x", v);
        if (system != NULL)
            snprintf(n->irq[v], NAME_BYTES, "irq %.26s", system);
        else
            snprintf(n->irq[v], NAME_BYTES, "irq 0x%02x", v);
    }
}

int skein_event_names_create(struct skein_event_names **out) {
    struct skein_event_names *n = calloc(1, sizeof(*n));
    if (n == NULL)
        return -ENOMEM;
    fill(n);
    *out = n;
    return 0;
}

void skein_event_names_free(struct skein_event_names *n) {
    if (n == NULL)
        return;
    for (uint32_t i = 0; i < SYSCALLS; i++) {
        free(n->resolved[0][i]);
        free(n->resolved[1][i]);
    }
    free(n);
}

const char *skein_event_names_syscall(const struct skein_event_names *n, uint64_t number,
                                      bool i386) {
    if (number >= SYSCALLS)
        return "syscall ?";
    const char *name = n->resolved[i386][number];
    return name != NULL ? name : n->unknown[number];
}

const char *skein_event_names_exception(const struct skein_event_names *n, uint32_t vector) {
    return n->exception[vector & 0xff];
}

const char *skein_event_names_irq(const struct skein_event_names *n, uint32_t vector) {
    return n->irq[vector & 0xff];
}

const uint64_t *skein_entry_slot(const struct skein_record *rec, uint32_t slot) {
    const struct skein_entry_payload *p = (const void *)(rec + 1);
    size_t tail_bytes;
    if (rec->kind != SKEIN_ENTRY || slot >= SKEIN_SLOT_COUNT ||
        !skein_shape_match(rec, &tail_bytes) || (p->mask >> slot & 1) == 0)
        return NULL;
    return &p->slot[__builtin_popcountll(p->mask & ((1ull << slot) - 1))];
}

/*
 * A 64-bit kernel takes SYSCALL from 32-bit programs too, on AMD's processors, and then the number
 * is i386's. Programs execute it nowhere but in the vDSO, whose 32-bit image Linux maps into the
 * upper half of the lowest 4 GiB: where no 64-bit program has its code.
 */
static bool in_vdso32(const struct skein_record *rec) {
    const uint64_t *rip = skein_entry_slot(rec, SKEIN_SLOT_RIP);
    return rip != NULL && *rip >> 31 == 1;
}

bool skein_entry_is_syscall(const struct skein_record *rec, bool *i386, const uint64_t **number) {
    const uint32_t type = rec->arg & 0xff, vector = rec->arg >> 8;
    const uint32_t int_n = SKEIN_ENTRY_EXCEPTION | SKEIN_ENTRY_IS_INT;
    if (rec->kind != SKEIN_ENTRY)
        return false;
    if (type == SKEIN_ENTRY_SYSCALL)
        *i386 = in_vdso32(rec);
    else if (type == SKEIN_ENTRY_SYSENTER || (type == int_n && vector == INT80))
        *i386 = true;
    else
        return false;
    *number = skein_entry_slot(rec, SKEIN_SLOT_GPR);
    return true;
}

const char *skein_event_names_entry(const struct skein_event_names *n,
                                    const struct skein_record *rec) {
    const uint32_t type = rec->arg & 0xff & ~SKEIN_ENTRY_IS_INT, vector = rec->arg >> 8;
    const uint64_t *number = NULL;
    bool i386 = false;
    if (skein_entry_is_syscall(rec, &i386, &number))
        return number != NULL ? skein_event_names_syscall(n, (uint32_t)*number, i386) : "syscall ?";
    switch (type) {
    case SKEIN_ENTRY_EXCEPTION:
        return skein_event_names_exception(n, vector);
    case SKEIN_ENTRY_INTERRUPT:
        return skein_event_names_irq(n, vector);
    case SKEIN_ENTRY_NMI:
        return "NMI";
    case SKEIN_ENTRY_MCE:
        return "#MC";
    case SKEIN_ENTRY_INIT:
        return "INIT";
    default:
        return "entry ?";
    }
}

const char *skein_event_names_interrupt(const struct skein_event_names *n,
                                        const struct skein_record *rec) {
    static const char *const names[] = {
        [SKEIN_INTR_NMI] = "NMI", [SKEIN_INTR_INIT] = "INIT", [SKEIN_INTR_SIPI] = "SIPI",
        [SKEIN_INTR_MCE] = "#MC", [SKEIN_INTR_WAKE] = "idle", [SKEIN_INTR_SMI] = "SMI",
    };
    const uint32_t type = rec->arg & 0xff;
    if (type == SKEIN_INTR_HARD)
        return skein_event_names_irq(n, rec->arg >> 8);
    return type < COUNT(names) && names[type] != NULL ? names[type] : "interrupt ?";
}

static const char *name_at(const char *const *names, size_t count, uint32_t i) {
    return i < count ? names[i] : NULL;
}

const char *skein_entry_type_name(uint32_t type) {
    static const char *const names[] = {NULL,        "syscall", "sysenter", "exception",
                                        "interrupt", "nmi",     "mce",      "init"};
    return type == (SKEIN_ENTRY_EXCEPTION | SKEIN_ENTRY_IS_INT)
               ? "int"
               : name_at(names, COUNT(names), type);
}

const char *skein_intr_type_name(uint32_t type) {
    static const char *const names[] = {NULL, "hard", "nmi", "init", "sipi", "mce", "wake", "smi"};
    return name_at(names, COUNT(names), type);
}

const char *skein_value_source_name(uint32_t source) {
    static const char *const names[] = {NULL, "port", "mmio", "tsc", "random", "msr", "pmc", "tpr"};
    return name_at(names, COUNT(names), source);
}

const char *skein_slot_name(uint32_t slot) {
    static const char *const names[] = {
        "rax", "rcx",     "rdx",      "rbx",    "rsp",     "rbp",      "rsi", "rdi",     "r8",
        "r9",  "r10",     "r11",      "r12",    "r13",     "r14",      "r15", "rip",     "rflags",
        "es",  "es.base", "es.limit", "cs",     "cs.base", "cs.limit", "ss",  "ss.base", "ss.limit",
        "ds",  "ds.base", "ds.limit", "fs",     "fs.base", "fs.limit", "gs",  "gs.base", "gs.limit",
        "cr2", "dr6",     "pkru",     "hflags",
    };
    static_assert(COUNT(names) == SKEIN_SLOT_COUNT, "a name for each slot");
    return name_at(names, COUNT(names), slot);
}
