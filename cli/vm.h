/* A guest being recorded: QEMU as a child, the serial console and QMP on sockets. */
#ifndef SKEIN_CLI_VM_H
#define SKEIN_CLI_VM_H

#include "cli/child.h"
#include "cli/qmp.h"

struct skein_vm {
    struct skein_child child;
    int console_fd; /* both ways, non-blocking; -1: closed */
    struct skein_qmp qmp;
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

/* Ends QEMU, if it still runs, and closes the sockets. */
void skein_vm_stop(struct skein_vm *vm);

#endif
