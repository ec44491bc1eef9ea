/*
 * Whether another process still runs: a zombie that nobody has waited for does not. With a pidfd a
 * process that gets the same number later is not mistaken for it, if it still ran at the set.
 *
 * Not thread-safe: each watch belongs to one thread. Nothing here fails: without a pidfd the number
 * is watched.
 */
#ifndef SKEIN_PIPELINE_PROCESS_WATCH_H
#define SKEIN_PIPELINE_PROCESS_WATCH_H

#include <stdbool.h>
#include <sys/types.h>

struct skein_process_watch {
    pid_t pid; /* 0: nothing is watched */
    int fd;    /* a pidfd, or -1 where the system has none */
};

/* Watches nothing. */
void skein_process_watch_init(struct skein_process_watch *watch);
/* Watches this process, and no more the one before it. */
void skein_process_watch_set(struct skein_process_watch *watch, pid_t pid);
/* Does not wait. False when nothing is watched. */
bool skein_process_watch_gone(const struct skein_process_watch *watch);
/* Watches nothing again; fine at any time after the init. */
void skein_process_watch_close(struct skein_process_watch *watch);

#endif
