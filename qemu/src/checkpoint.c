/*
 * Checkpoints as files, one after the other: of a recording every so often, with the VM standing
 * still; of a replay where some vCPU is about to execute. A new one waits until the one before was
 * taken away.
 */
#include "accel/tcg/skein/replay.h"
#include "accel/tcg/skein/section.h"

#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/timer.h"
#include "system/runstate.h"

/* How soon to look again when the one before is still there. */
#define BUSY_MS 10

static QEMUTimer *timer;
static int64_t due_ns;
static bool failed;

static bool wanted(void)
{
    return skein_vm.options->checkpoints && skein_vm.options->epoch_ms;
}

static bool room_for_one(void)
{
    struct skein_session_header *h = skein_vm.session;

    return qatomic_load_acquire(&h->checkpoints_packed) == h->checkpoints;
}

static void take(void)
{
    struct skein_session_header *h = skein_vm.session;
    uint32_t n = h->checkpoints + 1;
    g_autofree char *path = g_strdup_printf("%s.%" PRIu32, skein_vm.options->checkpoints, n);
    Error *err = NULL;

    if (!skein_snapshot_save_changes(path, skein_vm.first_checkpoint + n, &err)) {
        /* The recording itself is as good as before. */
        warn_report("no more checkpoints: %s", error_get_pretty(err));
        error_free(err);
        unlink(path);
        failed = true;
        return;
    }
    qatomic_store_release(&h->checkpoints, n);
}

static void arm(int64_t ms)
{
    timer_mod(timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + ms);
}

static void on_timer(void *opaque)
{
    int64_t begin = get_clock();

    if (!room_for_one()) {
        arm(BUSY_MS);
        return;
    }
    if (runstate_is_running()) {
        vm_stop(RUN_STATE_PAUSED);
        take();
        vm_start();
        skein_vm.session->checkpoint_ns += get_clock() - begin;
    }
    if (!failed) {
        arm(skein_vm.options->epoch_ms);
    }
}

static uint64_t replay_next(SkeinCPU *c)
{
    return SKEIN_NEVER;
}

static bool replay_at(SkeinCPU *c)
{
    int64_t now = get_clock();

    if (now >= due_ns && !failed && room_for_one()) {
        take();
        skein_vm.session->checkpoint_ns += get_clock() - now;
        due_ns = get_clock() + skein_vm.options->epoch_ms * SCALE_MS;
    }
    return false;
}

void skein_epochs_begin(void)
{
    static const struct skein_observer observer = {replay_next, replay_at};

    if (!wanted()) {
        return;
    }
    failed = false;
    skein_changes_watch(true);
    if (skein_replaying) {
        due_ns = get_clock() + skein_vm.options->epoch_ms * SCALE_MS;
        skein_observe(&observer);
    } else {
        timer = timer_new_ms(QEMU_CLOCK_REALTIME, on_timer, NULL);
        arm(skein_vm.options->epoch_ms);
    }
}

void skein_epochs_end(void)
{
    if (timer) {
        timer_free(timer);
        timer = NULL;
    }
}
