#include "cli/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GRACE_MS 3000u

static void use_fd(int from, int to) {
    if (dup2(from, to) < 0)
        _exit(127);
}

/* Runs in the child; only async-signal-safe calls. Reports a failed exec through report_fd. */
static _Noreturn void become(const struct skein_child_opts *opts, pid_t parent, int report_fd) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127); /* the parent died before the line above took effect */
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0)
        use_fd(nothing, STDIN_FILENO);
    use_fd(opts->output_fd >= 0 ? opts->output_fd : STDERR_FILENO, STDOUT_FILENO);
    if (opts->output_fd >= 0)
        use_fd(opts->output_fd, STDERR_FILENO);
    for (size_t i = 0; i < opts->keep_count; i++)
        fcntl(opts->keep_fds[i], F_SETFD, 0);
    execvp(opts->argv[0], opts->argv);
    int failed = errno;
    ssize_t sent = write(report_fd, &failed, sizeof(failed));
    _exit(sent == sizeof(failed) ? 127 : 126);
}

int skein_child_start(struct skein_child *c, const struct skein_child_opts *opts,
                      struct skein_error *err) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0)
        return skein_error_sys(err, -errno, "cannot make a pipe");
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become(opts, parent, report[1]);
    close(report[1]);
    int failed = pid < 0 ? errno : 0;
    if (pid > 0 && read(report[0], &failed, sizeof(failed)) == sizeof(failed))
        waitpid(pid, NULL, 0);
    close(report[0]);
    if (failed != 0)
        return skein_error_sys(err, -failed, "cannot run %s", opts->argv[0]);
    *c = (struct skein_child){.pid = pid};
    return 0;
}

int skein_child_end_fd(const struct skein_child *c) {
    return (int)syscall(SYS_pidfd_open, c->pid, 0);
}

bool skein_child_poll(struct skein_child *c) {
    if (!c->exited && c->pid > 0)
        c->exited = waitpid(c->pid, &c->status, WNOHANG) == c->pid;
    return c->exited;
}

bool skein_child_wait(struct skein_child *c, unsigned timeout_ms) {
    const struct timespec nap = {.tv_nsec = 2000000};
    for (unsigned waited_ms = 0; !skein_child_poll(c); waited_ms += 2) {
        if (waited_ms >= timeout_ms)
            return false;
        nanosleep(&nap, NULL);
    }
    return true;
}

void skein_child_stop(struct skein_child *c) {
    if (c->pid <= 0 || skein_child_poll(c))
        return;
    kill(c->pid, SIGTERM);
    if (skein_child_wait(c, GRACE_MS))
        return;
    kill(c->pid, SIGKILL);
    while (!skein_child_wait(c, GRACE_MS))
        ;
}

bool skein_child_killed(const struct skein_child *c) {
    return c->exited && WIFSIGNALED(c->status);
}

void skein_child_describe(const struct skein_child *c, char *buf, size_t len) {
    assert(c->exited);
    if (WIFSIGNALED(c->status))
        snprintf(buf, len, "killed by signal %d (%s)", WTERMSIG(c->status),
                 strsignal(WTERMSIG(c->status)));
    else
        snprintf(buf, len, "exit code %d", WEXITSTATUS(c->status));
}
