/* fake_qemu as one that takes checkpoints: of a made-up machine, in QEMU's form. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/cli/fake_qemu.h"
#include "tests/pipeline/machine.h"

#define PAGES 200u
#define PATIENCE_MS 5000
#define BAD_PATIENCE_MS 200 /* nobody will pack the next one */

static struct machine machine;

bool fake_checkpoints_begin(const struct fake_qemu *q) {
    const struct skein_session_header *h = skein_session_header(q->session);
    if (atoi(q->object.epoch_ms) == 0)
        return false;
    machine = machine_make(h->uuid, h->vcpu_count, PAGES, 1);
    machine_snapshot(&machine, q->object.snapshot);
    return true;
}

/* Whether the one before has been taken away. */
static bool await_room(const struct fake_qemu *q) {
    const struct timespec ms = {.tv_nsec = 1000000};
    const struct skein_session_header *h = skein_session_header(q->session);
    int left = fake_mode(q, "badcheckpoint") && h->checkpoints == 2 ? BAD_PATIENCE_MS : PATIENCE_MS;
    while (__atomic_load_n(&h->checkpoints_packed, __ATOMIC_ACQUIRE) != h->checkpoints &&
           left-- > 0)
        nanosleep(&ms, NULL);
    return left > 0;
}

void fake_checkpoints_take(const struct fake_qemu *q, const uint64_t *ticks) {
    struct skein_session_header *h = skein_session_header(q->session);
    char path[600];
    if (!await_room(q))
        return;
    machine_run(&machine, 60);
    machine_move(&machine, ticks);
    machine.cut.console_bytes = 0;
    snprintf(path, sizeof(path), "%s.%u", q->object.checkpoints, h->checkpoints + 1);
    machine_checkpoint(&machine, path);
    if (fake_mode(q, "badcheckpoint") && h->checkpoints == 1 && truncate(path, 3000) != 0)
        exit(1);
    __atomic_store_n(&h->checkpoints, h->checkpoints + 1, __ATOMIC_RELEASE);
}
