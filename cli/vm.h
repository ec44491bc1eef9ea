/*
 * A guest being recorded, and the way in which we talk to the QEMU that runs it:
 *
 *   OWN       our child; the serial console and QMP on sockets
 *   ATTACHED  somebody else's, by its QMP socket
 *   ASKED     QEMU itself has started us (rr_record), and listens on a socket
 */
#ifndef SKEIN_CLI_VM_H
#define SKEIN_CLI_VM_H

#include "cli/child.h"
#include "cli/qmp.h"

enum skein_vm_kind { SKEIN_VM_OWN, SKEIN_VM_ATTACHED, SKEIN_VM_ASKED };

struct skein_vm {
    enum skein_vm_kind kind;
    struct skein_child child; /* OWN */
    bool left;                /* not OWN: we have nothing more to do with it; it goes on */
    int console_fd;           /* OWN: both ways, non-blocking; -1: closed */
    struct skein_qmp qmp;     /* ASKED: only to send lines and to see the end */
};

/* QEMU's ends of the two sockets; made first, because the command line names them. */
struct skein_vm_sockets {
    int ours[2]; /* console, QMP */
    int theirs[2];
};
int skein_vm_sockets_open(struct skein_vm_sockets *s, struct skein_error *err);

/* Starts QEMU; takes over the sockets, whether it works or not. log_fd: its stdout and stderr. */
int skein_vm_start(struct skein_vm *vm, struct skein_vm_sockets *s, char *const *argv, int log_fd,
                   struct skein_error *err);

/* A VM that runs already; fd, with QMP's capabilities negotiated, is ours from now on. */
void skein_vm_adopt(struct skein_vm *vm, enum skein_vm_kind kind, int fd);

/* Has QEMU ended, or have we left it? Never blocks. */
bool skein_vm_over(struct skein_vm *vm);

/* Asks QEMU to end the recording. -errno when it cannot be reached. */
int skein_vm_end_recording(struct skein_vm *vm);

/* How it ended: as skein_child_describe(). */
void skein_vm_describe(const struct skein_vm *vm, char *buf, size_t len);

/* Ends QEMU, if it is our own and still runs, and closes the sockets. */
void skein_vm_stop(struct skein_vm *vm);

#endif
