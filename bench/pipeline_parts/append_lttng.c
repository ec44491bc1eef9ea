/*
 * append_lttng WRITERS BATCHES: a tracepoint of LTTng-UST, with the session that the caller has
 * started; its daemons are the consumer. It discards when its buffers are full, so writers rest
 * between batches for longer than the daemon takes; the session knows what it has discarded.
 */
#include <time.h>

#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "bench/pipeline_parts/append_lttng_provider.h"
#include "bench/pipeline_parts/append_measure.h"

#define REST_NS 2000000

static unsigned writer_count;

static int open_side(struct lane *lanes, unsigned count) {
    (void)lanes;
    writer_count = count;
    if (!lttng_ust_tracepoint_enabled(skein_bench, record)) {
        return 3; /* no session has enabled it */
    }
    return 0;
}

static inline __attribute__((always_inline)) void append(void *target, uint64_t first,
                                                         uint64_t second) {
    (void)target;
    lttng_ust_tracepoint(skein_bench, record, first, second);
}

static void rest(struct lane *lane) {
    const struct timespec nap = {.tv_nsec = REST_NS * (long)writer_count};

    (void)lane;
    nanosleep(&nap, NULL);
}

static void *write_records(void *lane) {
    lane_measure(lane, append, rest);
    return NULL;
}

static void close_side(struct lane *lanes, unsigned count, uint64_t *lost, uint64_t *waits) {
    (void)lanes;
    (void)count;
    *lost = 0; /* the session says it */
    *waits = 0;
}

int main(int argc, char **argv) {
    static const struct append_side side = {
        .name = "lttng-ust",
        .open = open_side,
        .write = write_records,
        .close = close_side,
    };

    return append_main(&side, argc, argv);
}
