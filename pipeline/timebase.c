#include "pipeline/timebase.h"

#include <string.h>

#define NS_PER_S 1000000000ull
/* What no guest reads within one recording: a counter that says so has been written by somebody. */
#define TSC_SANE_S (366ull * 86400)
#define ICOUNT_SANE (TSC_SANE_S * NS_PER_S)

void skein_timebase_init(struct skein_timebase *t, const struct skein_manifest *manifest) {
    memset(t, 0, sizeof(*t));
    t->tsc_start = manifest->tsc_start;
    t->tsc_hz = manifest->tsc_hz;
}

static void see_tsc(struct skein_timebase *t, uint64_t tsc) {
    const uint64_t ticks = tsc - t->tsc_start;
    uint64_t ns;

    if (t->tsc_hz == 0 || ticks / t->tsc_hz > TSC_SANE_S) {
        return;
    }
    ns = ticks / t->tsc_hz * NS_PER_S +
         (uint64_t)((unsigned __int128)(ticks % t->tsc_hz) * NS_PER_S / t->tsc_hz);
    if (ns > t->now_ns) {
        t->now_ns = ns;
    }
}

/* One nanosecond each: an emulated processor is slower than that, so the next read is not passed.
 */
static void see_icount(struct skein_timebase *t, uint32_t shard, uint64_t icount) {
    if (icount > t->icount[shard] && icount - t->icount[shard] < ICOUNT_SANE &&
        t->now_ns < ICOUNT_SANE) {
        t->now_ns += icount - t->icount[shard];
        t->icount[shard] = icount;
    }
}

uint64_t skein_timebase_ns(struct skein_timebase *t, uint32_t shard,
                           const struct skein_record *rec) {
    uint64_t value;

    if (rec->kind == SKEIN_VALUE) {
        if ((rec->arg & 0xff) == SKEIN_VALUE_TSC && rec->size_bytes >= sizeof(*rec) + 8) {
            memcpy(&value, rec + 1, 8);
            see_tsc(t, value);
        }
    } else if (skein_record_icount(rec, &value)) {
        see_icount(t, shard, value);
    }
    return t->now_ns;
}
