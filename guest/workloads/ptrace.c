/*
 * A tracer and its tracee: single steps, memory and registers read and changed, system call stops,
 * and hardware breakpoints in the debug registers. The argument is the number of steps.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib.h"

enum { SYSCALLS = 20, BREAKS = 10 };

static volatile long cell = 41;

/* What the hardware breakpoint is set on. */
__attribute__((noinline)) static void watched(void) {
    __asm__ volatile("" ::: "memory");
}

/* The watchpoint is hit in kernel mode. */
static void kernel_writes_cell(void) {
    long value = 2;
    int ends[2];
    CHECK(pipe(ends) == 0, "pipe");
    CHECK(write(ends[1], &value, sizeof(value)) == sizeof(value), "write to a pipe");
    CHECK(read(ends[0], (void *)(uintptr_t)&cell, sizeof(cell)) == sizeof(cell), "read");
    CHECK(cell == 2, "what the kernel wrote");
}

static void tracee(int index) {
    (void)index;
    CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0, "PTRACE_TRACEME");
    raise(SIGSTOP);
    CHECK(cell == 42, "the tracer did not change the cell");
    raise(SIGSTOP);
    for (int i = 0; i < SYSCALLS; i++) {
        CHECK(syscall(SYS_getppid) == 4242, "the tracer did not change the result");
    }
    raise(SIGSTOP);
    for (int i = 0; i < BREAKS; i++) {
        watched();
    }
    cell = 1; /* a watchpoint */
    kernel_writes_cell();
}

static int resume(pid_t pid, long request, int signal) {
    int status = 0;
    CHECK(ptrace(request, pid, NULL, (long)signal) == 0, "resume");
    CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
    return status;
}

static void expect_stop(int status, int signal) {
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == signal, "status %#x, not a stop by %d", status,
          signal);
}

static void change_memory(pid_t pid) {
    errno = 0;
    long value = ptrace(PTRACE_PEEKDATA, pid, &cell, NULL);
    CHECK(errno == 0 && value == 41, "PTRACE_PEEKDATA");
    CHECK(ptrace(PTRACE_POKEDATA, pid, &cell, 42L) == 0, "PTRACE_POKEDATA");
}

static void single_steps(pid_t pid, long steps) {
    unsigned long long last = 0;
    long moved = 0;
    for (long i = 0; i < steps; i++) {
        struct user_regs_struct regs;
        int status = resume(pid, PTRACE_SINGLESTEP, 0);
        if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP) {
            return; /* the tracee has come to its next stop: long enough */
        }
        expect_stop(status, SIGTRAP);
        CHECK(ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0, "PTRACE_GETREGS");
        moved += regs.rip != last;
        last = regs.rip;
    }
    CHECK(moved > steps / 2, "only %ld of %ld steps moved", moved, steps);
    expect_stop(resume(pid, PTRACE_CONT, 0), SIGSTOP);
}

static void system_calls(pid_t pid) {
    for (int i = 0; i < 2 * SYSCALLS;) {
        struct user_regs_struct regs;
        expect_stop(resume(pid, PTRACE_SYSCALL, 0), SIGTRAP | 0x80);
        CHECK(ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0, "PTRACE_GETREGS");
        if (regs.orig_rax != SYS_getppid) {
            continue; /* the raise() before */
        }
        if (i++ % 2 == 1) {
            regs.rax = 4242;
            CHECK(ptrace(PTRACE_SETREGS, pid, NULL, &regs) == 0, "PTRACE_SETREGS");
        }
    }
    expect_stop(resume(pid, PTRACE_CONT, 0), SIGSTOP);
}

static void set_debug_register(pid_t pid, size_t number, unsigned long value) {
    size_t offset = offsetof(struct user, u_debugreg) + number * sizeof(long);
    CHECK(ptrace(PTRACE_POKEUSER, pid, offset, value) == 0, "debug register %zu", number);
}

/* DR7: breakpoint 0 on execution, breakpoint 1 on writes of 8 bytes. */
static void break_points(pid_t pid) {
    set_debug_register(pid, 0, (unsigned long)(uintptr_t)watched);
    set_debug_register(pid, 1, (unsigned long)(uintptr_t)&cell);
    set_debug_register(pid, 7, 1u << 0 | 1u << 2 | 1u << 20 | 2u << 22);
    for (int i = 0; i < BREAKS; i++) {
        struct user_regs_struct regs;
        expect_stop(resume(pid, PTRACE_CONT, 0), SIGTRAP);
        CHECK(ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0, "PTRACE_GETREGS");
        CHECK(regs.rip == (uintptr_t)watched, "break %d is elsewhere", i);
    }
    expect_stop(resume(pid, PTRACE_CONT, 0), SIGTRAP);
    errno = 0;
    CHECK(ptrace(PTRACE_PEEKDATA, pid, &cell, NULL) == 1 && errno == 0, "the watched write");
}

static long steps;

static void trace(int index) {
    int status = 0;
    pid_t pid = start_child(tracee, index);
    CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
    expect_stop(status, SIGSTOP);
    CHECK(ptrace(PTRACE_SETOPTIONS, pid, NULL, (long)PTRACE_O_TRACESYSGOOD) == 0, "options");
    change_memory(pid);
    single_steps(pid, steps);
    system_calls(pid);
    break_points(pid);
    status = resume(pid, PTRACE_CONT, 0);
    if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP) {
        /* A kernel may or may not tell of a watchpoint hit by itself. */
        set_debug_register(pid, 7, 0);
        status = resume(pid, PTRACE_CONT, 0);
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the tracee ended with %#x", status);
}

int workload_ptrace(int argc, char **argv) {
    steps = arg_number(argc, argv, 1, 300);
    run_children(cpu_count(), trace);
    ok("ptrace: memory, steps, system calls, breakpoints");
    return 0;
}
