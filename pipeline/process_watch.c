#include "pipeline/process_watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

void skein_process_watch_init(struct skein_process_watch *watch) {
    *watch = (struct skein_process_watch){.fd = -1};
}

void skein_process_watch_set(struct skein_process_watch *watch, pid_t pid) {
    skein_process_watch_close(watch);
    watch->pid = pid;
    watch->fd = (int)syscall(SYS_pidfd_open, pid, 0u);
}

/* The letter after the name in /proc/PID/stat; the name may hold anything but ends at the last ).
 */
static bool is_zombie(pid_t pid) {
    char path[64], text[512], *at = NULL;
    size_t n = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    f = fopen(path, "re");
    if (f == NULL) {
        return false;
    }
    n = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[n] = '\0';
    for (char *c = text; *c != '\0'; c++) {
        at = *c == ')' ? c : at;
    }
    return at != NULL && (at[1] == ' ' && (at[2] == 'Z' || at[2] == 'X'));
}

bool skein_process_watch_gone(const struct skein_process_watch *watch) {
    struct pollfd p = {.fd = watch->fd, .events = POLLIN};

    if (watch->pid == 0) {
        return false;
    }
    if (watch->fd >= 0) {
        return poll(&p, 1, 0) == 1;
    }
    return (kill(watch->pid, 0) != 0 && errno == ESRCH) || is_zombie(watch->pid);
}

void skein_process_watch_close(struct skein_process_watch *watch) {
    if (watch->fd >= 0) {
        close(watch->fd);
    }
    skein_process_watch_init(watch);
}
