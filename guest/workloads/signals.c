/*
 * Signals and timers: faults that a handler survives (SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGBUS),
 * handlers on their own stack that nest, interval and POSIX timers, and a storm of signals between
 * processes. The argument is the number of rounds.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "lib.h"

enum { PAGE = 4096, NESTING = 20, STORM = 200, TICKS = 10 };

static long rounds;
static sigjmp_buf back;
static volatile int caught;

static void on_fault(int number) {
    caught = number;
    siglongjmp(back, 1);
}

static void handle(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK(sigaction(number, &action, NULL) == 0, "sigaction %d", number);
}

static void read_null(void) {
    __asm__ volatile("mov 0, %%rax" ::: "rax");
}
static void divide_by_zero(void) {
    __asm__ volatile("xor %%eax, %%eax\n\txor %%edx, %%edx\n\tdiv %%eax" ::: "rax", "rdx", "cc");
}
static void undefined_instruction(void) {
    __asm__ volatile("ud2");
}
static void break_instruction(void) {
    __asm__ volatile("int3");
}
static void privileged_instruction(void) {
    __asm__ volatile("hlt");
}
static void read_past_end(void) {
    int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    char *page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(fd >= 0 && page != MAP_FAILED, "an empty file");
    close(fd);
    *(volatile char *)page;
}

/* In a function of its own: siglongjmp() leaves nothing that matters in its registers. */
static int signal_of(void (*commit)(void)) {
    caught = 0;
    if (sigsetjmp(back, 1) == 0) {
        commit();
    }
    return caught;
}

static void faults(int index) {
    static const struct {
        void (*commit)(void);
        int number;
    } crimes[] = {
        {read_null, SIGSEGV},
        {divide_by_zero, SIGFPE},
        {undefined_instruction, SIGILL},
        {break_instruction, SIGTRAP},
        {privileged_instruction, SIGSEGV},
        {read_past_end, SIGBUS},
    };
    (void)index;
    for (long round = 0; round < rounds; round++) {
        for (size_t i = 0; i < sizeof(crimes) / sizeof(crimes[0]); i++) {
            handle(crimes[i].number, on_fault, 0);
            int got = signal_of(crimes[i].commit);
            CHECK(got == crimes[i].number, "crime %zu gave signal %d", i, got);
        }
    }
}

static volatile sig_atomic_t depth;
static char signal_stack[1 << 18]; /* each frame holds the whole FPU state */

static void on_nested(int number) {
    char here;
    CHECK(&here >= signal_stack && &here < signal_stack + sizeof(signal_stack), "another stack");
    if (++depth < NESTING) {
        raise(number);
    }
}

static void nested(int index) {
    stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof(signal_stack)};
    (void)index;
    CHECK(sigaltstack(&stack, NULL) == 0, "sigaltstack");
    handle(SIGUSR1, on_nested, SA_ONSTACK | SA_NODEFER);
    for (long round = 0; round < rounds; round++) {
        depth = 0;
        raise(SIGUSR1);
        CHECK(depth == NESTING, "%d deep", (int)depth);
    }
}

static volatile sig_atomic_t ticks;

static void on_tick(int number) {
    (void)number;
    ticks++;
}

static void timers(int index) {
    static const int kinds[][2] = {{ITIMER_REAL, SIGALRM}, {ITIMER_VIRTUAL, SIGVTALRM}};
    const int *kind = kinds[index % 2];
    struct itimerval every = {{0, 4000}, {0, 4000}};
    struct itimerval off = {{0, 0}, {0, 0}};
    handle(kind[1], on_tick, SA_RESTART);
    ticks = 0;
    CHECK(setitimer(kind[0], &every, NULL) == 0, "setitimer");
    while (ticks < TICKS) {
        __asm__ volatile("pause");
    }
    CHECK(setitimer(kind[0], &off, NULL) == 0, "setitimer");

    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2};
    struct itimerspec soon = {{0, 2000000}, {0, 2000000}};
    timer_t timer;
    handle(SIGRTMIN + 2, on_tick, 0);
    ticks = 0;
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create");
    CHECK(timer_settime(timer, 0, &soon, NULL) == 0, "timer_settime");
    while (ticks < TICKS) {
        usleep(500);
    }
    CHECK(timer_delete(timer) == 0, "timer_delete");
}

static void storm_back(int index) {
    sigset_t set;
    int number = 0;
    (void)index;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    for (int i = 0; i < STORM; i++) {
        CHECK(sigwait(&set, &number) == 0 && number == SIGUSR2, "sigwait");
        CHECK(kill(getppid(), SIGUSR2) == 0, "kill");
    }
}

static void storm(int index) {
    sigset_t set;
    int number = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0, "sigprocmask");
    pid_t peer = start_child(storm_back, index);
    for (int i = 0; i < STORM; i++) {
        CHECK(kill(peer, SIGUSR2) == 0, "kill");
        CHECK(sigwait(&set, &number) == 0 && number == SIGUSR2, "sigwait");
    }
    wait_child(peer);
}

int workload_signals(int argc, char **argv) {
    rounds = arg_number(argc, argv, 1, 20);
    run_children(cpu_count() + 1, faults);
    ok("signals: faults that a handler survives");
    run_children(cpu_count() + 1, nested);
    ok("signals: nested handlers on a stack of their own");
    run_children(2 * cpu_count(), timers);
    ok("signals: interval and POSIX timers");
    run_children(cpu_count(), storm);
    ok("signals: two processes signal each other");
    return 0;
}
