/* Who starts and ends a session: its object, the guest's port, the machine's shutdown and reset. */
#include "accel/tcg/skein/replay_debug.h"

#include "exec/address-spaces.h"
#include "hw/resettable.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/error-report.h"
#include "qom/object_interfaces.h"
#include "system/reset.h"
#include "system/runstate.h"
#include "system/system.h"

#define TYPE_SKEIN "skein-session"
#define TYPE_SKEIN_REPLAY "skein-replay"
OBJECT_DECLARE_SIMPLE_TYPE(SkeinSession, SKEIN)

#define GUEST_STARTS 1
#define GUEST_ENDS 2

struct SkeinSession {
    Object parent;
    SkeinOptions options;
    bool done; /* it has begun once */
    bool resettable;
    ResettableState reset_state;
    Notifier machine_done;
    Notifier shutdown;
    VMChangeStateEntry *vm_state;
    MemoryRegion control_port;
    MemoryRegion exit_port;
};

struct property {
    const char *name;
    size_t offset; /* in SkeinOptions */
};

static const struct property strings[] = {
    {"session", offsetof(SkeinOptions, session)},
    {"snapshot", offsetof(SkeinOptions, snapshot)},
    {"console", offsetof(SkeinOptions, console)},
    {"start", offsetof(SkeinOptions, start)},
    {"stop", offsetof(SkeinOptions, stop)},
    {"checkpoints", offsetof(SkeinOptions, checkpoints)},
    {"until", offsetof(SkeinOptions, until)},
    {"debug", offsetof(SkeinOptions, debug)},
    {"trace", offsetof(SkeinOptions, trace)},
    {"find", offsetof(SkeinOptions, find)},
};

static const struct property numbers[] = {
    {"epoch-ms", offsetof(SkeinOptions, epoch_ms)},
    {"chaos", offsetof(SkeinOptions, chaos)},
    {"trace-cpu", offsetof(SkeinOptions, trace_cpu)},
    {"trace-start", offsetof(SkeinOptions, trace_start)},
    {"trace-end", offsetof(SkeinOptions, trace_end)},
};

static char **string_of(Object *obj, const struct property *p)
{
    return (char **)((char *)&SKEIN(obj)->options + p->offset);
}

static void get_string(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    char *value = *string_of(obj, opaque);

    if (!value) {
        value = (char *)"";
    }
    visit_type_str(v, name, &value, errp);
}

static void set_string(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    char **at = string_of(obj, opaque), *value;

    if (visit_type_str(v, name, &value, errp)) {
        g_free(*at);
        *at = value;
    }
}

static uint64_t *number_of(Object *obj, const struct property *p)
{
    return (uint64_t *)((char *)&SKEIN(obj)->options + p->offset);
}

static void get_number(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    visit_type_uint64(v, name, number_of(obj, opaque), errp);
}

static void set_number(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    visit_type_uint64(v, name, number_of(obj, opaque), errp);
}

static SkeinSession *the_session;

/* The VM stands still. */
static bool begin(SkeinSession *s, Error **errp)
{
    s->done = skein_begin(s->options.snapshot, s->options.console, errp);
    if (s->done && skein_debugging()) {
        skein_debug_observe();
    }
    return s->done;
}

static void begin_or_fail(SkeinSession *s)
{
    Error *err = NULL;

    if (!begin(s, &err)) {
        skein_fail("%s", error_get_pretty(err));
        exit(2);
    }
}

/* A debugger looks before the VM runs; but the machine is reset after it is made. */
static void begin_for_debugger(void *opaque)
{
    SkeinSession *s = opaque;

    if (!s->done) {
        begin_or_fail(s);
        skein_debug_begin();
    }
}

static void vm_changed(void *opaque, bool running, RunState state)
{
    SkeinSession *s = opaque;

    if (running && !s->done) {
        begin_or_fail(s);
    }
}

static void on_shutdown(Notifier *n, void *data)
{
    ShutdownCause cause = *(ShutdownCause *)data;

    skein_stop_and_finish(cause == SHUTDOWN_CAUSE_GUEST_RESET      ? SKEIN_END_RESET
                          : cause == SHUTDOWN_CAUSE_GUEST_SHUTDOWN ? SKEIN_END_SHUTDOWN
                          : cause == SHUTDOWN_CAUSE_GUEST_PANIC    ? SKEIN_END_PANIC
                                                                   : SKEIN_END_STOPPED,
                          false);
}

/* The vCPUs are paused already, and nothing is reset yet. */
static void on_reset(Object *obj, ResetType type)
{
    if (skein_vm.active && !skein_replaying) {
        skein_finish(SKEIN_END_RESET);
    }
}

static ResettableState *reset_state(Object *obj)
{
    return &SKEIN(obj)->reset_state;
}

void skein_control_end(void)
{
    if (the_session) {
        object_unparent(OBJECT(the_session));
    }
}

bool skein_control_busy(void)
{
    return the_session;
}

static void guest_starts(void *opaque)
{
    SkeinSession *s = opaque;

    if (!s->done) {
        vm_stop(RUN_STATE_PAUSED);
        begin_or_fail(s);
        vm_start();
    }
}

static void guest_ends(void *opaque)
{
    skein_stop_and_finish(SKEIN_END_STOPPED, true);
}

static bool by_guest(const char *when)
{
    return !g_strcmp0(when, "guest");
}

static void control_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    SkeinSession *s = opaque;
    QEMUBHFunc *act = NULL;

    if (value == GUEST_STARTS && by_guest(s->options.start)) {
        act = guest_starts;
    } else if (value == GUEST_ENDS && by_guest(s->options.stop)) {
        act = guest_ends;
    }
    if (act) {
        aio_bh_schedule_oneshot(qemu_get_aio_context(), act, s);
    }
}

static uint64_t control_read(void *opaque, hwaddr addr, unsigned size)
{
    return skein_vm.active;
}

static const MemoryRegionOps control_ops = {
    .read = control_read,
    .write = control_write,
    .impl = {.min_access_size = 1, .max_access_size = 1},
};

static void add_ports(SkeinSession *s)
{
    if (by_guest(s->options.start) || by_guest(s->options.stop)) {
        memory_region_init_io(&s->control_port, OBJECT(s), &control_ops, s, "skein-control", 1);
        memory_region_add_subregion(get_system_io(), SKEIN_CONTROL_PORT, &s->control_port);
    }
    skein_exit_port_add(&s->exit_port, OBJECT(s));
}

/* What is wrong with the machine is said before the guest runs. at_once: it may have run. */
static bool prepare(SkeinSession *s, bool at_once, Error **errp)
{
    if (!skein_session_fits_machine(errp)) {
        return false;
    }
    skein_vm.session->state = SKEIN_STATE_READY;
    s->shutdown.notify = on_shutdown;
    qemu_register_shutdown_notifier(&s->shutdown);
    if (!skein_replaying) {
        qemu_register_resettable(OBJECT(s));
        s->resettable = true;
        skein_peer_watch(true);
        add_ports(s);
    }
    if (by_guest(s->options.start)) {
        return true;
    }
    if (at_once) {
        bool running = runstate_is_running(), ok;

        vm_stop(RUN_STATE_PAUSED);
        ok = begin(s, errp);
        if (running) {
            vm_start();
        }
        return ok;
    }
    if (skein_debugging()) {
        aio_bh_schedule_oneshot(qemu_get_aio_context(), begin_for_debugger, s);
    }
    s->vm_state = qemu_add_vm_change_state_handler(vm_changed, s);
    return true;
}

static void machine_done(Notifier *n, void *data)
{
    SkeinSession *s = container_of(n, SkeinSession, machine_done);
    Error *err = NULL;

    if (!prepare(s, false, &err)) {
        skein_fail("%s", error_get_pretty(err));
        exit(2);
    }
}

static void complete(UserCreatable *uc, Error **errp)
{
    SkeinSession *s = SKEIN(uc);
    bool replay = object_dynamic_cast(OBJECT(uc), TYPE_SKEIN_REPLAY);

    if (the_session) {
        error_setg(errp, "one Skein session at a time");
        return;
    }
    if (!s->options.session || !s->options.snapshot) {
        error_setg(errp, "session= and snapshot= are needed");
        return;
    }
    if (!skein_session_map(s->options.session, replay ? SKEIN_MODE_REPLAY : SKEIN_MODE_RECORD,
                           errp)) {
        return;
    }
    skein_replaying = replay;
    the_session = s;
    skein_vm.options = &s->options;
    if (phase_check(PHASE_MACHINE_READY)) {
        prepare(s, true, errp);
    } else {
        s->machine_done.notify = machine_done;
        qemu_add_machine_init_done_notifier(&s->machine_done);
    }
}

static bool can_be_deleted(UserCreatable *uc)
{
    return !skein_replaying;
}

/* Not left to finalize(): the ports, while the guest can reach them, hold the object. */
static void unparent(Object *obj)
{
    SkeinSession *s = SKEIN(obj);

    if (the_session == s) {
        skein_stop_and_finish(SKEIN_END_STOPPED, true);
        if (s->resettable) {
            qemu_unregister_resettable(OBJECT(s));
            skein_peer_watch(false);
        }
        if (s->machine_done.notify) {
            qemu_remove_machine_init_done_notifier(&s->machine_done);
        }
        if (s->vm_state) {
            qemu_del_vm_change_state_handler(s->vm_state);
        }
        if (s->shutdown.notify) {
            notifier_remove(&s->shutdown);
        }
        if (s->control_port.container) {
            memory_region_del_subregion(get_system_io(), &s->control_port);
        }
        if (s->exit_port.container) {
            memory_region_del_subregion(get_system_io(), &s->exit_port);
        }
        skein_session_unmap();
        skein_vm.options = NULL;
        the_session = NULL;
    }
}

static void finalize(Object *obj)
{
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
        g_free(*string_of(obj, &strings[i]));
    }
}

static void class_init(ObjectClass *oc, void *data)
{
    UserCreatableClass *ucc = USER_CREATABLE_CLASS(oc);
    ResettableClass *rc = RESETTABLE_CLASS(oc);

    oc->unparent = unparent;
    rc->get_state = reset_state;
    rc->phases.enter = on_reset;
    ucc->complete = complete;
    ucc->can_be_deleted = can_be_deleted;
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
        object_class_property_add(oc, strings[i].name, "str", get_string, set_string, NULL,
                                  (void *)&strings[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        object_class_property_add(oc, numbers[i].name, "uint64", get_number, set_number, NULL,
                                  (void *)&numbers[i]);
    }
}

static const TypeInfo types[] = {
    {
        .name = TYPE_SKEIN,
        .parent = TYPE_OBJECT,
        .abstract = true,
        .instance_size = sizeof(SkeinSession),
        .instance_finalize = finalize,
        .class_init = class_init,
        .interfaces = (InterfaceInfo[]){{TYPE_USER_CREATABLE}, {TYPE_RESETTABLE_INTERFACE}, {}},
    },
    {.name = TYPE_SKEIN_RECORD, .parent = TYPE_SKEIN},
    {.name = TYPE_SKEIN_REPLAY, .parent = TYPE_SKEIN},
};

DEFINE_TYPES(types)
