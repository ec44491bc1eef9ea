#include "cli/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int skein_vm_sockets_open(struct skein_vm_sockets *s, struct skein_error *err) {
    for (int i = 0; i < 2; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 ||
            fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0)
            return skein_error_sys(err, -errno, "cannot make a socket");
        s->ours[i] = pair[0];
        s->theirs[i] = pair[1];
    }
    return 0;
}

int skein_vm_start(struct skein_vm *vm, struct skein_vm_sockets *s, char *const *argv, int log_fd,
                   struct skein_error *err) {
    const struct skein_child_opts opts = {
        .argv = argv, .keep_fds = s->theirs, .keep_count = 2, .output_fd = log_fd};
    *vm = (struct skein_vm){.console_fd = s->ours[0]};
    int ret = skein_child_start(&vm->child, &opts, err);
    close(s->theirs[0]);
    close(s->theirs[1]);
    skein_qmp_init(&vm->qmp, s->ours[1]);
    return ret;
}

void skein_vm_stop(struct skein_vm *vm) {
    skein_child_stop(&vm->child);
    skein_qmp_close(&vm->qmp);
    if (vm->console_fd >= 0)
        close(vm->console_fd);
    vm->console_fd = -1;
}
