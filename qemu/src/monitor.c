/*
 * Skein's commands in QEMU's monitors. A command that takes its time keeps its own monitor waiting
 * and nothing else: the VM goes on.
 */
#include "accel/tcg/skein/state.h"
#include "accel/tcg/skein/debug.h"
#include "accel/tcg/skein/rr.h"

#include "block/aio.h"
#include "hw/boards.h"
#include "monitor/hmp-target.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "qapi/clone-visitor.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-skein-target.h"
#include "qapi/qapi-visit-skein-target.h"
#include "qemu-version.h"
#include "qobject/qdict.h"

/* A command that waits for rr.c, in either monitor. */
struct call {
    Monitor *mon; /* HMP */
    bool suspended;
    Coroutine *co; /* QMP */
    SkeinBegun *begun;
    SkeinRecording *ended;
    Error *err;
};

void hmp_skein(Monitor *mon, const QDict *qdict)
{
    g_autofree char *answer = skein_debug_command(qdict_get_str(qdict, "command"));

    monitor_puts(mon, answer);
}

/* The prompt comes back when the callback has printed. */
static void wait_in_hmp(struct call *call)
{
    call->suspended = monitor_suspend(call->mon) == 0;
    if (!call->suspended) {
        skein_rr_wait();
    }
}

static void finish_hmp(struct call *call)
{
    if (call->suspended) {
        monitor_resume(call->mon);
    }
    g_free(call);
}

static void print_begun(void *opaque, const char *path, Error *err)
{
    struct call *call = opaque;

    if (err) {
        monitor_printf(call->mon, "Error: %s\n", error_get_pretty(err));
        error_free(err);
    } else {
        monitor_printf(call->mon, "recording into %s\n", path);
    }
    finish_hmp(call);
}

static void print_ended(void *opaque, const SkeinRecording *r)
{
    struct call *call = opaque;

    if (r->complete) {
        monitor_printf(call->mon, "%s: %" PRIu64 " events, %" PRIu64 " slices, %" PRIu64 " bytes\n",
                       r->path, r->events, r->slices, r->bytes);
    } else {
        monitor_printf(call->mon, "%s is incomplete: %s\n", r->path, r->reason ? r->reason : "");
    }
    finish_hmp(call);
}

void hmp_rr_record(Monitor *mon, const QDict *qdict)
{
    struct call *call = g_new0(struct call, 1);
    Error *err = NULL;

    call->mon = mon;
    if (skein_rr_begin(qdict_get_str(qdict, "name"), print_begun, call, &err)) {
        wait_in_hmp(call);
    } else {
        g_free(call);
        hmp_handle_error(mon, err);
    }
}

void hmp_rr_end_record(Monitor *mon, const QDict *qdict)
{
    struct call *call = g_new0(struct call, 1);
    Error *err = NULL;

    call->mon = mon;
    if (skein_rr_end(print_ended, call, &err)) {
        wait_in_hmp(call);
    } else {
        g_free(call);
        hmp_handle_error(mon, err);
    }
}

static void keep_begun(void *opaque, const char *path, Error *err)
{
    struct call *call = opaque;

    call->err = err;
    if (!err) {
        call->begun = g_new0(SkeinBegun, 1);
        call->begun->path = g_strdup(path);
    }
    aio_co_wake(call->co);
}

static void keep_ended(void *opaque, const SkeinRecording *r)
{
    struct call *call = opaque;

    call->ended = QAPI_CLONE(SkeinRecording, r);
    aio_co_wake(call->co);
}

SkeinBegun *coroutine_fn qmp_rr_record(const char *name, Error **errp)
{
    struct call call = {.co = qemu_coroutine_self()};

    if (!skein_rr_begin(name, keep_begun, &call, errp)) {
        return NULL;
    }
    qemu_coroutine_yield();
    error_propagate(errp, call.err);
    return call.begun;
}

SkeinRecording *coroutine_fn qmp_rr_end_record(Error **errp)
{
    struct call call = {.co = qemu_coroutine_self()};

    if (!skein_rr_end(keep_ended, &call, errp)) {
        return NULL;
    }
    qemu_coroutine_yield();
    return call.ended;
}

SkeinMachine *qmp_query_skein(Error **errp)
{
    MachineState *machine = MACHINE(qdev_get_machine());
    SkeinMachine *m = g_new0(SkeinMachine, 1);
    Error *err = NULL;

    m->machine = skein_machine_type();
    m->cpu = skein_machine_cpu();
    m->memory = machine->ram_size;
    m->vcpus = machine->smp.cpus;
    m->version = g_strdup(QEMU_FULL_VERSION);
    m->recording = skein_control_busy();
    if (!skein_machine_fits(false, &err)) {
        m->unsuitable = g_strdup(error_get_pretty(err));
        error_free(err);
    }
    return m;
}
