#include "cli/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/qmp.h"
#include "pipeline/session.h"

#define ANSWER_MS 10000

static int dial(const char *path, int *fd, struct skein_error *err) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(to.sun_path))
        return skein_error_set(err, -ENAMETOOLONG, "%s is too long for the path of a socket", path);
    memcpy(to.sun_path, path, strlen(path) + 1);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return skein_error_sys(err, -errno, "cannot make a socket");
    if (connect(*fd, (const struct sockaddr *)&to, sizeof(to)) == 0 &&
        fcntl(*fd, F_SETFL, O_NONBLOCK) == 0)
        return 0;
    int ret = skein_error_sys(err, -errno, "cannot connect to QEMU at %s", path);
    close(*fd);
    *fd = -1;
    return ret;
}

/* Until all that was sent is answered. */
static int await_answers(struct skein_qmp *q, const char *path, struct skein_error *err) {
    struct pollfd p = {.fd = q->fd, .events = POLLIN};
    while (q->waiting > 0 && !q->failed) {
        int ready = poll(&p, 1, ANSWER_MS);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return skein_error_set(err, -ETIMEDOUT,
                                   "%s does not answer: is it a QMP socket, and free?", path);
        if (!skein_qmp_read(q))
            return skein_error_set(err, -EPROTO, "%s hung up: is it a QMP socket?", path);
    }
    return 0;
}

static int read_machine(const struct skein_qmp *q, struct skein_attached *a,
                        struct skein_error *err) {
    char why[400], recording[8], memory[24], vcpus[16];
    if (skein_qmp_member(q, "unsuitable", why, sizeof(why)))
        return skein_error_set(err, -EINVAL, "%s", why);
    if (!skein_qmp_member(q, "machine", a->machine, sizeof(a->machine)) ||
        !skein_qmp_member(q, "cpu", a->cpu, sizeof(a->cpu)) ||
        !skein_qmp_member(q, "version", a->version, sizeof(a->version)) ||
        !skein_qmp_member(q, "memory", memory, sizeof(memory)) ||
        !skein_qmp_member(q, "vcpus", vcpus, sizeof(vcpus)) ||
        !skein_qmp_member(q, "recording", recording, sizeof(recording)))
        return skein_error_set(err, -EPROTO,
                               "QEMU describes its machine in a way that is not known");
    a->memory_bytes = strtoull(memory, NULL, 10);
    a->vcpus = (uint32_t)strtoul(vcpus, NULL, 10);
    if (a->memory_bytes == 0 || a->vcpus == 0 || a->vcpus > SKEIN_MAX_VCPUS)
        return skein_error_set(err, -EINVAL, "the VM has %s vCPUs and %s bytes of RAM", vcpus,
                               memory);
    if (strcmp(recording, "true") == 0)
        return skein_error_set(err, -EBUSY, "the VM is being recorded already");
    return 0;
}

static int ask(struct skein_qmp *q, const char *path, struct skein_attached *a,
               struct skein_error *err) {
    int ret = await_answers(q, path, err);
    if (ret == 0 && skein_qmp_send(q, "{\"execute\":\"query-skein\"}") != 0)
        ret = skein_error_set(err, -EPROTO, "%s hung up: is it a QMP socket?", path);
    if (ret == 0)
        ret = await_answers(q, path, err);
    if (ret == 0 && q->failed)
        ret = skein_error_set(err, -ENOTSUP, "the QEMU at %s is not Skein's: %s", path, q->message);
    return ret != 0 ? ret : read_machine(q, a, err);
}

int skein_attach_open(const char *path, struct skein_attached *a, struct skein_error *err) {
    *a = (struct skein_attached){.fd = -1};
    int fd = -1;
    int ret = dial(path, &fd, err);
    if (ret != 0)
        return ret;
    struct skein_qmp *q = calloc(1, sizeof(*q));
    if (q == NULL) {
        close(fd);
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    skein_qmp_init(q, fd);
    ret = ask(q, path, a, err);
    if (ret == 0)
        a->fd = fd;
    else
        close(fd);
    free(q);
    return ret;
}
