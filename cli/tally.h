/*
 * What `skein stats` counts: one look at every event, in canonical order, in memory that does not
 * grow with the recording.
 *
 * Kernel instructions are known where an event carries an icount. Those since the event before are
 * counted for what their vCPU was in (slice_name.h), so an interrupt that was taken in the middle
 * of a slice counts for what it interrupted: the log does not say where a handler returns.
 */
#ifndef SKEIN_CLI_TALLY_H
#define SKEIN_CLI_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "cli/event_names.h"
#include "cli/histogram.h"
#include "pipeline/manifest.h"
#include "pipeline/reader.h"
#include "pipeline/stats.h"

enum skein_tally_class {
    SKEIN_TALLY_OTHER, /* boot, idle, dma */
    SKEIN_TALLY_SYSCALL,
    SKEIN_TALLY_TRAP, /* exceptions and interrupts */
};

/* What is counted for one name. */
struct skein_tally_row {
    const char *name;
    enum skein_tally_class class;
    uint64_t count;        /* how often it was entered */
    uint64_t instructions; /* of the kernel */
    uint64_t user_bytes;   /* that the kernel read from user memory */
};

/* Values from one place: a port, a register, the counter. */
struct skein_tally_value {
    uint32_t source; /* enum skein_value_source */
    uint32_t addr;   /* its low 16 bits */
    uint64_t count;
};

struct skein_tally_vcpu {
    uint64_t slices;
    uint64_t instructions;
};

struct skein_tally_numbers {
    uint32_t shard_count;
    struct skein_stats events; /* what was read; not how it lies on disk */
    uint64_t duration_ns;
    bool duration_estimated; /* the manifest does not say: by the guest's clock */
    uint64_t slices_at_io;   /* they end in an I/O access: up to the last known icount */
    struct skein_tally_vcpu vcpu[SKEIN_MAX_VCPUS];
    struct skein_histogram slice_instructions; /* of vCPUs */
    struct skein_histogram user_read_bytes;
    uint64_t handoffs[SKEIN_MAX_SHARDS][SKEIN_MAX_SHARDS]; /* [from][to] */
    size_t row_count, value_count;
    struct skein_tally_row *rows;     /* most frequent first */
    struct skein_tally_value *values; /* the same */
    uint64_t values_elsewhere;        /* from more places than are kept apart */
};

struct skein_tally;

/* 0 or -ENOMEM. names: must outlive it, and the numbers. */
int skein_tally_create(const struct skein_event_names *names, const struct skein_manifest *manifest,
                       struct skein_tally **out);
void skein_tally_free(struct skein_tally *tally);

/* The next event in canonical order. */
void skein_tally_add(struct skein_tally *tally, const struct skein_event *event);

/* After the last event. The numbers are the tally's. */
const struct skein_tally_numbers *skein_tally_finish(struct skein_tally *tally);

#endif
