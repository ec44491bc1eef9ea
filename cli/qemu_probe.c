#include "cli/qemu_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/argv.h"
#include "cli/child.h"

#define PROBE_TIMEOUT_MS 20000

int skein_qemu_find(const char *chosen, const char **qemu, struct skein_error *err) {
    *qemu = chosen != NULL ? chosen : getenv("SKEIN_QEMU");
    if (*qemu != NULL && **qemu != '\0')
        return 0;
    return skein_error_set(err, -ENOENT,
                           "which QEMU? Give --qemu PATH, set SKEIN_QEMU, or use ./dev skein");
}

/* All that comes until the end, as one string; false when it takes too long. */
static bool read_all(int fd, char *buf, size_t size) {
    size_t len = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, PROBE_TIMEOUT_MS) > 0) {
        char spill[512];
        bool full = len + 1 >= size;
        ssize_t got = full ? read(fd, spill, sizeof(spill)) : read(fd, buf + len, size - 1 - len);
        if (got <= 0) {
            buf[len] = '\0';
            return got == 0;
        }
        if (!full)
            len += (size_t)got;
    }
    return false;
}

/* A whole word of the list, not the beginning of a longer name. */
static bool lists(const char *list, const char *object) {
    size_t len = strlen(object);
    for (const char *at = list; (at = strstr(at, object)) != NULL; at += len) {
        bool begins = at == list || strchr(" \t\n", at[-1]) != NULL;
        if (begins && (at[len] == '\0' || strchr(" \t\r\n,", at[len]) != NULL))
            return true;
    }
    return false;
}

/* Runs QEMU with up to two arguments and returns what it prints. */
static int ask(const char *qemu, const char *option, const char *value, char *answer, size_t size,
               struct skein_error *err) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return skein_error_sys(err, -errno, "cannot make a pipe");
    struct skein_argv argv = {0};
    skein_argv_push(&argv, "%s", qemu);
    skein_argv_push(&argv, "%s", option);
    if (value != NULL)
        skein_argv_push(&argv, "%s", value);
    struct skein_child child = {0};
    const struct skein_child_opts opts = {.argv = argv.v, .output_fd = fds[1]};
    int ret = skein_child_start(&child, &opts, err);
    close(fds[1]);
    if (ret == 0 && !read_all(fds[0], answer, size))
        ret = skein_error_set(err, -ETIMEDOUT, "%s %s does not answer", qemu, option);
    close(fds[0]);
    skein_child_stop(&child);
    skein_argv_free(&argv);
    return ret;
}

int skein_qemu_has_object(const char *qemu, const char *object, struct skein_error *err) {
    char list[16384];
    int ret = ask(qemu, "-object", "help", list, sizeof(list), err);
    if (ret == 0 && !lists(list, object))
        return skein_error_set(err, -ENOTSUP, "%s has no %s object: it is not Skein's QEMU", qemu,
                               object);
    return ret;
}

int skein_qemu_version(const char *qemu, char *version, size_t size, struct skein_error *err) {
    static const char before[] = "QEMU emulator version ";
    char text[1024];
    int ret = ask(qemu, "--version", NULL, text, sizeof(text), err);
    if (ret != 0)
        return ret;
    text[strcspn(text, "\n")] = '\0';
    bool usual = strncmp(text, before, sizeof(before) - 1) == 0;
    snprintf(version, size, "%.100s", usual ? text + sizeof(before) - 1 : text);
    return 0;
}

int skein_qemu_find_replayer(const char *chosen, const char **qemu, struct skein_error *err) {
    int ret = skein_qemu_find(chosen, qemu, err);
    return ret != 0 ? ret : skein_qemu_has_object(*qemu, "skein-replay", err);
}
