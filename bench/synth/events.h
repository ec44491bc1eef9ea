/* What the made-up guest does: one slice of a shard at a time. */
#ifndef SKEIN_BENCH_SYNTH_EVENTS_H
#define SKEIN_BENCH_SYNTH_EVENTS_H

#include <stdint.h>

#include "pipeline/error.h"
#include "pipeline/log_writer.h"

struct skein_synth_vcpu {
    uint64_t tick;
    uint64_t icount;
    uint64_t user_ip, user_sp;
    uint64_t digest;
};

struct skein_synth_machine {
    struct skein_log_writer *log;
    uint32_t vcpu_count; /* the device shard is the one behind */
    uint32_t holder;     /* whose slice it is */
    uint64_t random;
    uint64_t tsc;
    uint64_t events;
    int rc; /* of the writer; the first error stays */
    struct skein_error err;
    struct skein_synth_vcpu shard[SKEIN_MAX_SHARDS];
};

void skein_synth_machine_init(struct skein_synth_machine *m, struct skein_log_writer *log,
                              uint32_t vcpu_count, uint64_t seed);

/* The token goes to some shard, and that shard does something. */
void skein_synth_slice(struct skein_synth_machine *m);

/* An END on every shard. */
void skein_synth_end(struct skein_synth_machine *m);

/* Kernel instructions, all vCPUs. */
uint64_t skein_synth_icount(const struct skein_synth_machine *m);

#endif
