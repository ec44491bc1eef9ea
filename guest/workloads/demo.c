/*
 * Keeps every CPU in the kernel: files on tmpfs, pipes, fork and exec, futexes, loopback sockets,
 * signals and timers, each part in parallel on all CPUs and each checking what it sees. The
 * argument is the number of rounds.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "demo_ipc.h"
#include "lib.h"

enum { CHUNK = 4096, CHUNKS = 96, EXECS = 24, FUTEX_STEPS = 3000, FUTEX_THREADS = 2 };

static void files(int index) {
    char directory[32];
    char from[64];
    char to[64];
    static uint64_t chunk[CHUNK / sizeof(uint64_t)];
    snprintf(directory, sizeof(directory), "/tmp/demo.%d", index);
    snprintf(from, sizeof(from), "%s/written", directory);
    snprintf(to, sizeof(to), "%s/renamed", directory);
    CHECK(mkdir(directory, 0700) == 0, "mkdir %s", directory);
    int fd = open(from, O_CREAT | O_RDWR | O_EXCL, 0600);
    CHECK(fd >= 0, "open %s", from);
    for (uint64_t i = 0; i < CHUNKS; i++) {
        fill(chunk, sizeof(chunk), (uint64_t)index << 32 | i);
        write_all(fd, chunk, sizeof(chunk));
    }
    CHECK(rename(from, to) == 0, "rename %s", from);
    uint64_t state = (uint64_t)index;
    for (uint64_t i = 0; i < CHUNKS; i++) {
        uint64_t which = next_random(&state) % CHUNKS;
        ssize_t n = pread(fd, chunk, sizeof(chunk), (off_t)(which * CHUNK));
        CHECK(n == CHUNK, "pread: %zd", n);
        CHECK(matches(chunk, sizeof(chunk), (uint64_t)index << 32 | which), "wrong contents");
    }
    struct stat status;
    CHECK(fstat(fd, &status) == 0 && status.st_size == CHUNK * CHUNKS, "fstat");
    CHECK(close(fd) == 0 && unlink(to) == 0 && rmdir(directory) == 0, "clean up %s", directory);
}

static void exec_true(int index) {
    (void)index;
    execl("/proc/self/exe", "workload", "true", (char *)NULL);
    fail(__FILE__, __LINE__, "exec");
}

static void execs(int index) {
    for (int i = 0; i < EXECS; i++) {
        wait_child(start_child(exec_true, index));
    }
}

struct shared_count {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int turn;
    long total;
};

struct futex_thread {
    struct shared_count *shared;
    int index;
};

static void *take_turns(void *opaque) {
    struct futex_thread *self = opaque;
    for (int i = 0; i < FUTEX_STEPS / FUTEX_THREADS; i++) {
        pthread_mutex_lock(&self->shared->mutex);
        while (self->shared->turn != self->index) {
            pthread_cond_wait(&self->shared->changed, &self->shared->mutex);
        }
        self->shared->turn = (self->index + 1) % FUTEX_THREADS;
        self->shared->total++;
        pthread_cond_broadcast(&self->shared->changed);
        pthread_mutex_unlock(&self->shared->mutex);
    }
    return NULL;
}

static void futexes(int index) {
    (void)index;
    struct shared_count shared = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
    pthread_t threads[FUTEX_THREADS];
    struct futex_thread selves[FUTEX_THREADS];
    for (int i = 0; i < FUTEX_THREADS; i++) {
        selves[i] = (struct futex_thread){&shared, i};
        CHECK(pthread_create(&threads[i], NULL, take_turns, &selves[i]) == 0, "pthread_create");
    }
    for (int i = 0; i < FUTEX_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK(shared.total == FUTEX_STEPS, "%ld turns", shared.total);
}

static const struct {
    const char *name;
    void (*run)(int index);
} parts[] = {
    {"files", files},        {"pipes", demo_pipes},     {"execs", execs},
    {"futexes", futexes},    {"sockets", demo_sockets}, {"signals", demo_signals},
    {"timers", demo_timers},
};

int workload_demo(int argc, char **argv) {
    long rounds = arg_number(argc, argv, 1, 1);
    int children = cpu_count() < 2 ? 2 : cpu_count();
    for (long round = 1; round <= rounds; round++) {
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
            run_children(children, parts[i].run);
            ok("demo round %ld: %s", round, parts[i].name);
        }
    }
    return 0;
}
