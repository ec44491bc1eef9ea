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
    char message[256]; /* the first refusal, in QEMU's words */
    size_t len;
    char line[SKEIN_QMP_LINE_MAX];
};

/* fd: non-blocking, ours from now on. Sends qmp_capabilities. */
void skein_qmp_init(struct skein_qmp *q, int fd);
void skein_qmp_close(struct skein_qmp *q);

/* Sends one command: a JSON object, formatted. -errno when QEMU is gone. */
int skein_qmp_send(struct skein_qmp *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Reads what is there. False at the end of the connection. */
bool skein_qmp_read(struct skein_qmp *q);

#endif
