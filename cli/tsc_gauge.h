/* How fast this machine's time-stamp counter runs: a guest under TCG counts with it. */
#ifndef SKEIN_CLI_TSC_GAUGE_H
#define SKEIN_CLI_TSC_GAUGE_H

#include <stdint.h>

struct skein_tsc_gauge {
    uint64_t ns;
    uint64_t tsc;
};

void skein_tsc_gauge_start(struct skein_tsc_gauge *gauge);

/* Ticks in a second since the start, the better the longer ago that is; 0: too short to tell. */
uint64_t skein_tsc_gauge_hz(const struct skein_tsc_gauge *gauge);

#endif
