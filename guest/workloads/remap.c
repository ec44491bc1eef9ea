/*
 * The memory map changes while all CPUs use it: one process switches the memory of a network card
 * on and off, for which nobody has a driver, and the others read a clock that is a device's
 * register. The argument is how often.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib.h"
#include "pcidriver.h"

enum { CLASS = 0x020000 };

static long changes;
static volatile bool *over; /* shared by the processes */

static uint64_t read_clock(void) {
    struct timespec now;
    CHECK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0, "clock_gettime");
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What another device's register has would not be a time that goes on. */
static void read_clocks(void) {
    uint64_t before = read_clock();
    while (!*over) {
        uint64_t now = read_clock();
        CHECK(now >= before && now - before < 20000000000u, "the clock went from %llu to %llu",
              (unsigned long long)before, (unsigned long long)now);
        before = now;
    }
}

static void work(int index) {
    if (index > 0) {
        read_clocks();
        return;
    }
    for (long i = 0; i < changes; i++) {
        pci_memory(CLASS, i % 2 == 0);
    }
    *over = true;
}

static void use_hpet(void) {
    static const char path[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    char name[16] = "";
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0 && write(fd, "hpet", 4) == 4, "%s", path);
    CHECK(pread(fd, name, sizeof(name) - 1, 0) > 0 && strcmp(name, "hpet\n") == 0,
          "the clock's source is %s", name);
    close(fd);
}

int workload_remap(int argc, char **argv) {
    changes = arg_number(argc, argv, 1, 1000);
    use_hpet();
    over = mmap(NULL, sizeof(*over), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(over != MAP_FAILED, "shared memory");
    run_children(1 + cpu_count(), work);
    ok("remap: %ld changes of the memory map, and the clock went on", changes);
    return 0;
}
