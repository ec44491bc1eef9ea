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
#define REHEARSAL_US 100000
#define LOST_S 4
#define SPINS 1000000
#define THINK_MAX 20000
#define EXIT_LOST 3

static struct {
    long rounds;
    bool rehearsal;
    bool together;
    int fd;
    char device[32];
    /* Memory that the processes share. */
    struct {
        struct bug_message message;
        volatile long received;
        volatile int ready[2];
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

/* Outside of the kernel, for a while that differs: who always waits for another races by that. */
static void think(uint64_t *state) {
    for (volatile uint64_t n = next_random(state) % THINK_MAX; n > 0; n--) {
    }
}

static void run_uaf(int index) {
    for (long i = 0; i < bug.rounds; i++) {
        call(index == 0 ? BUG_UAF_USE : BUG_UAF_REPLACE, 0);
    }
}

static void run_abba(int index) {
    uint64_t state = (uint64_t)index + 1;
    for (long i = 0; i < bug.rounds; i++) {
        think(&state);
        /* In the same direction nothing can happen. An account without money is no failure. */
        ioctl(bug.fd, BUG_ABBA_TRANSFER, bug.rehearsal ? 0ul : (unsigned long)index);
    }
}

static void run_list(int index) {
    uint64_t state = (uint64_t)index + 1;
    int fds[4];
    for (size_t k = 0; k < 4; k++) {
        fds[k] = open_device();
    }
    for (long i = 0; i < bug.rounds; i++) {
        think(&state);
        CHECK(ioctl(fds[i % 4], BUG_LIST_TOUCH) == 0, "touch");
    }
}

/* One sends what the other, for whom the buffer is free already, fills with the next message. */
static void run_fetch(int index) {
    int messages = open(MESSAGES, O_RDONLY);
    CHECK(messages >= 0, "open %s", MESSAGES);
    for (long i = 0; i < bug.rounds; i++) {
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

/*
 * A letter that nobody has taken after seconds never will be. The next one is to be posted while
 * its reader is on the way to sleep: whoever naps here comes too late for that.
 */
static void wait_until_received(long letter) {
    time_t begin = 0;
    for (long spins = 1; bug.shared->received < letter; spins++) {
        if (spins % SPINS == 0) {
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
    long rounds;    /* by default: without chaos, some tens of runs fail once */
    long rehearsal; /* both at once for so many rounds; 0: one after the other */
} bugs[] = {
    {"abba", run_abba, 100, 500}, {"fetch", run_fetch, 1500, 0},  {"list", run_list, 150, 0},
    {"uaf", run_uaf, 300, 0},     {"wakeup", run_wakeup, 600, 0},
};

static pid_t start(size_t which, int index) {
    pid_t pid = fork();
    CHECK(pid >= 0, "fork");
    if (pid == 0) {
        on_cpu(index);
        bug.fd = open_device();
        bug.shared->ready[index] = 1;
        while (bug.together && !bug.shared->ready[1 - index]) {
        }
        bugs[which].run(index);
        _exit(0);
    }
    return pid;
}

/*
 * Where a translator has not been before, it is so slow that the first rounds would nearly always
 * fail: they are done in a way in which nothing can happen.
 */
static void rehearse(size_t which) {
    pid_t first, second;

    bug.rehearsal = true;
    bug.together = bugs[which].rehearsal > 0;
    bug.rounds = bug.together ? bugs[which].rehearsal : 1;
    first = start(which, 0);
    usleep(REHEARSAL_US);
    second = start(which, 1);
    wait_child(second);
    wait_child(first);
    bug.shared->ready[0] = 0;
    bug.shared->ready[1] = 0;
    bug.shared->received = 0;
    bug.rehearsal = false;
    bug.together = true;
}

/* Passes on what the lost wake-up's second process reports. */
static int race(size_t which) {
    pid_t first = start(which, 0), second = start(which, 1);
    int status = 0;

    /* The second first: the first of a lost wake-up never comes back. */
    CHECK(waitpid(second, &status, 0) == second, "waitpid");
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_LOST) {
        return EXIT_LOST;
    }
    CHECK(status == 0, "the second process ended with status %#x", status);
    wait_child(first);
    ok("bug %s: %ld rounds, nothing happened", bugs[which].name, bug.rounds);
    return 0;
}

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof(bugs) / sizeof(bugs[0]); i++) {
        if (strcmp(argv[1], bugs[i].name) == 0) {
            snprintf(bug.device, sizeof(bug.device), "/dev/bug_%s", bugs[i].name);
            bug.shared = mmap(NULL, sizeof(*bug.shared), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
            CHECK(bug.shared != MAP_FAILED, "mmap");
            make_messages();
            rehearse(i);
            bug.rounds = arg_number(argc, argv, 2, bugs[i].rounds);
            return race(i);
        }
    }
    printf("fail no such bug: %s\n", argc > 1 ? argv[1] : "(none)");
    return 2;
}
