/*
 * io_uring without its library: submissions and completions through rings that the kernel and the
 * process share, with and without a kernel thread that polls them. Says "skip" when the kernel has
 * no io_uring. The argument is the number of batches.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib.h"

enum { ENTRIES = 16, BLOCK = 4096 };

struct ring {
    int fd;
    uint32_t flags;
    char *rings;
    struct io_uring_params params;
    struct io_uring_sqe *sqes;
    uint32_t submitted; /* since the last ring_wait() */
};

static _Atomic uint32_t *ring_word(const struct ring *ring, uint32_t offset) {
    return (_Atomic uint32_t *)(void *)(ring->rings + offset);
}

/* False when the kernel cannot. */
static bool ring_open(struct ring *ring, uint32_t flags) {
    memset(ring, 0, sizeof(*ring));
    ring->flags = flags;
    ring->params.flags = flags;
    ring->params.sq_thread_idle = 20;
    ring->fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &ring->params);
    if (ring->fd < 0 && (errno == ENOSYS || errno == EPERM)) {
        return false;
    }
    CHECK(ring->fd >= 0, "io_uring_setup");
    CHECK(ring->params.features & IORING_FEAT_SINGLE_MMAP, "two mappings are not supported");
    size_t sq = ring->params.sq_off.array + ring->params.sq_entries * sizeof(uint32_t);
    size_t cq = ring->params.cq_off.cqes + ring->params.cq_entries * sizeof(struct io_uring_cqe);
    ring->rings = mmap(NULL, sq > cq ? sq : cq, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                       ring->fd, IORING_OFF_SQ_RING);
    ring->sqes = mmap(NULL, ring->params.sq_entries * sizeof(struct io_uring_sqe),
                      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
    CHECK(ring->rings != MAP_FAILED && ring->sqes != MAP_FAILED, "mmap of the rings");
    return true;
}

static void ring_submit(struct ring *ring, uint8_t opcode, int fd, void *buffer, uint64_t number) {
    _Atomic uint32_t *tail = ring_word(ring, ring->params.sq_off.tail);
    uint32_t at = atomic_load(tail) & (ring->params.sq_entries - 1);
    struct io_uring_sqe *sqe = &ring->sqes[at];
    memset(sqe, 0, sizeof(*sqe));
    sqe->opcode = opcode;
    sqe->fd = fd;
    sqe->addr = (uint64_t)(uintptr_t)buffer;
    sqe->len = buffer == NULL ? 0 : BLOCK;
    sqe->off = number * BLOCK;
    sqe->user_data = number;
    atomic_store(ring_word(ring, ring->params.sq_off.array + at * 4), at);
    atomic_fetch_add(tail, 1);
    ring->submitted++;
}

/* Waits for all that was submitted and checks each result. */
static void ring_wait(struct ring *ring, int32_t expected) {
    _Atomic uint32_t *head = ring_word(ring, ring->params.cq_off.head);
    _Atomic uint32_t *tail = ring_word(ring, ring->params.cq_off.tail);
    struct io_uring_cqe *cqes = (void *)(ring->rings + ring->params.cq_off.cqes);
    uint32_t flags = IORING_ENTER_GETEVENTS;
    uint32_t to_submit = ring->submitted;
    uint32_t seen = 0;
    if (ring->flags & IORING_SETUP_SQPOLL) {
        flags |= IORING_ENTER_SQ_WAKEUP;
        to_submit = 0;
    }
    while (ring->submitted > 0) {
        long n = syscall(SYS_io_uring_enter, ring->fd, to_submit, 1, flags, NULL, 0);
        CHECK(n >= 0 || errno == EINTR, "io_uring_enter");
        to_submit -= n > 0 && to_submit > 0 ? (uint32_t)n : 0;
        while (atomic_load(head) != atomic_load(tail)) {
            struct io_uring_cqe cqe = cqes[atomic_load(head) & (ring->params.cq_entries - 1)];
            CHECK(cqe.user_data < ENTRIES && !(seen & 1u << cqe.user_data), "user data");
            CHECK(cqe.res == expected, "request %d: %d", (int)cqe.user_data, cqe.res);
            seen |= 1u << cqe.user_data;
            ring->submitted--;
            atomic_fetch_add(head, 1);
        }
    }
}

static long batches;
static uint32_t ring_flags;

static void use_ring(int index) {
    static uint64_t blocks[ENTRIES][BLOCK / sizeof(uint64_t)];
    char path[32];
    struct ring ring;
    CHECK(ring_open(&ring, ring_flags), "io_uring went away");
    snprintf(path, sizeof(path), "/tmp/iouring.%d", index);
    int fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0600);
    CHECK(fd >= 0, "open %s", path);
    for (long batch = 0; batch < batches; batch++) {
        uint64_t seed = (uint64_t)index << 48 | (uint64_t)batch << 16;
        for (uint64_t i = 0; i < ENTRIES; i++) {
            ring_submit(&ring, IORING_OP_NOP, -1, NULL, i);
        }
        ring_wait(&ring, 0);
        for (uint64_t i = 0; i < ENTRIES; i++) {
            fill(blocks[i], BLOCK, seed | i);
            ring_submit(&ring, IORING_OP_WRITE, fd, blocks[i], i);
        }
        ring_wait(&ring, BLOCK);
        memset(blocks, 0, sizeof(blocks));
        for (uint64_t i = 0; i < ENTRIES; i++) {
            ring_submit(&ring, IORING_OP_READ, fd, blocks[i], i);
        }
        ring_wait(&ring, BLOCK);
        for (uint64_t i = 0; i < ENTRIES; i++) {
            CHECK(matches(blocks[i], BLOCK, seed | i), "block %d", (int)i);
        }
    }
    unlink(path);
}

int workload_iouring(int argc, char **argv) {
    struct ring probe;
    batches = arg_number(argc, argv, 1, 10);
    if (!ring_open(&probe, 0)) {
        printf("skip iouring: this kernel has none\n");
        return 0;
    }
    run_children(cpu_count(), use_ring);
    ok("iouring: submitted by system call");
    ring_flags = IORING_SETUP_SQPOLL;
    run_children(1, use_ring);
    ok("iouring: polled by the kernel");
    return 0;
}
