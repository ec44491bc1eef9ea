/*
 * Segments of the program's own: entries in the local descriptor table and the TLS slots of the
 * global one, loaded into selectors, read through, and kept across calls and switches; FS and GS
 * bases. The argument is the number of rounds.
 */
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib.h"

enum { PAGE = 4096, SLOTS = 4 };

static long rounds;

static struct user_desc descriptor(unsigned int number, const void *base) {
    struct user_desc d;
    memset(&d, 0, sizeof(d));
    d.entry_number = number;
    d.base_addr = (unsigned int)(uintptr_t)base;
    d.limit = PAGE - 1;
    d.seg_32bit = 1;
    d.useable = 1;
    return d;
}

static uint32_t read_gs(uint16_t selector, uint32_t offset) {
    uint32_t value = 0;
    __asm__ volatile("mov %1, %%gs\n\tmov %%gs:(%2), %0"
                     : "=&r"(value)
                     : "r"((uint32_t)selector), "r"((uint64_t)offset)
                     : "memory");
    return value;
}

static uint32_t read_es_after_yield(uint16_t selector) {
    long result = SYS_sched_yield;
    uint32_t es = 0;
    __asm__ volatile("mov %2, %%es\n\tsyscall\n\tmov %%es, %1"
                     : "+a"(result), "=r"(es)
                     : "r"((uint32_t)selector)
                     : "rcx", "r11", "memory");
    return es;
}

/* LAR's bits 8 to 15 are the descriptor's second access byte; bit 8 is "accessed". */
static uint32_t access_rights(uint16_t selector) {
    uint32_t rights = 0;
    __asm__ volatile("lar %1, %0" : "=r"(rights) : "r"((uint32_t)selector) : "cc");
    return rights;
}

static char *low_page(uint64_t seed) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT;
    char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
    CHECK(page != MAP_FAILED, "a page below 4 GiB");
    fill(page, PAGE, seed);
    return page;
}

static void local_table(int index) {
    for (long round = 0; round < rounds; round++) {
        for (uint16_t slot = 0; slot < SLOTS; slot++) {
            char *page = low_page((uint64_t)(index * 1000 + round) + slot);
            struct user_desc d = descriptor(slot, page);
            CHECK(syscall(SYS_modify_ldt, 1, &d, sizeof(d)) == 0, "modify_ldt");
            uint16_t selector = (uint16_t)(slot << 3 | 7); /* table 1, ring 3 */
            for (uint32_t offset = 0; offset < PAGE; offset += 512) {
                uint32_t expected = 0;
                memcpy(&expected, page + offset, sizeof(expected));
                CHECK(read_gs(selector, offset) == expected, "slot %d at %u", slot, offset);
            }
            CHECK(read_es_after_yield(selector) == selector, "ES after a switch");
            CHECK(access_rights(selector) & 0x100, "slot %d is not marked as accessed", slot);
            read_gs(0x2b, (uint32_t)(uintptr_t)page); /* let go of the slot */
            munmap(page, PAGE);
        }
    }
}

/* A 32-bit call: 64-bit Linux has none for this. Its argument lies below 4 GiB. */
static long set_thread_area(struct user_desc *d) {
    long result = 243;
    __asm__ volatile("int $0x80" : "+a"(result) : "b"(d) : "memory", "r8", "r9", "r10", "r11");
    return result;
}

static void thread_slots(int index) {
    static struct user_desc d;
    char *page = low_page((uint64_t)index);
    d = descriptor((unsigned int)-1, page);
    CHECK(set_thread_area(&d) == 0, "set_thread_area");
    for (long round = 0; round < rounds; round++) {
        uint32_t expected = 0;
        memcpy(&expected, page + 64, sizeof(expected));
        CHECK(read_gs((uint16_t)(d.entry_number << 3 | 3), 64) == expected, "the TLS slot");
        sched_yield();
    }
}

static void bases(int index) {
    char *page = low_page((uint64_t)index);
    for (long round = 0; round < rounds; round++) {
        uintptr_t base = (uintptr_t)page + (uintptr_t)(round % 64) * 8;
        uintptr_t now = 0;
        uint64_t expected = 0;
        uint64_t got = 0;
        CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, base) == 0, "ARCH_SET_GS");
        sched_yield();
        CHECK(syscall(SYS_arch_prctl, ARCH_GET_GS, &now) == 0 && now == base, "ARCH_GET_GS");
        memcpy(&expected, (void *)base, sizeof(expected));
        __asm__ volatile("mov %%gs:0, %0" : "=r"(got)::"memory");
        CHECK(got == expected, "a read through the GS base");
    }
}

int workload_segments(int argc, char **argv) {
    rounds = arg_number(argc, argv, 1, 30);
    run_children(2 * cpu_count(), local_table);
    ok("segments: local descriptor tables");
    run_children(2 * cpu_count(), thread_slots);
    ok("segments: TLS slots");
    run_children(2 * cpu_count(), bases);
    ok("segments: FS and GS bases");
    return 0;
}
