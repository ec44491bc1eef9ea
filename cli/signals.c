#include "cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static int watch_for(int extra, int *fd, struct skein_error *err) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (extra != 0)
        sigaddset(&set, extra);
    sigprocmask(SIG_BLOCK, &set, NULL);
    *fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return *fd >= 0 ? 0 : skein_error_sys(err, -errno, "cannot watch for signals");
}

int skein_signals_open(int *fd, struct skein_error *err) {
    return watch_for(SIGCHLD, fd, err);
}

int skein_signals_open_end(int *fd, struct skein_error *err) {
    return watch_for(0, fd, err);
}

unsigned skein_signals_take(int fd) {
    struct signalfd_siginfo info;
    unsigned asked = 0;
    while (read(fd, &info, sizeof(info)) == sizeof(info))
        asked += info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM;
    return asked;
}
