/*
 * Single operations of the kernel, over and over, for `skein bench micro`: NAME, and how often on
 * each CPU. What stands for the work of one CPU is pinned to it, so that all CPUs are in the kernel
 * all the time, and the same work is done however the threads are scheduled.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib.h"

enum {
    SMALL_BYTES = 4096,
    BIG_BYTES = 131072,
    PAGE_BYTES = 4096,
    FAULT_PAGES = 256,
    /* While one pair's end sleeps, another one's runs. A CPU is idle when all turns are elsewhere:
     * with few pairs often, with many only while the host runs something else than a vCPU. */
    PAIRS_PER_CPU = 8,
};

/* Of each CPU; the bodies that lib.h runs in children take an index and nothing else. */
static long rounds;
static int cpus;

static void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    CHECK(sched_setaffinity(0, sizeof(set), &set) == 0, "sched_setaffinity");
}

static void run_getpid(int cpu) {
    pin(cpu);
    for (long i = 0; i < rounds; i++)
        CHECK(syscall(SYS_getpid) > 0, "getpid");
}

/* A file of its own for each CPU, in the page cache: no two of them meet at a lock of the file. */
static int open_file(int cpu, size_t length) {
    static char zeros[BIG_BYTES];
    char path[64];
    snprintf(path, sizeof(path), "/tmp/micro.%d", cpu);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0, "%s", path);
    write_all(fd, zeros, length);
    return fd;
}

static void transfer(int cpu, size_t length, bool writes) {
    static char buffer[BIG_BYTES];
    pin(cpu);
    int fd = open_file(cpu, length);
    for (long i = 0; i < rounds; i++) {
        ssize_t n = writes ? pwrite(fd, buffer, length, 0) : pread(fd, buffer, length, 0);
        CHECK(n == (ssize_t)length, "%zd of %zu bytes", n, length);
    }
    close(fd);
}

static void run_read_small(int cpu) {
    transfer(cpu, SMALL_BYTES, false);
}

static void run_read_big(int cpu) {
    transfer(cpu, BIG_BYTES, false);
}

static void run_write_small(int cpu) {
    transfer(cpu, SMALL_BYTES, true);
}

static void run_write_big(int cpu) {
    transfer(cpu, BIG_BYTES, true);
}

static void do_nothing(int index) {
    (void)index;
}

static void run_fork(int cpu) {
    pin(cpu);
    for (long i = 0; i < rounds; i++)
        wait_child(start_child(do_nothing, 0));
}

static void run_fault(int cpu) {
    pin(cpu);
    for (long done = 0; done < rounds; done += FAULT_PAGES) {
        volatile char *at = mmap(NULL, (size_t)FAULT_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(at != MAP_FAILED, "mmap");
        CHECK(madvise((void *)at, (size_t)FAULT_PAGES * PAGE_BYTES, MADV_NOHUGEPAGE) == 0 ||
                  errno == EINVAL,
              "madvise"); /* EINVAL: a kernel without huge pages */
        for (long i = 0; i < FAULT_PAGES && done + i < rounds; i++)
            at[(size_t)i * PAGE_BYTES] = 1;
        CHECK(munmap((void *)at, (size_t)FAULT_PAGES * PAGE_BYTES) == 0, "munmap");
    }
}

/* Pair n has one end at CPU n and the other one at the next: each turn goes from CPU to CPU. */
static long turns_of_pair(void) {
    return rounds / PAIRS_PER_CPU;
}

static void bounce(int in, int out, bool first) {
    char byte = 0;
    for (long i = 0; i < turns_of_pair(); i++) {
        if (first)
            write_all(out, &byte, 1);
        read_all(in, &byte, 1);
        if (!first)
            write_all(out, &byte, 1);
    }
}

static void run_pipe(int pair) {
    int there[2], back[2];
    CHECK(pipe(there) == 0 && pipe(back) == 0, "pipe");
    pid_t pid = fork();
    CHECK(pid >= 0, "fork");
    if (pid == 0) {
        pin((pair + 1) % cpus);
        bounce(there[0], back[1], false);
        _exit(0);
    }
    pin(pair % cpus);
    bounce(back[0], there[1], true);
    wait_child(pid);
}

static void futex_wait(int *at, int value) {
    CHECK(syscall(SYS_futex, at, FUTEX_WAIT, value, NULL, NULL, 0) == 0 || errno == EAGAIN ||
              errno == EINTR,
          "futex wait");
}

/* *at counts turns: even ones are the first end's. Every turn is a wake, so that each round makes
 * the same calls but for a wait that comes too late. */
static void take_turns(int *at, int mine) {
    for (long i = 0; i < turns_of_pair(); i++) {
        int seen;
        while (((seen = __atomic_load_n(at, __ATOMIC_ACQUIRE)) & 1) != mine)
            futex_wait(at, seen);
        __atomic_store_n(at, seen + 1, __ATOMIC_RELEASE);
        CHECK(syscall(SYS_futex, at, FUTEX_WAKE, 1, NULL, NULL, 0) >= 0, "futex wake");
    }
}

static void run_futex(int pair) {
    int *at = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED, "mmap");
    pid_t pid = fork();
    CHECK(pid >= 0, "fork");
    if (pid == 0) {
        pin((pair + 1) % cpus);
        take_turns(at, 1);
        _exit(0);
    }
    pin(pair % cpus);
    take_turns(at, 0);
    wait_child(pid);
}

static const struct {
    const char *name;
    void (*run)(int index);
    int per_cpu; /* children */
} parts[] = {
    {"getpid", run_getpid, 1},         {"read-4k", run_read_small, 1},
    {"read-128k", run_read_big, 1},    {"write-4k", run_write_small, 1},
    {"write-128k", run_write_big, 1},  {"fork", run_fork, 1},
    {"pipe", run_pipe, PAIRS_PER_CPU}, {"futex", run_futex, PAIRS_PER_CPU},
    {"fault", run_fault, 1},
};

int workload_micro(int argc, char **argv) {
    CHECK(argc > 2, "micro NAME ROUNDS");
    rounds = arg_number(argc, argv, 2, 0);
    cpus = cpu_count();
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strcmp(parts[i].name, argv[1]) == 0) {
            run_children(cpus * parts[i].per_cpu, parts[i].run);
            return 0;
        }
    }
    errno = 0;
    fail(__FILE__, __LINE__, "micro: there is no %s", argv[1]);
}
