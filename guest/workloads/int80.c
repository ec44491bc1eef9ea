/*
 * 32-bit system calls: int $0x80 from 64-bit code, the same from a 32-bit code segment reached by a
 * far jump, and a real 32-bit program (compat32.c: its SYSENTER too). The argument is the number of
 * rounds.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib.h"

enum { CALL_WRITE = 4, CALL_GETPID = 20, CALL_PIPE = 42, STACK_BYTES = 65536 };

static long rounds;

static long call80(long number, long a, long b, long c) {
    long result = number;
    __asm__ volatile("int $0x80"
                     : "+a"(result)
                     : "b"(a), "c"(b), "d"(c)
                     : "memory", "r8", "r9", "r10", "r11");
    return result;
}

/* The program is not position-independent, so its data lies below 4 GiB, where 32-bit calls see. */
static void from_64_bit(int index) {
    static int ends[2];
    static char out[64];
    char in[64];
    for (long i = 0; i < rounds; i++) {
        CHECK(call80(CALL_GETPID, 0, 0, 0) == getpid(), "getpid");
        CHECK(call80(CALL_PIPE, (long)(uintptr_t)ends, 0, 0) == 0, "pipe");
        fill(out, sizeof(out), (uint64_t)index + (uint64_t)i);
        long n = call80(CALL_WRITE, ends[1], (long)(uintptr_t)out, sizeof(out));
        CHECK(n == sizeof(out), "write: %ld", n);
        read_all(ends[0], in, sizeof(in));
        CHECK(memcmp(in, out, sizeof(in)) == 0, "contents");
        close(ends[0]);
        close(ends[1]);
    }
    CHECK(call80(9999, 0, 0, 0) == -38, "a call that does not exist");
}

/* Selectors 0x23 and 0x33 are Linux's 32- and 64-bit user code segments. */
static uint32_t compat_getpid(void *low_stack) {
    static struct {
        uint32_t offset;
        uint16_t selector;
    } __attribute__((packed)) to_32;
    uint64_t result = 0;
    __asm__ volatile("mov %%rsp, %%r12\n\t"
                     "mov %1, %%rsp\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "mov %%eax, (%2)\n\t"
                     "movw $0x23, 4(%2)\n\t"
                     "ljmp *(%2)\n\t"
                     ".code32\n"
                     "1:\tmov $20, %%eax\n\t"
                     "int $0x80\n\t"
                     "ljmp $0x33, $2f\n\t"
                     ".code64\n"
                     "2:\tmov %%eax, %%eax\n\t"
                     "mov %%r12, %%rsp\n\t"
                     : "=&a"(result)
                     : "r"(low_stack), "r"(&to_32)
                     : "memory", "cc", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
                       "r12");
    return (uint32_t)result;
}

static void from_32_bit_segment(int index) {
    (void)index;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT;
    char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    CHECK(stack != MAP_FAILED, "a stack below 4 GiB");
    for (long i = 0; i < rounds; i++) {
        CHECK(compat_getpid(stack + STACK_BYTES) == (uint32_t)getpid(), "getpid");
    }
}

static void from_32_bit_program(int index) {
    (void)index;
    execl("/workloads/compat32", "compat32", (char *)NULL);
    fail(__FILE__, __LINE__, "exec of compat32");
}

int workload_int80(int argc, char **argv) {
    rounds = arg_number(argc, argv, 1, 100);
    run_children(cpu_count(), from_64_bit);
    ok("int80: from 64-bit code");
    run_children(cpu_count(), from_32_bit_segment);
    ok("int80: from a 32-bit code segment");
    run_children(cpu_count(), from_32_bit_program);
    ok("int80: from a 32-bit program, by int 0x80 and SYSENTER");
    return 0;
}
