/* append_skein WRITERS BATCHES: a shard for each writer, one consumer that polls them all. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/pipeline_parts/append_measure.h"
#include "pipeline/atomics.h"
#include "pipeline/shard.h"
#include "pipeline/shard_layout.h"

#define RING_BYTES (8u << 20) /* the default of sessions */
#define WRITERS_MAX 64u

static struct skein_shard_writer writers[WRITERS_MAX];
static struct skein_shard_reader readers[WRITERS_MAX];
static unsigned writer_count;
static uint64_t received;

static int open_side(struct lane *lanes, unsigned count) {
    const uint8_t uuid[16] = {1};
    const size_t bytes = skein_shard_mem_bytes(RING_BYTES);

    writer_count = count;
    for (unsigned i = 0; i < count; i++) {
        void *mem = aligned_alloc(4096, bytes);
        if (mem == NULL) {
            return 1;
        }
        memset(mem, 0, bytes); /* no page faults later */
        if (skein_shard_create(mem, RING_BYTES, i, uuid) != 0 ||
            skein_shard_writer_open(&writers[i], mem, bytes) != 0 ||
            skein_shard_reader_open(&readers[i], mem, bytes) != 0) {
            return 1;
        }
        lanes[i].target = &writers[i];
    }
    return 0;
}

static inline __attribute__((always_inline)) void append(void *target, uint64_t first,
                                                         uint64_t second) {
    struct skein_shard_writer *w = target;
    const uint64_t payload[2] = {first, second};

    skein_shard_append_words(w, SKEIN_DIGEST, 0, 0, payload, 2);
    if (first % PUBLISH_EVENTS == 0) {
        skein_shard_publish(w);
    }
}

static void rest(struct lane *lane) {
    const struct skein_shard_writer *w = lane->target;

    if (w->head - skein_load_acquire_64(&w->mem->tail) > RING_BYTES / 2) {
        lane->pauses++;
        while (w->head - skein_load_acquire_64(&w->mem->tail) > RING_BYTES / 2) {
            sched_yield();
        }
    }
}

static void *write_records(void *lane) {
    lane_measure(lane, append, rest);
    return NULL;
}

/* Takes what there is, and checks that nothing is missing; the number of records. */
static uint64_t drain_shard(unsigned i) {
    struct skein_shard_reader *r = &readers[i];
    const struct skein_record *rec;
    uint64_t cursor = r->tail, n = 0;
    bool bad;

    while (n < BATCH_EVENTS && (rec = skein_shard_peek(r, &cursor, &bad)) != NULL) {
        const uint64_t *payload = (const void *)(rec + 1);
        if (payload[0] != r->tick + ++n || payload[1] != i) {
            fputs("append_skein: a record is wrong\n", stderr);
            abort();
        }
    }
    if (n != 0) {
        skein_shard_release(r, cursor, n);
    }
    return n;
}

static void *drain(void *opaque) {
    int done;

    (void)opaque;
    do {
        uint64_t n = 0;
        done = append_done();
        for (unsigned i = 0; i < writer_count; i++) {
            n += drain_shard(i);
        }
        received += n;
        if (n == 0) {
            sched_yield();
        } else {
            done = 0;
        }
    } while (!done);
    return NULL;
}

static void close_side(struct lane *lanes, unsigned count, uint64_t *lost, uint64_t *waits) {
    uint64_t appended = 0;

    (void)lanes;
    for (unsigned i = 0; i < count; i++) {
        appended += writers[i].tick;
        *waits += writers[i].mem->waits;
        free(writers[i].mem);
    }
    *lost = appended - received;
}

int main(int argc, char **argv) {
    static const struct append_side side = {
        .name = "skein",
        .open = open_side,
        .write = write_records,
        .drain = drain,
        .close = close_side,
    };

    return append_main(&side, argc, argv);
}
