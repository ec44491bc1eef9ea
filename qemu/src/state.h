/*
 * The state behind the hooks: one SkeinCPU per vCPU, one SkeinVM. Nothing outside this folder
 * includes this file.
 */
#ifndef ACCEL_TCG_SKEIN_STATE_H
#define ACCEL_TCG_SKEIN_STATE_H

#include "qemu/osdep.h"
#include "cpu.h"
#include "exec/exec-all.h"
#include "exec/ramblock.h"
#include "qemu/atomic.h"
#include "qemu/main-loop.h"

#include "accel/tcg/skein/hooks.h"
#include "accel/tcg/skein/x86.h"
#include "pipeline/event.h"
#include "pipeline/session.h"
#include "pipeline/shard.h"

/* A run of USER_READ bytes is closed at this size, so that a record stays small. */
#define SKEIN_RUN_MAX 1024u
/* Words of an FPU image: see fpu.c. */
#define SKEIN_FPU_WORDS 86u
/* MMU indices used by kernel-mode data accesses, by user mode, and by instruction fetches. */
#define SKEIN_KERNEL_IDXMAP                                                                        \
    ((1 << MMU_KSMAP64_IDX) | (1 << MMU_KSMAP32_IDX) | (1 << MMU_KNOSMAP64_IDX) |                  \
     (1 << MMU_KNOSMAP32_IDX))
#define SKEIN_KERNEL_FETCH_IDXMAP (SKEIN_KERNEL_IDXMAP << SKEIN_FETCH_IDX_OFFSET)
#define SKEIN_USER_IDXMAP ((1 << MMU_USER64_IDX) | (1 << MMU_USER32_IDX))
/* The upper half of the address space is the kernel's. */
static inline bool skein_kernel_address(vaddr addr)
{
    return (int64_t)addr < 0;
}

/* No position is further away than this; it keeps the budget's subtraction from overflowing. */
#define SKEIN_FAR (INT64_MAX / 2)

/* A user-mode page walk that needs the token, across the retry of its instruction. */
enum skein_walk { SKEIN_WALK_NONE, SKEIN_WALK_WANTED, SKEIN_WALK_READY, SKEIN_WALK_RUNNING };

typedef struct SkeinCPU {
    CPUState *cpu;
    uint32_t id;        /* shard */
    int64_t limit;      /* icount at which cpu->skein_left reaches 0 */
    bool in_kernel;     /* between ENTRY and the return to user mode; system scope: always */
    bool held;          /* record: this thread holds the token */
    bool returns_soon;  /* record: the last time in user mode was short */
    bool woke;          /* left HLT, not yet an event */
    bool paused;        /* executed PAUSE since the last gate */
    uint16_t tlb_local; /* MMU indexes with translations that are of one address space only */
    bool polluted;      /* the kernel's TLB was touched outside of kernel execution */
    bool code_large;    /* the code last looked up is in a large page */
    bool fpu_pending;   /* user mode may have changed the FPU since the kernel last looked */
    bool watch_hit;     /* the last instruction touched what a debug register watches */
    bool in_io;         /* inside a port, MMIO or MSR access */
    bool fill_took;     /* the TLB fill under way took the token itself */
    bool fill_stores;   /* ... is for a store */
    uintptr_t fill_ra;
    int64_t left_ns;                     /* record: when it left for user mode; 0: it is back */
    const struct SkeinPage *fill_shared; /* ... made this page writable without the token */
    enum skein_walk walk;
    bool entry_pending; /* SYSCALL executed; its ENTRY waits for the token */
    uint32_t entry_arg;
    struct skein_entry_payload entry;
    uint64_t io_ordinal;
    uint64_t exits;  /* kernel exits */
    uint64_t digest; /* chained over kernel exits and device writes */
    uint64_t inputs; /* chained over the events that carry something into the kernel */
    uint64_t slices;
    uint64_t pages_seen;             /* generation of user-dirty pages that this TLB knows */
    uint64_t user[SKEIN_SLOT_COUNT]; /* user state when the kernel was left */
    uint64_t fpu[SKEIN_FPU_WORDS];   /* the image last logged */

    /* USER_READ bytes: being gathered (record) or used up (replay). */
    uint64_t run_va;
    uint32_t run_len;
    uint32_t run_pos;
    uint8_t run[SKEIN_RECORD_MAX_BYTES];
    uint64_t bytes_since_mark;

    struct SkeinChaos *chaos;         /* record: NULL: nothing is perturbed */
    struct skein_shard_writer writer; /* record */

    struct skein_shard_reader reader; /* replay */
    uint64_t cursor;                  /* first byte not consumed */
    uint64_t tick;                    /* of the last event consumed */
    uint64_t unreleased;              /* events consumed whose room the feeder has not got back */
    uint64_t stop;                    /* icount of the next positioned event; UINT64_MAX unknown */
    bool ended;                       /* END was met, or the log ended */
    bool halted;                      /* in HLT, until the log wakes it */
    uint64_t good_tick;               /* of the last event whose digest was right; 0: none */
    uint64_t good_icount;
} SkeinCPU;

typedef struct SkeinPage {
    uint8_t dirty;    /* user mode has written it, the kernel has not overwritten it all since */
    uint8_t sole;     /* record: no user TLB could write it since coverage began */
    uint8_t unseen;   /* a kernel TLB may have it so that loads and stores are not seen */
    uint16_t covered; /* bytes overwritten in sequence from the start */
} SkeinPage;

/* The object's properties; NULL and 0: not given. */
typedef struct SkeinOptions {
    char *session;
    char *snapshot;
    char *console;
    char *start;
    char *stop;
    char *checkpoints; /* raw checkpoints are written to THIS.N */
    uint64_t epoch_ms; /* ... so often */
    char *until;       /* replay: a checkpoint's state, where it ends and what it must be like */
    char *debug;       /* replay: "on": a debugger comes */
    char *trace;       /* replay: instructions are written to this file */
    uint64_t trace_cpu;
    uint64_t trace_start; /* icounts; the last one is not included */
    uint64_t trace_end;
    char *find;     /* replay: what skein bisect asks for, in this file */
    uint64_t chaos; /* record: seed of perturbations; 0: none */
} SkeinOptions;

typedef struct SkeinVM {
    const SkeinOptions *options;
    struct skein_session_header *session;
    size_t session_bytes;
    bool system_scope;
    bool active;
    bool lost;   /* record: a shard was full and nobody is left to empty it: the log has ended */
    int peer_fd; /* readable when the process on the other side is gone; -1: cannot be had */
    uint32_t cpu_count;
    uint32_t device_shard;
    SkeinCPU *cpus; /* cpu_count of them */

    /* The device threads' shard; whoever holds the token for them owns it. */
    struct skein_shard_writer device_writer;
    struct skein_shard_reader device_reader;
    uint64_t device_cursor;
    uint64_t device_tick;
    bool device_ended;

    /* Replay: who gave the token up last, and at which tick. */
    uint32_t released_shard;
    uint64_t released_tick;
    uint32_t first_checkpoint; /* number of the one where this session began; 0: the start */
    uint64_t slices_before;    /* the session's count began there */
    SkeinCPU *running;         /* whose slice is under way; NULL: between slices */

    struct skein_finding *finding; /* replay: for skein bisect; NULL: not for it */

    GPtrArray *ignored;    /* PCI devices with rr-ignore; NULL: there are none */
    uint32_t free_writers; /* record: ignored devices that write without the token, just now */
    bool touched;          /* record: the kernel used one of them; the recording ends */

    SkeinPage *pages; /* by RAM offset */
    uint64_t page_count;
    uint64_t pages_generation;

    int console_fd;
    uint8_t uart_lcr;
    uint8_t uart_mcr;
    uint64_t console_bytes;
    uint64_t console_hash;
    uint64_t console_shown; /* as many bytes went to console_fd */
} SkeinVM;

extern SkeinVM skein_vm;

static inline SkeinCPU *skein_of(CPUX86State *env)
{
    return env_cpu(env)->skein;
}

static inline CPUX86State *skein_env(SkeinCPU *c)
{
    return cpu_env(c->cpu);
}

static inline uint64_t skein_icount(SkeinCPU *c)
{
    return (uint64_t)(c->limit - c->cpu->skein_left);
}

static inline bool skein_user_mode(SkeinCPU *c)
{
    return (skein_env(c)->hflags & HF_CPL_MASK) == 3 || (skein_env(c)->eflags & VM_MASK);
}

static inline uint64_t skein_mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15ull;
    return h ^ h >> 29;
}

/* finder_child.c: the finder wants to know what the digest is made of. */
extern bool skein_digest_noted;
void skein_digest_note(SkeinCPU *c, int slot, uint64_t value);

/* One more value goes into the vCPU's digest; slot: of a kernel exit, else -1. */
static inline void skein_digest_add(SkeinCPU *c, int slot, uint64_t value)
{
    c->digest = skein_mix(c->digest, value);
    if (unlikely(skein_digest_noted)) {
        skein_digest_note(c, slot, value);
    }
}

/* token.c */
bool skein_token_acquire(SkeinCPU *c); /* true when it slept; logs the slice's start */
bool skein_token_try(SkeinCPU *c);
void skein_token_release(SkeinCPU *c);
void skein_token_release_to_user(SkeinCPU *c); /* it may be back before long */
bool skein_token_yield(SkeinCPU *c);           /* true when another took it meanwhile */
bool skein_token_wanted(void);                 /* somebody waits */
bool skein_token_overdue(void);                /* somebody has waited for long */
void skein_token_lend(SkeinCPU *c);
void skein_token_unlend(SkeinCPU *c);
void skein_token_device_acquire(void);
void skein_token_device_release(void);
void skein_token_reset(void);
void skein_token_last(uint32_t *shard, uint64_t *tick); /* who gave it up last; nobody has it */

/* log.c: appending to this vCPU's shard; closes an open USER_READ run first. */
void skein_log(SkeinCPU *c, uint8_t kind, uint8_t flags, uint32_t arg, const void *payload,
               size_t len);
void skein_log_bytes(SkeinCPU *c, uint8_t kind, uint8_t flags, uint32_t arg, const void *fixed,
                     size_t fixed_len, const void *bytes, size_t len);
void skein_log_run_close(SkeinCPU *c);
void skein_log_slice(SkeinCPU *c, uint32_t edge_shard, uint64_t edge_tick);
int skein_log_full(void *opaque); /* skein_shard_writer.on_full */
bool skein_peer_gone(void);       /* collector or feeder */

/* Call before anything of the interrupt is done. */
void skein_log_interrupt(SkeinCPU *c, uint32_t type, uint32_t vector);
void skein_log_mark(SkeinCPU *c);
bool skein_log_mark_due(const SkeinCPU *c);

/* gate.c: user mode needs the token for an access; leaves to wait for it and do it again. */
void skein_user_token(SkeinCPU *c, uintptr_t ra);
/* The same for the TLB fill under way, which goes on when the token is free. */
void skein_fill_token(SkeinCPU *c);

/* entry.c */
void skein_user_capture(CPUX86State *env, uint64_t slot[SKEIN_SLOT_COUNT]);
void skein_entry_capture(SkeinCPU *c, uint32_t arg, uint64_t error, uint64_t next_ip);
void skein_entry_append(SkeinCPU *c);
void skein_entry_apply(SkeinCPU *c, const struct skein_record *r);
void skein_kernel_enter(SkeinCPU *c);
void skein_kernel_exit(SkeinCPU *c);
void skein_interrupt_apply(SkeinCPU *c, uint32_t arg);

/* digest.c */
void skein_digest_input(SkeinCPU *c, uint8_t kind, uint32_t arg, const void *fixed,
                        size_t fixed_len, const void *bytes, size_t len);
uint64_t skein_digest_chain(SkeinCPU *c);
/* Registers and icount between two instructions, as they go into a digest. */
#define SKEIN_DIGEST_VALUES (CPU_NB_REGS + 7)
void skein_digest_values(SkeinCPU *c, uint64_t value[SKEIN_DIGEST_VALUES]);
uint64_t skein_digest_here(SkeinCPU *c);
uint64_t skein_digest_slice(SkeinCPU *c);
uint64_t skein_digest_ram(void);
uint64_t skein_digest_page(ram_addr_t at, const void *host); /* 0: all zeros */

/* pages.c */
void skein_pages_init(void);
void skein_pages_free(void);
bool skein_page_shared(const struct SkeinPage *page);
bool skein_page_is_shared(ram_addr_t ram);
bool skein_pages_cover(ram_addr_t ram, uint64_t bytes); /* is it guest RAM? */
void skein_page_mark_dirty(ram_addr_t page);
/* Record, with the token: somebody who is not recorded writes it. True: it was not user-dirty. */
bool skein_page_give_away(ram_addr_t page);
void skein_pages_sync(SkeinCPU *c); /* this vCPU's kernel TLB learns which pages to watch */

bool skein_page_reaches_kernel(ram_addr_t page);

/* loads.c: the kernel copies bytes of a user-dirty page, in elements of that size. */
void skein_load_bytes(SkeinCPU *c, vaddr addr, unsigned size, const uint8_t *from, uint8_t *to,
                      size_t bytes);

/* changes.c: RAM was changed, but not by a guest's store. */
void skein_changes_note(ram_addr_t ram, uint64_t bytes);

/* tlb.c */
void skein_tlb_reset(SkeinCPU *c);

/* io.c */
void skein_console_port(uint32_t port, unsigned size, uint32_t value);

/* fpu.c */
void skein_fpu_load(SkeinCPU *c, const struct skein_record *r);

/* replay.c */
const struct skein_record *skein_replay_next(SkeinCPU *c, uint8_t kind);
void skein_replay_io(SkeinCPU *c);
/* The digest of the event just consumed was right. */
void skein_replay_good(SkeinCPU *c);
G_NORETURN void skein_diverged(SkeinCPU *c, uint8_t kind, uint64_t expected, uint64_t got,
                               const char *fmt, ...) G_GNUC_PRINTF(5, 6);

/* dma.c */
void skein_dma_hook(bool on);

/* snapshot.c */
bool skein_snapshot_save(const char *path, Error **errp);
bool skein_snapshot_save_changes(const char *path, uint32_t number, Error **errp);
/* cut: not the machine, but what a checkpoint holds beside it; after the vCPUs are attached. */
bool skein_snapshot_load(const char *path, bool cut, Error **errp);

/* session.c */
bool skein_session_map(const char *path, enum skein_mode mode, Error **errp);
void skein_session_unmap(void);
bool skein_session_fits_machine(Error **errp);
bool skein_begin(const char *snapshot, const char *console, Error **errp); /* the VM stands still */
void skein_finish(enum skein_end end);
void skein_fail(const char *fmt, ...) G_GNUC_PRINTF(1, 2);

/* The recording ends, whoever asked for it. resume: the VM goes on. */
void skein_stop_and_finish(enum skein_end end, bool resume);

/* ignored.c */
void skein_ignored_begin(void);
void skein_ignored_end(void);
/* What this thread does to RAM: an ignored device's DMA? Which needs the token, or does not. */
enum skein_ignored_write {
    SKEIN_IGNORED_WRITE_NONE,
    SKEIN_IGNORED_WRITE,
    SKEIN_IGNORED_WRITE_FREE
};
enum skein_ignored_write skein_ignored_writes(void);
/* Before the kernel reads or writes a port or MMIO: does not return when it must not. Only with
 * skein_vm.ignored. */
void skein_ignored_check(SkeinCPU *c, hwaddr at, bool port, uintptr_t ra);

/* plug.c: while watched, no devices are added. */
void skein_plug_watch(bool on);

/* suitable.c: can it be recorded? Says all that must be changed. */
bool skein_machine_fits(bool system_scope, Error **errp);
bool skein_devices_fit(bool system_scope, Error **errp);
char *skein_machine_type(void); /* what follows -machine in a replay; to be g_free'd */
char *skein_machine_cpu(void);  /* ... and -cpu */

/* control.c */
#define TYPE_SKEIN_RECORD "skein-record"
bool skein_control_busy(void); /* some session is there */
void skein_control_end(void);  /* of the session that there is, if any */

/* peer.c */
void skein_peer_watch(bool on);
void skein_peer_lost(void); /* from any thread: skein_vm.lost is set, the session must go */

/* control.c: the guest's ports: what the recording shall do; its workload's exit status */
#define SKEIN_CONTROL_PORT 0x5ce0
#define SKEIN_EXIT_PORT 0x5ce1

/* exit_port.c */
void skein_exit_port_add(MemoryRegion *port, Object *owner);

#endif
