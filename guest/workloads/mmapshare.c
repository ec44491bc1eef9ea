/*
 * User memory that the kernel reads through mappings of its own: a tmpfs file that one process
 * changes through mmap while another read()s it, pages in a pipe by vmsplice that change
 * afterwards, and process_vm_readv of a process that writes on. The argument is the number of
 * steps.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib.h"

enum { PAGE = 4096, PAGES = 8, WORDS = PAGE / 8, SPLICES = 40, PEEKS = 200 };

/* A page is one step's number, WORDS times: the writer goes through it from the end. */
static long steps;
static _Atomic uint64_t *shared;
static int file;

static void write_pages(int index) {
    (void)index;
    for (long step = 1; step <= steps; step++) {
        for (int i = PAGES * WORDS - 1; i >= 0; i--) {
            atomic_store_explicit(&shared[i], (uint64_t)step, memory_order_release);
        }
    }
}

/* The writer goes downwards, so that a reader going upwards never sees a step grow. */
static void read_pages(int index) {
    (void)index;
    static uint64_t seen[PAGES * WORDS];
    uint64_t last = 0;
    while (last < (uint64_t)steps) {
        CHECK(pread(file, seen, sizeof(seen), 0) == sizeof(seen), "pread");
        CHECK(seen[PAGES * WORDS - 1] >= last, "a step was taken back");
        last = seen[0];
        CHECK(last <= (uint64_t)steps, "a step that nobody wrote");
    }
    for (int i = 0; i < PAGES * WORDS; i++) {
        CHECK(seen[i] == (uint64_t)steps, "word %d of the last step", i);
    }
}

static void map_file(void) {
    file = open("/tmp/mmapshare", O_CREAT | O_RDWR | O_TRUNC, 0600);
    CHECK(file >= 0 && ftruncate(file, (off_t)PAGES * PAGE) == 0, "the shared file");
    shared = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(shared != MAP_FAILED, "mmap");
}

static void mapped_writer(void) {
    map_file();
    pid_t writer = start_child(write_pages, 0);
    pid_t reader = start_child(read_pages, 0);
    wait_child(writer);
    wait_child(reader);
    ok("mmapshare: a reader of a file that is written through mmap");
}

/* A page in a pipe is the user's page: what is read is what it holds then. */
static void spliced_pages(int index) {
    int ends[2];
    static char got[PAGE];
    char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED && pipe(ends) == 0, "a page and a pipe");
    for (int i = 0; i < SPLICES; i++) {
        uint64_t seed = (uint64_t)index << 32 | (uint64_t)i;
        struct iovec vector = {page, PAGE};
        memset(page, i, PAGE);
        CHECK(vmsplice(ends[1], &vector, 1, 0) == PAGE, "vmsplice");
        fill(page, PAGE, seed);
        read_all(ends[0], got, PAGE);
        CHECK(matches(got, PAGE, seed), "splice %d", i);
    }
}

static void peek_at_writer(void) {
    static uint64_t seen[PAGES * WORDS];
    pid_t writer = start_child(write_pages, 0);
    uint64_t last = 0;
    for (int i = 0; i < PEEKS; i++) {
        struct iovec local = {seen, sizeof(seen)};
        struct iovec remote = {(void *)shared, sizeof(seen)};
        CHECK(process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == sizeof(seen), "peek %d", i);
        CHECK(seen[PAGES * WORDS - 1] >= last, "a step was taken back");
        last = seen[0];
    }
    wait_child(writer);
    ok("mmapshare: process_vm_readv of memory that is written");
}

int workload_mmapshare(int argc, char **argv) {
    steps = arg_number(argc, argv, 1, 400);
    mapped_writer();
    run_children(cpu_count(), spliced_pages);
    ok("mmapshare: vmspliced pages that change in the pipe");
    map_file();
    peek_at_writer();
    unlink("/tmp/mmapshare");
    return 0;
}
