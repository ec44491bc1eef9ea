/*
 * A recording made up by a seed: vCPUs that hand the kernel token on, make system calls, fault and
 * are interrupted, and devices that do DMA.
 */
#ifndef SKEIN_BENCH_SYNTH_SYNTH_H
#define SKEIN_BENCH_SYNTH_SYNTH_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/error.h"

struct skein_synth_opts {
    const char *dir; /* does not exist yet, or is empty */
    uint32_t vcpu_count;
    uint64_t disk_bytes; /* about what the segments take; 0: no limit */
    uint64_t events;     /* ends after the slice with that many; 0: no limit */
    uint64_t seed;
    uint64_t block_bytes, segment_bytes; /* raw; 0: the writer's own */
    bool killed;                         /* no ENDs, the last segment not sealed, not complete */
};

/* One of the limits is given. */
int skein_synth_make(const struct skein_synth_opts *opts, struct skein_error *err);

#endif
