/*
 * The file form of a machine's state: a magic, then sections, each {u32 type, u32 name_bytes, u64
 * bytes}, name, content.
 *
 *   HEAD   recording UUID (16), u32 vCPUs, u32 number of the checkpoint (0: the recording's start)
 *   CPU    u64 halted, then the vCPU as a migration stream; one each, in order
 *   DEV    the device as a migration stream
 *   RAM    u64 RAM offset, u64 length, then runs {u64 at, u64 bytes} content; a run of 0 bytes ends
 *   END    nothing
 *   CUT    struct skein_cut_head, u64 tick[shards]              checkpoints only, as all below
 *   VCPU   struct skein_vcpu_head, and cut.c's own; one each
 *   TLB    tlb_state.c's own; one each
 *   PAGES  cut.c's own
 *
 * A snapshot has all of RAM, with what no run covers being zero; a checkpoint the pages that
 * changed since the one before.
 */
#ifndef ACCEL_TCG_SKEIN_SECTION_H
#define ACCEL_TCG_SKEIN_SECTION_H

#include "accel/tcg/skein/state.h"

#define SKEIN_STATE_MAGIC "SKNSNAP1"

enum skein_section_type {
    SKEIN_SECTION_HEAD = 1,
    SKEIN_SECTION_CPU,
    SKEIN_SECTION_DEV,
    SKEIN_SECTION_RAM,
    SKEIN_SECTION_END,
    SKEIN_SECTION_CUT,
    SKEIN_SECTION_VCPU,
    SKEIN_SECTION_TLB,
    SKEIN_SECTION_PAGES,
};

struct skein_section {
    uint32_t type;
    uint32_t name_bytes;
    uint64_t bytes; /* 0 for RAM: its runs end themselves */
};

struct skein_state_head {
    uint8_t uuid[16];
    uint32_t vcpus;
    uint32_t number;
};

struct skein_cut_head {
    uint64_t number;
    uint32_t shards;
    uint32_t released_shard; /* who gave the token up last */
    uint64_t released_tick;
    uint64_t slices;
    uint64_t console_bytes;
    uint64_t console_hash;
    uint64_t ram_digest;
    uint32_t uart_lcr;
    uint32_t uart_mcr;
};

struct skein_vcpu_head {
    uint64_t icount;
    uint64_t digest;
    uint64_t in_kernel;
};

/* section.c: errors of the stream are left in it (ferror). */
void skein_section_put(FILE *f, uint32_t type, const char *name, const void *prefix,
                       size_t prefix_bytes, const void *data, size_t bytes);
bool skein_section_get(FILE *f, void *to, size_t bytes);
/* name: at least 256 bytes. False: the stream ends, or is damaged. */
bool skein_section_next(FILE *f, struct skein_section *s, char *name);

/* machine.c: vCPUs and what moves the memory map. */
bool skein_machine_supported(void);
void skein_machine_save(FILE *f);
/* One CPU or DEV section. *cpu: the vCPU whose turn it is; moves on. */
bool skein_machine_load(FILE *f, const struct skein_section *s, const char *name, CPUState **cpu,
                        Error **errp);

/* cut.c */
void skein_cut_save(FILE *f, uint64_t number, uint64_t ram_digest);
/* One section of a checkpoint's own. *vcpu, *tlb: how many of these came before. */
bool skein_cut_read(FILE *f, const struct skein_section *s, struct skein_cut_head *head,
                    uint64_t ticks[SKEIN_SESSION_MAX_SHARDS]);
bool skein_cut_load(FILE *f, const struct skein_section *s, uint32_t *vcpu, uint32_t *tlb,
                    Error **errp);

/* tlb_state.c: what kernel accesses of the vCPU find in its TLB, exactly. */
void skein_tlb_save(FILE *f, SkeinCPU *c);
bool skein_tlb_load(FILE *f, SkeinCPU *c, size_t bytes);

/* changes.c: which pages of RAM changed, and a digest of all that the kernel sees. */

/* From now on; nothing has changed yet. digest: skein_changes_digest() will be asked for. */
void skein_changes_watch(bool digest);
/* Calls back for each page that changed since the last time, in order, and forgets them. */
void skein_changes_take(void (*page)(RAMBlock *block, ram_addr_t at, void *opaque), void *opaque);
/* Of RAM as it was at the last take. */
uint64_t skein_changes_digest(void);
/* The same of RAM as it is, from all of it. */
uint64_t skein_changes_digest_all(void);

#endif
