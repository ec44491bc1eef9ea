#include "cli/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/qemu_args.h"

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

void skein_vm_adopt(struct skein_vm *vm, enum skein_vm_kind kind, int fd) {
    *vm = (struct skein_vm){.kind = kind, .console_fd = -1, .qmp = {.fd = fd}};
}

bool skein_vm_over(struct skein_vm *vm) {
    return vm->kind == SKEIN_VM_OWN ? skein_child_poll(&vm->child) : vm->left;
}

int skein_vm_end_recording(struct skein_vm *vm) {
    if (vm->kind == SKEIN_VM_ASKED)
        return skein_qmp_send(&vm->qmp, "{\"end\":true}");
    return skein_qmp_send(
        &vm->qmp, "{\"execute\":\"object-del\",\"arguments\":{\"id\":\"" SKEIN_OBJECT_ID "\"}}");
}

void skein_vm_describe(const struct skein_vm *vm, char *buf, size_t len) {
    if (vm->kind == SKEIN_VM_OWN)
        skein_child_describe(&vm->child, buf, len);
    else
        snprintf(buf, len, "it was not started by skein, which knows no more");
}

void skein_vm_stop(struct skein_vm *vm) {
    if (vm->kind == SKEIN_VM_OWN)
        skein_child_stop(&vm->child);
    skein_qmp_close(&vm->qmp);
    if (vm->console_fd >= 0)
        close(vm->console_fd);
    vm->console_fd = -1;
}
