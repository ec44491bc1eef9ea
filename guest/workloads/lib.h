/* What every workload needs: checks that fail loudly, child processes, and known contents. */
#ifndef SKEIN_GUEST_LIB_H
#define SKEIN_GUEST_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Says what is wrong, with errno, and ends the process with 1: a workload never goes on wrong. */
#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fail(__FILE__, __LINE__, __VA_ARGS__);                                                 \
        }                                                                                          \
    } while (0)

__attribute__((noreturn, format(printf, 3, 4))) void fail(const char *file, int line,
                                                          const char *format, ...);

/* Says that a part went well. The outcome never holds a time or a process id. */
__attribute__((format(printf, 1, 2))) void ok(const char *format, ...);

/* CPUs online. */
int cpu_count(void);

/* A number from argv[index], or the default when there is none. */
long arg_number(int argc, char **argv, int index, long otherwise);

/* Runs body(index) in `count` child processes and checks that all of them end with 0. */
void run_children(int count, void (*body)(int index));

/* Runs body(index) in one child process; its end is checked by wait_child(). */
pid_t start_child(void (*body)(int index), int index);
void wait_child(pid_t pid);

/* The byte stream number `seed`: fill writes it, matches compares. 8-byte aligned lengths only. */
void fill(void *buffer, size_t length, uint64_t seed);
bool matches(const void *buffer, size_t length, uint64_t seed);

/* A generator of numbers that depends on its state alone. */
uint64_t next_random(uint64_t *state);

/* read() and write() that go on until everything is through. */
void read_all(int fd, void *buffer, size_t length);
void write_all(int fd, const void *buffer, size_t length);

/* The workloads: each returns 0, or ends in fail(). */
int workload_cow(int argc, char **argv);
int workload_demo(int argc, char **argv);
int workload_disk(int argc, char **argv);
int workload_fpu(int argc, char **argv);
int workload_guestport(int argc, char **argv);
int workload_int80(int argc, char **argv);
int workload_iouring(int argc, char **argv);
int workload_madvise(int argc, char **argv);
int workload_micro(int argc, char **argv);
int workload_mmapshare(int argc, char **argv);
int workload_ptrace(int argc, char **argv);
int workload_remap(int argc, char **argv);
int workload_segments(int argc, char **argv);
int workload_signals(int argc, char **argv);
int workload_strings(int argc, char **argv);
int workload_user(int argc, char **argv);
int workload_userfaultfd(int argc, char **argv);
int workload_usernet(int argc, char **argv);
int workload_usernvme(int argc, char **argv);
int workload_uservirtio(int argc, char **argv);

#endif
