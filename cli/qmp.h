/*
 * The little of QMP that we need: greeting, commands one after another, their answers. QEMU sends
 * one JSON object per line. Never blocks: answers arrive through skein_qmp_read().
 */
#ifndef SKEIN_CLI_QMP_H
#define SKEIN_CLI_QMP_H

#include <stdbool.h>
#include <stddef.h>

#define SKEIN_QMP_LINE_MAX 16384u

struct skein_qmp {
    int fd;            /* -1: none */
    unsigned waiting;  /* commands sent and not answered */
    bool failed;       /* a command was refused; message says why */
    char message[400]; /* the first refusal, in QEMU's words */
    char answer[2048]; /* the last answer that is no refusal, as QEMU wrote it; cut when longer */
    size_t len;
    char line[SKEIN_QMP_LINE_MAX];
};

/* fd: non-blocking, ours from now on. Sends qmp_capabilities. */
void skein_qmp_init(struct skein_qmp *q, int fd);
void skein_qmp_close(struct skein_qmp *q);

/* Sends one command: a JSON object, formatted. -errno when QEMU is gone. */
int skein_qmp_send(struct skein_qmp *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * A member of the last answer: a string's characters, or what else stands there. False: it is not
 * there, or longer than size. The answer is one object without others in it.
 */
bool skein_qmp_member(const struct skein_qmp *q, const char *name, char *value, size_t size);

/* Reads what is there. False at the end of the connection. */
bool skein_qmp_read(struct skein_qmp *q);

#endif
