/*
 * Page faults answered by another thread: missing pages are filled by copy or with zeros, and
 * write-protected pages are opened again, while other threads touch them in any order. The argument
 * is the number of pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib.h"

enum { PAGE = 4096, TOUCHERS = 2 };

static int uffd;
static char *area;
static size_t pages;

static void copy_in(uint64_t address, size_t page) {
    static char contents[PAGE] __attribute__((aligned(PAGE)));
    fill(contents, PAGE, page);
    struct uffdio_copy copy = {.dst = address, .src = (uint64_t)(uintptr_t)contents, .len = PAGE};
    CHECK(ioctl(uffd, UFFDIO_COPY, &copy) == 0 || errno == EEXIST, "UFFDIO_COPY");
}

/* Odd pages come with contents, even ones as zeros. */
static void *answer_faults(void *opaque) {
    (void)opaque;
    for (;;) {
        struct uffd_msg message;
        read_all(uffd, &message, sizeof(message));
        CHECK(message.event == UFFD_EVENT_PAGEFAULT, "event %d", message.event);
        uint64_t address = message.arg.pagefault.address & ~(uint64_t)(PAGE - 1);
        size_t page = (address - (uint64_t)(uintptr_t)area) / PAGE;
        if (page == pages) {
            struct uffdio_zeropage last = {.range = {address, PAGE}};
            CHECK(ioctl(uffd, UFFDIO_ZEROPAGE, &last) == 0, "the last page");
            return NULL;
        }
        if (page % 2 == 1) {
            copy_in(address, page);
        } else {
            struct uffdio_zeropage zero = {.range = {address, PAGE}};
            CHECK(ioctl(uffd, UFFDIO_ZEROPAGE, &zero) == 0 || errno == EEXIST, "UFFDIO_ZEROPAGE");
        }
    }
}

static void *touch(void *opaque) {
    static const char zeros[PAGE];
    uint64_t state = (uint64_t)(uintptr_t)opaque;
    for (size_t i = 0; i < 4 * pages; i++) {
        size_t page = i < pages ? i : next_random(&state) % pages;
        const char *at = area + page * PAGE;
        if (page % 2 == 1) {
            CHECK(matches(at, PAGE, page), "page %zu", page);
        } else {
            CHECK(memcmp(at, zeros, PAGE) == 0, "page %zu is not zero", page);
        }
    }
    return NULL;
}

/* The kernel itself faults when it copies to or from a page that is missing. */
static void kernel_touches(void) {
    int ends[2];
    static char got[PAGE];
    CHECK(madvise(area, pages * PAGE, MADV_DONTNEED) == 0, "MADV_DONTNEED");
    CHECK(pipe(ends) == 0, "pipe");
    for (size_t page = 1; page < pages; page += 2) {
        write_all(ends[1], area + page * PAGE, PAGE);
        read_all(ends[0], got, PAGE);
        CHECK(matches(got, PAGE, page), "page %zu through a pipe", page);
    }
}

int workload_userfaultfd(int argc, char **argv) {
    pthread_t answerer;
    pthread_t touchers[TOUCHERS];
    struct uffdio_api api = {.api = UFFD_API};
    pages = (size_t)arg_number(argc, argv, 1, 128);
    uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    if (uffd < 0 && errno == ENOSYS) {
        printf("skip userfaultfd: this kernel has none\n");
        return 0;
    }
    CHECK(uffd >= 0 && ioctl(uffd, UFFDIO_API, &api) == 0, "userfaultfd");
    size_t bytes = (pages + 1) * PAGE;
    area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED, "mmap");
    struct uffdio_register range = {.range = {(uint64_t)(uintptr_t)area, bytes},
                                    .mode = UFFDIO_REGISTER_MODE_MISSING};
    CHECK(ioctl(uffd, UFFDIO_REGISTER, &range) == 0, "UFFDIO_REGISTER");
    CHECK(pthread_create(&answerer, NULL, answer_faults, NULL) == 0, "pthread_create");
    for (uintptr_t i = 0; i < TOUCHERS; i++) {
        CHECK(pthread_create(&touchers[i], NULL, touch, (void *)i) == 0, "pthread_create");
    }
    for (int i = 0; i < TOUCHERS; i++) {
        pthread_join(touchers[i], NULL);
    }
    ok("userfaultfd: pages that user mode touches");
    kernel_touches();
    ok("userfaultfd: pages that the kernel touches");
    CHECK(*(volatile char *)(area + pages * PAGE) == 0, "the last page is not zero");
    pthread_join(answerer, NULL);
    return 0;
}
