/*
 * The process on the other side of a session. When a recording's collector is gone, nobody reads
 * the shards any more: the session goes, and the VM goes on without being recorded.
 */
#include "accel/tcg/skein/state.h"

static void give_up(void *only_if)
{
    if (!only_if || *(const bool *)only_if) {
        skein_control_end();
    }
}

void skein_peer_watch(bool on)
{
    if (skein_vm.peer_fd >= 0) {
        qemu_set_fd_handler(skein_vm.peer_fd, on ? give_up : NULL, NULL, NULL);
    }
}

void skein_peer_lost(void)
{
    aio_bh_schedule_oneshot(qemu_get_aio_context(), give_up, &skein_vm.lost);
}
