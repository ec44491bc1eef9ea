#include "cli/tsc_gauge.h"

#include <x86intrin.h>

#include "cli/progress.h"

/* The two clocks are read within a microsecond of each other: this makes that a thousandth. */
#define SHORTEST_NS 1000000u

void skein_tsc_gauge_start(struct skein_tsc_gauge *gauge) {
    gauge->ns = skein_now_ns();
    gauge->tsc = __rdtsc();
}

uint64_t skein_tsc_gauge_hz(const struct skein_tsc_gauge *gauge) {
    const uint64_t ns = skein_now_ns() - gauge->ns;
    const uint64_t ticks = __rdtsc() - gauge->tsc;

    if (ns < SHORTEST_NS) {
        return 0;
    }
    return (uint64_t)((unsigned __int128)ticks * 1000000000u / ns);
}
