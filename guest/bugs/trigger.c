/*
 * What makes the bugs happen: trigger NAME [ROUNDS], with the module bug_NAME loaded. Two
 * processes, on a CPU each, call the module again and again. A bug that is hit ends in a kernel
 * panic, but for the lost wake-up, which is reported here: "SKEIN-BUG lost wake-up", exit code 3.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../workloads/lib.h"
#include "bug.h"

#define MESSAGES "/tmp/messages"
#define ROUNDS 5000
#define THINK 2000
#define LOST_S 4
#define EXIT_LOST 3

static struct {
    long rounds;
    long think;
    int fd;
    char device[32];
    /* Memory that the processes share. */
    struct {
        struct bug_message message;
        volatile long received;
    } * shared;
} bug;

static void on_cpu(int index) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)(index % cpu_count()), &set);
    CHECK(sched_setaffinity(0, sizeof(set), &set) == 0, "sched_setaffinity");
}

static int open_device(void) {
    int fd = open(bug.device, O_RDWR);
    CHECK(fd >= 0, "open %s", bug.device);
    return fd;
}

static void call(unsigned long op, unsigned long arg) {
    CHECK(ioctl(bug.fd, op, arg) == 0, "ioctl %#lx", op);
}

/* User mode for a while: from nothing to twice bug.think steps. */
static void think(void) {
    static uint64_t state;
    uint64_t steps = bug.think > 0 ? next_random(&state) % (2 * (uint64_t)bug.think) : 0;
    volatile uint64_t sum = 0;
    for (uint64_t i = 0; i < steps; i++) {
        sum += i;
    }
}

static void run_uaf(int index) {
    for (long i = 0; i < bug.rounds; i++) {
        think();
        call(index == 0 ? BUG_UAF_USE : BUG_UAF_REPLACE, 0);
    }
}

static void run_abba(int index) {
    for (long i = 0; i < bug.rounds; i++) {
        think();
        /* An account without money is no failure: the other side brings it back. */
        ioctl(bug.fd, BUG_ABBA_TRANSFER, (unsigned long)index);
    }
}

static void run_list(int index) {
    int fds[4];
    (void)index;
    for (size_t k = 0; k < 4; k++) {
        fds[k] = open_device();
    }
    for (long i = 0; i < bug.rounds; i++) {
        think();
        CHECK(ioctl(fds[i % 4], BUG_LIST_TOUCH) == 0, "touch");
    }
}

/* One sends what the other, for whom the buffer is free already, fills with the next message. */
static void run_fetch(int index) {
    int messages = open(MESSAGES, O_RDONLY);
    CHECK(messages >= 0, "open %s", MESSAGES);
    for (long i = 0; i < bug.rounds; i++) {
        think();
        if (index == 0) {
            /* A message that is too long is refused: that is no failure. */
            ioctl(bug.fd, BUG_FETCH_SEND, &bug.shared->message);
        } else {
            off_t at = (i % 2) * (off_t)sizeof(struct bug_message);
            ssize_t n = pread(messages, &bug.shared->message, sizeof(struct bug_message), at);
            CHECK(n == (ssize_t)sizeof(struct bug_message), "pread");
        }
    }
}

static void make_messages(void) {
    struct bug_message messages[2] = {{.length = 8}, {.length = BUG_MESSAGE_MAX + 8}};
    int fd = open(MESSAGES, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0, "open %s", MESSAGES);
    write_all(fd, messages, sizeof(messages));
    close(fd);
}

static void lost(long letter) {
    printf("SKEIN-BUG lost wake-up: letter %ld is in the mailbox, and its reader sleeps\n", letter);
    fflush(stdout);
    _exit(EXIT_LOST);
}

static time_t now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

/* A letter that nobody has taken after seconds never will be. */
static void wait_until_received(long letter) {
    time_t begin = 0;
    for (long spins = 1; bug.shared->received < letter; spins++) {
        if (spins % 5000 == 0) {
            begin = begin ? begin : now_s();
            if (now_s() - begin > LOST_S) {
                lost(letter);
            }
            usleep(1000);
        }
    }
}

static void run_wakeup(int index) {
    for (long i = 1; i <= bug.rounds; i++) {
        /* Nobody thinks here: the letter comes when the reader is back for it. */
        call(index == 0 ? BUG_WAKEUP_WAIT : BUG_WAKEUP_POST, 0);
        if (index == 0) {
            bug.shared->received = i;
        } else {
            wait_until_received(i);
        }
    }
}

static const struct {
    const char *name;
    void (*run)(int index);
} bugs[] = {
    {"abba", run_abba}, {"fetch", run_fetch},   {"list", run_list},
    {"uaf", run_uaf},   {"wakeup", run_wakeup},
};

/* Runs the two, and passes on what the lost wake-up's second reports. */
static int run_one(size_t which) {
    pid_t pids[2];
    int status = 0;

    for (int i = 0; i < 2; i++) {
        pids[i] = fork();
        CHECK(pids[i] >= 0, "fork");
        if (pids[i] == 0) {
            on_cpu(i);
            bug.fd = open_device();
            bugs[which].run(i);
            _exit(0);
        }
    }
    /* The second first: the first of a lost wake-up never comes back. */
    CHECK(waitpid(pids[1], &status, 0) == pids[1], "waitpid");
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_LOST) {
        return EXIT_LOST;
    }
    CHECK(status == 0, "the second process ended with status %#x", status);
    wait_child(pids[0]);
    ok("bug %s: %ld rounds, nothing happened", bugs[which].name, bug.rounds);
    return 0;
}

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof(bugs) / sizeof(bugs[0]); i++) {
        if (strcmp(argv[1], bugs[i].name) == 0) {
            bug.rounds = arg_number(argc, argv, 2, ROUNDS);
            bug.think = arg_number(argc, argv, 3, THINK);
            snprintf(bug.device, sizeof(bug.device), "/dev/bug_%s", bugs[i].name);
            bug.shared = mmap(NULL, sizeof(*bug.shared), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
            CHECK(bug.shared != MAP_FAILED, "mmap");
            make_messages();
            return run_one(i);
        }
    }
    printf("fail no such bug: %s\n", argc > 1 ? argv[1] : "(none)");
    return 2;
}
