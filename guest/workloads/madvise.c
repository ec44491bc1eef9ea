/*
 * Page tables that change under the threads that use them: MADV_DONTNEED and MADV_FREE, mprotect
 * with a handler that opens the page again, mremap to and fro, huge pages split and collapsed. The
 * argument is the number of rounds.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib.h"

enum { PAGE = 4096, PAGES = 64, AREA = PAGE * PAGES, HUGE_BYTES = 2 << 20 };

static long rounds;
static atomic_long opened;

static char *map(size_t bytes) {
    char *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED, "mmap");
    return area;
}

/* A write to a protected page: open it and go on. */
static void on_fault(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)context;
    uintptr_t page = (uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1);
    if (mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE) != 0) {
        _exit(3);
    }
    atomic_fetch_add(&opened, 1);
}

static void drop(char *area, long round) {
    fill(area, AREA, (uint64_t)round);
    CHECK(madvise(area + AREA / 2, AREA / 2, MADV_DONTNEED) == 0, "MADV_DONTNEED");
    for (int i = AREA / 2; i < AREA; i += PAGE) {
        CHECK(area[i] == 0, "a dropped page is not zero");
    }
    CHECK(matches(area, AREA / 2, (uint64_t)round), "a kept page");
    CHECK(madvise(area, AREA / 2, MADV_FREE) == 0, "MADV_FREE");
    for (int i = 0; i < AREA / 2; i += PAGE) {
        volatile char *word = area + i;
        *word = (char)round; /* a write takes the page back */
        CHECK(*word == (char)round, "a freed page that was written");
    }
}

static void protect(char *area, long round) {
    CHECK(mprotect(area, AREA, PROT_READ) == 0, "mprotect");
    for (int i = 0; i < AREA; i += 3 * PAGE) {
        volatile char *word = area + i + 8;
        *word = (char)round;
        CHECK(*word == (char)round, "a page that was opened again");
    }
    CHECK(mprotect(area, AREA, PROT_READ | PROT_WRITE) == 0, "mprotect");
}

static char *move(char *area, long round) {
    char *to = map(AREA);
    fill(area, AREA, (uint64_t)~round);
    char *moved = mremap(area, AREA, AREA, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    CHECK(moved == to, "mremap");
    CHECK(matches(moved, AREA, (uint64_t)~round), "contents after a move");
    moved = mremap(moved, AREA, AREA / 2, 0);
    CHECK(moved == to, "mremap to half");
    moved = mremap(moved, AREA / 2, AREA, MREMAP_MAYMOVE);
    CHECK(moved != MAP_FAILED, "mremap to twice");
    CHECK(matches(moved, AREA / 2, (uint64_t)~round), "contents after a resize");
    return moved;
}

static void *play(void *opaque) {
    (void)opaque;
    char *area = map(AREA);
    for (long round = 0; round < rounds; round++) {
        drop(area, round);
        protect(area, round);
        area = move(area, round);
    }
    CHECK(munmap(area, AREA) == 0, "munmap");
    return NULL;
}

static void huge_pages(void) {
    char *area = map(2 * HUGE_BYTES);
    uintptr_t aligned = ((uintptr_t)area + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1);
    char *huge = area + (aligned - (uintptr_t)area);
    CHECK(madvise(huge, HUGE_BYTES, MADV_HUGEPAGE) == 0, "MADV_HUGEPAGE");
    fill(huge, HUGE_BYTES, 1);
    CHECK(mprotect(huge + PAGE, PAGE, PROT_NONE) == 0, "mprotect inside a huge page");
    CHECK(madvise(huge + 4 * PAGE, PAGE, MADV_DONTNEED) == 0, "MADV_DONTNEED in a huge page");
    CHECK(matches(huge, PAGE, 1), "a split page");
    CHECK(huge[4 * PAGE] == 0, "a dropped piece of a huge page");
    CHECK(munmap(area, 2 * HUGE_BYTES) == 0, "munmap");
}

int workload_madvise(int argc, char **argv) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    pthread_t threads[256];
    int count = cpu_count() + 1;
    rounds = arg_number(argc, argv, 1, 12);
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0, "sigaction");
    for (int i = 0; i < count; i++) {
        CHECK(pthread_create(&threads[i], NULL, play, NULL) == 0, "pthread_create");
    }
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    long per_round = (PAGES + 2) / 3;
    CHECK(opened == count * rounds * per_round, "%ld pages opened", opened);
    ok("madvise: dropped, protected and moved pages");
    huge_pages();
    ok("madvise: a huge page in pieces");
    return 0;
}
