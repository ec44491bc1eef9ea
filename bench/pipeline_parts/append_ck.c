/* append_ck WRITERS BATCHES: a single-producer ck_ring for each writer, one consumer. */
#include <ck_ring.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/pipeline_parts/append_measure.h"

#define SLOTS (1u << 18) /* 6 MiB: the power of two next to a shard of 8 MiB */
#define WRITERS_MAX 64u

/* As large as the record in a shard. */
struct slot {
    uint64_t header, first, second;
};
CK_RING_PROTOTYPE(slot, slot)

struct queue {
    ck_ring_t ring; /* pads its parts itself */
    struct slot *slots;
    uint64_t appended, waits, received;
};

static struct queue queues[WRITERS_MAX];
static unsigned writer_count;

static int open_side(struct lane *lanes, unsigned count) {
    writer_count = count;
    for (unsigned i = 0; i < count; i++) {
        queues[i].slots = malloc(SLOTS * sizeof(struct slot));
        if (queues[i].slots == NULL) {
            return 1;
        }
        memset(queues[i].slots, 0, SLOTS * sizeof(struct slot)); /* no page faults later */
        ck_ring_init(&queues[i].ring, SLOTS);
        lanes[i].target = &queues[i];
    }
    return 0;
}

static inline __attribute__((always_inline)) void append(void *target, uint64_t first,
                                                         uint64_t second) {
    struct queue *q = target;
    struct slot *slot;

    while ((slot = ck_ring_enqueue_reserve_spsc_slot(&q->ring, q->slots)) == NULL) {
        q->waits++;
        sched_yield();
    }
    slot->header = 0;
    slot->first = first;
    slot->second = second;
    ck_ring_enqueue_commit_spsc(&q->ring);
    q->appended = first;
}

static void rest(struct lane *lane) {
    const struct queue *q = lane->target;

    if (ck_ring_size(&q->ring) > SLOTS / 2) {
        lane->pauses++;
        while (ck_ring_size(&q->ring) > SLOTS / 2) {
            sched_yield();
        }
    }
}

static void *write_records(void *lane) {
    lane_measure(lane, append, rest);
    return NULL;
}

static uint64_t drain_queue(unsigned i) {
    struct queue *q = &queues[i];
    struct slot slot;
    uint64_t n = 0;

    while (n < BATCH_EVENTS && ck_ring_dequeue_spsc_slot(&q->ring, q->slots, &slot)) {
        if (slot.first != q->received + ++n || slot.second != i) {
            fputs("append_ck: a record is wrong\n", stderr);
            abort();
        }
    }
    q->received += n;
    return n;
}

static void *drain(void *opaque) {
    int done;

    (void)opaque;
    do {
        uint64_t n = 0;
        done = append_done();
        for (unsigned i = 0; i < writer_count; i++) {
            n += drain_queue(i);
        }
        if (n == 0) {
            sched_yield();
        } else {
            done = 0;
        }
    } while (!done);
    return NULL;
}

static void close_side(struct lane *lanes, unsigned count, uint64_t *lost, uint64_t *waits) {
    (void)lanes;
    for (unsigned i = 0; i < count; i++) {
        *lost += queues[i].appended - queues[i].received;
        *waits += queues[i].waits;
        free(queues[i].slots);
    }
}

int main(int argc, char **argv) {
    static const struct append_side side = {
        .name = "ck_ring",
        .open = open_side,
        .write = write_records,
        .drain = drain,
        .close = close_side,
    };

    return append_main(&side, argc, argv);
}
