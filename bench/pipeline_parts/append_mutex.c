/*
 * append_mutex WRITERS BATCHES: one queue for all writers, behind one mutex, its cursors on one
 * cache line. The consumer takes the mutex only to learn the head and to move the tail.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/pipeline_parts/append_measure.h"

#define SLOTS (1u << 18) /* as large as a shard */

struct slot {
    uint64_t header, first, second;
};

static struct {
    pthread_mutex_t lock;
    uint64_t head, tail;
    uint64_t waits;
    struct slot *slots;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t received;

static int open_side(struct lane *lanes, unsigned count) {
    queue.slots = malloc(SLOTS * sizeof(struct slot));
    if (queue.slots == NULL) {
        return 1;
    }
    memset(queue.slots, 0, SLOTS * sizeof(struct slot)); /* no page faults later */
    for (unsigned i = 0; i < count; i++) {
        lanes[i].target = &queue;
    }
    return 0;
}

static inline __attribute__((always_inline)) void append(void *target, uint64_t first,
                                                         uint64_t second) {
    (void)target;
    pthread_mutex_lock(&queue.lock);
    while (queue.head - queue.tail == SLOTS) {
        queue.waits++;
        pthread_mutex_unlock(&queue.lock);
        sched_yield();
        pthread_mutex_lock(&queue.lock);
    }
    queue.slots[queue.head % SLOTS] = (struct slot){0, first, second};
    queue.head++;
    pthread_mutex_unlock(&queue.lock);
}

static uint64_t fill(void) {
    uint64_t n;

    pthread_mutex_lock(&queue.lock);
    n = queue.head - queue.tail;
    pthread_mutex_unlock(&queue.lock);
    return n;
}

static void rest(struct lane *lane) {
    if (fill() > SLOTS / 2) {
        lane->pauses++;
        while (fill() > SLOTS / 2) {
            sched_yield();
        }
    }
}

static void *write_records(void *lane) {
    lane_measure(lane, append, rest);
    return NULL;
}

static void *drain(void *opaque) {
    uint64_t sum = 0;
    int done;

    (void)opaque;
    do {
        done = append_done();
        const uint64_t n = fill();
        for (uint64_t i = 0; i < n; i++) {
            sum += queue.slots[(received + i) % SLOTS].first;
        }
        received += n;
        pthread_mutex_lock(&queue.lock);
        queue.tail += n;
        pthread_mutex_unlock(&queue.lock);
        if (n == 0) {
            sched_yield();
        } else {
            done = 0;
        }
    } while (!done);
    return sum == 0 ? &queue : NULL; /* so that the loads are made */
}

static void close_side(struct lane *lanes, unsigned count, uint64_t *lost, uint64_t *waits) {
    (void)lanes;
    (void)count;
    *lost = queue.head - received;
    *waits = queue.waits;
    free(queue.slots);
}

int main(int argc, char **argv) {
    static const struct append_side side = {
        .name = "mutex",
        .open = open_side,
        .write = write_records,
        .drain = drain,
        .close = close_side,
    };

    return append_main(&side, argc, argv);
}
