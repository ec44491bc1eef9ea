/* A child process (QEMU): start, wait, stop. */
#ifndef SKEIN_CLI_CHILD_H
#define SKEIN_CLI_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "pipeline/error.h"

struct skein_child {
    pid_t pid;
    bool exited;
    int status; /* as from waitpid, when exited */
};

struct skein_child_opts {
    char *const *argv;
    const int *keep_fds; /* stay open in the child, under the same numbers */
    size_t keep_count;
    int output_fd; /* its stdout and stderr; -1: ours (stdout goes to our stderr) */
};

/*
 * Starts it in a process group of its own, so that Ctrl-C reaches us only, and tied to our life: it
 * gets SIGTERM when the calling thread dies. -errno when it cannot be executed.
 */
int skein_child_start(struct skein_child *c, const struct skein_child_opts *opts,
                      struct skein_error *err);

/* Becomes readable when it has ended; close it. -1: this system has no such thing. */
int skein_child_end_fd(const struct skein_child *c);

/* Sees whether it has ended; never blocks. */
bool skein_child_poll(struct skein_child *c);

/* Waits up to that long; false when it still runs. */
bool skein_child_wait(struct skein_child *c, unsigned timeout_ms);

/* SIGTERM, three seconds of grace, SIGKILL; returns when it is gone. */
void skein_child_stop(struct skein_child *c);

/* It has exited, by a signal. */
bool skein_child_killed(const struct skein_child *c);

/* "exit code 1" or "killed by signal 9 (Killed)". */
void skein_child_describe(const struct skein_child *c, char *buf, size_t len);

#endif
