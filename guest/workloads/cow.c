/*
 * Fork with copy-on-write while memory is short: the parent fills a third of what is free, children
 * change all of it, each its own copy, until memory is nearly used up. The argument is the number
 * of mebibytes to use in all; by default, seven tenths of what is available.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib.h"

enum { PAGE = 4096, CHILDREN = 2 };

static uint64_t *area;
static size_t words;
static int started[2];
static int release[2];

static size_t available_bytes(void) {
    char line[128];
    unsigned long kib = 0;
    FILE *file = fopen("/proc/meminfo", "r");
    CHECK(file != NULL, "/proc/meminfo");
    while (kib == 0 && fgets(line, sizeof(line), file) != NULL) {
        sscanf(line, "MemAvailable: %lu kB", &kib);
    }
    fclose(file);
    CHECK(kib > 0, "no MemAvailable");
    return kib * 1024;
}

/* One word per page is changed, so that each page is copied once; the others must stay. */
static void change(int index) {
    char byte = 0;
    for (size_t i = 0; i < words; i += PAGE / 8) {
        CHECK(area[i] == i && area[i + 1] == ~i, "page %zu before", i / (PAGE / 8));
        area[i] = i * 3 + (size_t)index;
    }
    write_all(started[1], &byte, 1);
    read_all(release[0], &byte, 1);
    for (size_t i = 0; i < words; i += PAGE / 8) {
        CHECK(area[i] == i * 3 + (size_t)index && area[i + 1] == ~i, "page %zu after",
              i / (PAGE / 8));
    }
}

int workload_cow(int argc, char **argv) {
    size_t mebibytes = (size_t)arg_number(argc, argv, 1, 0);
    size_t total = mebibytes > 0 ? mebibytes << 20 : available_bytes() / 10 * 7;
    size_t bytes = total / (CHILDREN + 1) / PAGE * PAGE;
    pid_t pids[CHILDREN];
    char both[CHILDREN] = {0};
    words = bytes / 8;
    area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED && pipe(started) == 0 && pipe(release) == 0, "mmap and pipe");
    for (size_t i = 0; i < words; i += PAGE / 8) {
        area[i] = i;
        area[i + 1] = ~i;
    }
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = start_child(change, i);
    }
    read_all(started[0], both, sizeof(both));
    for (size_t i = 0; i < words; i += PAGE / 8) {
        CHECK(area[i] == i && area[i + 1] == ~i, "the parent's page %zu", i / (PAGE / 8));
    }
    write_all(release[1], both, sizeof(both));
    for (int i = 0; i < CHILDREN; i++) {
        wait_child(pids[i]);
    }
    ok("cow: every copy is its own");
    return 0;
}
