/*
 * FPU state that must survive: x87, SSE and AVX registers keep each process's own pattern across
 * system calls, context switches, interrupts and signal handlers that overwrite them. Several
 * processes per CPU. The argument is the number of rounds.
 */
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib.h"

enum { REGISTERS = 8, SPIN = 20000 };

static long rounds;
static volatile sig_atomic_t handled;

/* Registers are set, a system call is made, registers are read back: all in one piece of assembly,
 * so that the compiler has no say in between. */
static void sse_across_call(const uint8_t in[REGISTERS][32], uint8_t out[REGISTERS][32]) {
    long result = SYS_sched_yield;
    __asm__ volatile("movdqu 0x00(%1), %%xmm8\n\tmovdqu 0x20(%1), %%xmm9\n\t"
                     "movdqu 0x40(%1), %%xmm10\n\tmovdqu 0x60(%1), %%xmm11\n\t"
                     "movdqu 0x80(%1), %%xmm12\n\tmovdqu 0xa0(%1), %%xmm13\n\t"
                     "movdqu 0xc0(%1), %%xmm14\n\tmovdqu 0xe0(%1), %%xmm15\n\t"
                     "syscall\n\t"
                     "movdqu %%xmm8, 0x00(%2)\n\tmovdqu %%xmm9, 0x20(%2)\n\t"
                     "movdqu %%xmm10, 0x40(%2)\n\tmovdqu %%xmm11, 0x60(%2)\n\t"
                     "movdqu %%xmm12, 0x80(%2)\n\tmovdqu %%xmm13, 0xa0(%2)\n\t"
                     "movdqu %%xmm14, 0xc0(%2)\n\tmovdqu %%xmm15, 0xe0(%2)\n\t"
                     : "+a"(result)
                     : "r"(in), "r"(out)
                     : "rcx", "r11", "memory", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
                       "xmm14", "xmm15");
    CHECK(result == 0, "sched_yield");
}

__attribute__((target("avx"))) static void avx_across_call(const uint8_t in[REGISTERS][32],
                                                           uint8_t out[REGISTERS][32]) {
    long result = SYS_sched_yield;
    __asm__ volatile("vmovdqu 0x00(%1), %%ymm8\n\tvmovdqu 0x20(%1), %%ymm9\n\t"
                     "vmovdqu 0x40(%1), %%ymm10\n\tvmovdqu 0x60(%1), %%ymm11\n\t"
                     "vmovdqu 0x80(%1), %%ymm12\n\tvmovdqu 0xa0(%1), %%ymm13\n\t"
                     "vmovdqu 0xc0(%1), %%ymm14\n\tvmovdqu 0xe0(%1), %%ymm15\n\t"
                     "syscall\n\t"
                     "vmovdqu %%ymm8, 0x00(%2)\n\tvmovdqu %%ymm9, 0x20(%2)\n\t"
                     "vmovdqu %%ymm10, 0x40(%2)\n\tvmovdqu %%ymm11, 0x60(%2)\n\t"
                     "vmovdqu %%ymm12, 0x80(%2)\n\tvmovdqu %%ymm13, 0xa0(%2)\n\t"
                     "vmovdqu %%ymm14, 0xc0(%2)\n\tvmovdqu %%ymm15, 0xe0(%2)\n\t"
                     : "+a"(result)
                     : "r"(in), "r"(out)
                     : "rcx", "r11", "memory", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
                       "xmm14", "xmm15");
    CHECK(result == 0, "sched_yield");
}

/* The same without a call: long enough for a timer's signal to come in between. */
static void sse_across_spin(const uint8_t in[32], uint8_t out[32]) {
    long count = SPIN;
    __asm__ volatile("movdqu (%1), %%xmm7\n\t"
                     "1: dec %0\n\tjnz 1b\n\t"
                     "movdqu %%xmm7, (%2)\n\t"
                     : "+r"(count)
                     : "r"(in), "r"(out)
                     : "memory", "cc", "xmm7");
}

static double x87_across_call(double value) {
    long result = SYS_sched_yield;
    double out = 0;
    __asm__ volatile("fldl %2\n\tsyscall\n\tfstpl %1\n\t"
                     : "+a"(result), "=m"(out)
                     : "m"(value)
                     : "rcx", "r11", "memory", "st");
    CHECK(result == 0, "sched_yield");
    return out;
}

static void on_alarm(int number) {
    static const uint8_t other[32] = {0xee, 0xee, 0xee, 0xee};
    (void)number;
    handled++;
    __asm__ volatile("movdqu (%0), %%xmm7\n\tmovdqu (%0), %%xmm8\n\tmovdqu (%0), %%xmm15\n\t"
                     "fninit\n\tfld1\n\tfld1\n\t"
                     "fstp %%st(0)\n\tfstp %%st(0)\n\t"
                     :
                     : "r"(other)
                     : "memory", "xmm7", "xmm8", "xmm15", "st", "st(1)");
}

/* What QEMU takes for the name of a part of its state, 255 bytes long. */
static void look_like_a_name(uint8_t bytes[32]) {
    for (int i = 0; i < 32; i += 2) {
        bytes[i] = 0xff;
        bytes[i + 1] = 5;
    }
}

static void keep(int index) {
    bool avx = __builtin_cpu_supports("avx") != 0;
    uint8_t in[REGISTERS][32];
    uint8_t out[REGISTERS][32];
    uint32_t mxcsr = 0x1f80u | (uint32_t)(index % 4) << 13; /* this process's rounding */
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval every = {{0, 3000}, {0, 3000}};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0, "sigaction");
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0, "setitimer");
    __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
    for (long round = 0; round < rounds || handled == 0; round++) {
        fill(in, sizeof(in), (uint64_t)index << 32 | (uint64_t)round);
        if (index % 2 != 0) {
            look_like_a_name(in[REGISTERS - 1]);
        }
        memset(out, 0, sizeof(out));
        sse_across_call(in, out);
        for (int i = 0; i < REGISTERS; i++) {
            CHECK(memcmp(in[i], out[i], 16) == 0, "xmm%d in round %ld", i + 8, round);
        }
        if (avx) {
            avx_across_call(in, out);
            CHECK(memcmp(in, out, sizeof(in)) == 0, "ymm registers in round %ld", round);
        }
        sse_across_spin(in[0], out[1]);
        CHECK(memcmp(in[0], out[1], 16) == 0, "xmm7 in round %ld", round);
        double value = 1.0 / (double)(round + index + 1);
        double back = x87_across_call(value);
        CHECK(memcmp(&value, &back, sizeof(value)) == 0, "st(0) in round %ld", round);
        uint32_t now = 0;
        __asm__ volatile("stmxcsr %0" : "=m"(now));
        CHECK((now & 0x6000u) == (mxcsr & 0x6000u), "rounding in round %ld", round);
    }
}

int workload_fpu(int argc, char **argv) {
    rounds = arg_number(argc, argv, 1, 400);
    __builtin_cpu_init();
    run_children(3 * cpu_count(), keep);
    ok("fpu: registers across calls, switches and signals");
    return 0;
}
