/* Whether another process still runs: a zombie that nobody has waited for does not. */
#ifndef SKEIN_PIPELINE_PROCESS_WATCH_H
#define SKEIN_PIPELINE_PROCESS_WATCH_H

#include <stdbool.h>
#include <sys/types.h>

struct skein_process_watch {
    pid_t pid; /* 0: nothing is watched */
    int fd;    /* a pidfd, or -1 where the system has none */
};

void skein_process_watch_init(struct skein_process_watch *watch);
void skein_process_watch_set(struct skein_process_watch *watch, pid_t pid);
bool skein_process_watch_gone(const struct skein_process_watch *watch);
void skein_process_watch_close(struct skein_process_watch *watch);

#endif
