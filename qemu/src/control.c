/*
 * Starting and ending: the objects skein-record and skein-replay, made on QEMU's command line or by
 * object-add in its monitor. See README.md here for their properties.
 */
#include "accel/tcg/skein/state.h"

#include <sys/mman.h>

#include "exec/address-spaces.h"
#include "exec/tb-flush.h"
#include "hw/i386/x86.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/timer.h"
#include "qom/object_interfaces.h"
#include "system/cpu-timers.h"
#include "system/runstate.h"
#include "system/system.h"
#include "system/tcg.h"

#define TYPE_SKEIN "skein-session"
#define TYPE_SKEIN_RECORD "skein-record"
#define TYPE_SKEIN_REPLAY "skein-replay"
OBJECT_DECLARE_SIMPLE_TYPE(SkeinSession, SKEIN)

#define GUEST_STARTS 1
#define GUEST_ENDS 2

SkeinVM skein_vm = { .console_fd = -1 };

struct SkeinSession {
    Object parent;
    char *session;
    char *snapshot;
    char *console;
    char *scope;
    char *start;
    bool done; /* it has begun once */
    Notifier machine_done;
    Notifier shutdown;
    VMChangeStateEntry *vm_state;
    MemoryRegion control_port;
};

static SkeinSession *the_session;

void skein_fail(const char *fmt, ...)
{
    va_list ap;
    char message[sizeof(skein_vm.session->message)];

    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    error_report("%s", message);
    if (skein_vm.session) {
        pstrcpy(skein_vm.session->message, sizeof(message), message);
        qatomic_store_release(&skein_vm.session->state, SKEIN_STATE_FAILED);
    }
}

static bool map_session(SkeinSession *s, enum skein_mode mode, Error **errp)
{
    int fd = open(s->session, O_RDWR | O_CLOEXEC);
    struct skein_session_header *h;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) || st.st_size < SKEIN_SESSION_SHARDS_OFFSET) {
        error_setg(errp, "cannot open the session %s: %s", s->session, strerror(errno));
        goto out;
    }
    h = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (h == MAP_FAILED) {
        error_setg(errp, "cannot map the session %s: %s", s->session, strerror(errno));
        goto out;
    }
    if (h->magic != SKEIN_SESSION_MAGIC || h->version != SKEIN_SESSION_VERSION ||
        h->mode != mode || h->vcpu_count > SKEIN_MAX_VCPUS ||
        h->shard_count != h->vcpu_count + 1 ||
        SKEIN_SESSION_SHARDS_OFFSET + h->shard_count * h->shard_stride > st.st_size) {
        munmap(h, st.st_size);
        error_setg(errp, "%s is not a session of this version", s->session);
        goto out;
    }
    skein_vm.session = h;
    skein_vm.session_bytes = st.st_size;
    h->qemu_pid = getpid();
    close(fd);
    return true;
out:
    if (fd >= 0) {
        close(fd);
    }
    return false;
}

static bool machine_fits(Error **errp)
{
    struct skein_session_header *h = skein_vm.session;
    MachineState *machine = MACHINE(qdev_get_machine());

    if (!tcg_enabled() || icount_enabled()) {
        error_setg(errp, "Skein needs the tcg accelerator without -icount");
    } else if (machine->smp.cpus != h->vcpu_count || machine->smp.max_cpus != h->vcpu_count) {
        error_setg(errp, "the session is for %u vCPUs, the machine has %u", h->vcpu_count,
                   machine->smp.max_cpus);
    } else if (x86_machine_is_smm_enabled(X86_MACHINE(machine))) {
        error_setg(errp, "Skein needs a machine with smm=off");
    } else if (!skein_replaying && machine->smp.cpus > 1 && !qemu_tcg_mttcg_enabled()) {
        error_setg(errp, "recording needs -accel tcg,thread=multi");
    } else if (skein_replaying && qemu_tcg_mttcg_enabled()) {
        error_setg(errp, "replaying needs -accel tcg,thread=single");
    } else {
        return true;
    }
    return false;
}

static void *shard_mem(uint32_t i)
{
    return (char *)skein_vm.session + SKEIN_SESSION_SHARDS_OFFSET +
           i * skein_vm.session->shard_stride;
}

static int open_shards(void)
{
    struct skein_session_header *h = skein_vm.session;
    struct skein_shard_writer *dw = &skein_vm.device_writer;
    int ret = 0;

    for (uint32_t i = 0; i < h->vcpu_count && !ret; i++) {
        SkeinCPU *c = &skein_vm.cpus[i];

        if (skein_replaying) {
            ret = skein_shard_reader_open(&c->reader, shard_mem(i), h->shard_stride);
        } else {
            ret = skein_shard_writer_open(&c->writer, shard_mem(i), h->shard_stride);
            c->writer.on_full = skein_log_peer_gone;
        }
    }
    if (ret) {
        return ret;
    }
    if (skein_replaying) {
        return skein_shard_reader_open(&skein_vm.device_reader, shard_mem(h->vcpu_count),
                                       h->shard_stride);
    }
    ret = skein_shard_writer_open(dw, shard_mem(h->vcpu_count), h->shard_stride);
    dw->on_full = skein_log_peer_gone;
    return ret;
}

static void attach_cpu(SkeinCPU *c, CPUState *cpu)
{
    c->cpu = cpu;
    c->id = cpu->cpu_index;
    /* Replay: nothing runs before the first event is looked at. */
    c->limit = skein_replaying ? 0 : SKEIN_FAR;
    c->stop = UINT64_MAX;
    cpu->skein_left = c->limit;
    c->in_kernel = skein_vm.system_scope ||
                   !((cpu_env(cpu)->hflags & HF_CPL_MASK) == 3 || (cpu_env(cpu)->eflags & VM_MASK));
    cpu->skein = c;
    if (c->in_kernel) {
        cpu->tcg_cflags |= CF_SKEIN;
    }
    if (skein_replaying && skein_vm.cpu_count > 1) {
        /* Atomic operations must take the same steps as when several threads ran. */
        cpu->tcg_cflags |= CF_PARALLEL;
    }
    skein_tlb_reset_mmuidx(cpu, (1 << NB_MMU_MODES) - 1, 0);
    tcg_flush_jmp_cache(cpu);
}

/* The VM stands still. */
static bool begin(SkeinSession *s, Error **errp)
{
    struct skein_session_header *h = skein_vm.session;
    int64_t t0 = get_clock();
    CPUState *cpu;

    skein_vm.system_scope = h->scope == SKEIN_SCOPE_SYSTEM;
    skein_vm.cpu_count = h->vcpu_count;
    skein_vm.device_shard = h->vcpu_count;
    skein_vm.cpus = g_new0(SkeinCPU, h->vcpu_count);
    skein_vm.console_bytes = skein_vm.console_hash = 0;
    skein_vm.uart_lcr = skein_vm.uart_mcr = 0;
    skein_token_reset();
    if (h->digest_interval == 0) {
        h->digest_interval = 1;
    }
    if (open_shards()) {
        error_setg(errp, "the session's shards are damaged");
        return false;
    }
    if (s->console) {
        skein_vm.console_fd = open(s->console, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    }
    if (skein_replaying ? !skein_snapshot_load(s->snapshot, errp)
                        : !skein_snapshot_save(s->snapshot, errp)) {
        return false;
    }
    skein_pages_init();
    CPU_FOREACH(cpu) {
        attach_cpu(&skein_vm.cpus[cpu->cpu_index], cpu);
    }
    h->ram_bytes = MACHINE(qdev_get_machine())->ram_size;
    h->snapshot_ns = get_clock() - t0;
    h->start_ns = get_clock();
    skein_vm.active = true;
    if (skein_replaying) {
        qemu_clock_enable(QEMU_CLOCK_VIRTUAL, false);
    } else {
        skein_dma_hook(true);
    }
    s->done = true;
    qatomic_store_release(&h->state, SKEIN_STATE_RUNNING);
    return true;
}

static void append_end(struct skein_shard_writer *w, enum skein_end end, uint64_t icount,
                       uint64_t digest, uint64_t ram_hash)
{
    uint64_t p[5] = { icount, digest, skein_vm.console_bytes, skein_vm.console_hash, ram_hash };

    skein_shard_append(w, SKEIN_END, 0, end, p, sizeof(p));
    skein_shard_close(w);
}

/* Ends the recording. The VM stands still, no vCPU holds the token. */
void skein_finish(enum skein_end end)
{
    struct skein_session_header *h = skein_vm.session;
    uint64_t ram_hash = skein_digest_ram();

    skein_vm.active = false;
    skein_dma_hook(false);
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        SkeinCPU *c = &skein_vm.cpus[i];

        h->kernel_icount += skein_icount(c);
        append_end(&c->writer, end, skein_icount(c), skein_digest_slice(c), ram_hash);
        c->cpu->tcg_cflags &= ~CF_SKEIN;
        c->cpu->skein = NULL;
    }
    append_end(&skein_vm.device_writer, end, 0, 0, ram_hash);
    if (skein_vm.console_fd >= 0) {
        close(skein_vm.console_fd);
        skein_vm.console_fd = -1;
    }
    g_free(skein_vm.cpus);
    skein_vm.cpus = NULL;
    h->end = end;
    h->end_ns = get_clock();
    qatomic_store_release(&h->state, SKEIN_STATE_ENDED);
}

static void stop_and_finish(enum skein_end end, bool resume)
{
    if (skein_vm.active && !skein_replaying) {
        bool was_running = runstate_is_running();

        vm_stop(RUN_STATE_PAUSED);
        skein_finish(end);
        if (was_running && resume) {
            vm_start();
        }
    }
}

static void begin_or_fail(SkeinSession *s)
{
    Error *err = NULL;

    if (!begin(s, &err)) {
        skein_fail("%s", error_get_pretty(err));
        exit(2);
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

    stop_and_finish(cause == SHUTDOWN_CAUSE_GUEST_RESET      ? SKEIN_END_RESET
                    : cause == SHUTDOWN_CAUSE_GUEST_SHUTDOWN ? SKEIN_END_SHUTDOWN
                    : cause == SHUTDOWN_CAUSE_GUEST_PANIC    ? SKEIN_END_PANIC
                                                             : SKEIN_END_STOPPED,
                    false);
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
    stop_and_finish(SKEIN_END_STOPPED, true);
}

static void control_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    QEMUBHFunc *act = value == GUEST_STARTS ? guest_starts : value == GUEST_ENDS ? guest_ends
                                                                                  : NULL;

    if (act) {
        aio_bh_schedule_oneshot(qemu_get_aio_context(), act, opaque);
    }
}

static uint64_t control_read(void *opaque, hwaddr addr, unsigned size)
{
    return skein_vm.active;
}

static const MemoryRegionOps control_ops = {
    .read = control_read,
    .write = control_write,
    .impl = { .min_access_size = 1, .max_access_size = 1 },
};

/* The machine exists: what is wrong with it is said before the guest runs. */
static bool prepare(SkeinSession *s, Error **errp)
{
    if (!machine_fits(errp)) {
        return false;
    }
    skein_vm.session->state = SKEIN_STATE_READY;
    s->shutdown.notify = on_shutdown;
    qemu_register_shutdown_notifier(&s->shutdown);
    if (!skein_replaying && !g_strcmp0(s->start, "guest")) {
        memory_region_init_io(&s->control_port, OBJECT(s), &control_ops, s, "skein-control", 1);
        memory_region_add_subregion(get_system_io(), SKEIN_CONTROL_PORT, &s->control_port);
        return true;
    }
    if (runstate_is_running()) {
        bool ok;

        vm_stop(RUN_STATE_PAUSED);
        ok = begin(s, errp);
        vm_start();
        return ok;
    }
    s->vm_state = qemu_add_vm_change_state_handler(vm_changed, s);
    return true;
}

static void machine_done(Notifier *n, void *data)
{
    SkeinSession *s = container_of(n, SkeinSession, machine_done);
    Error *err = NULL;

    if (!prepare(s, &err)) {
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
    if (!s->session || !s->snapshot) {
        error_setg(errp, "session= and snapshot= are needed");
        return;
    }
    if (!map_session(s, replay ? SKEIN_MODE_REPLAY : SKEIN_MODE_RECORD, errp)) {
        return;
    }
    skein_replaying = replay;
    the_session = s;
    if (phase_check(PHASE_MACHINE_READY)) {
        prepare(s, errp);
    } else {
        s->machine_done.notify = machine_done;
        qemu_add_machine_init_done_notifier(&s->machine_done);
    }
}

static bool can_be_deleted(UserCreatable *uc)
{
    return !skein_replaying;
}

static void finalize(Object *obj)
{
    SkeinSession *s = SKEIN(obj);

    if (the_session == s) {
        stop_and_finish(SKEIN_END_STOPPED, true);
        if (s->vm_state) {
            qemu_del_vm_change_state_handler(s->vm_state);
        }
        if (s->shutdown.notify) {
            notifier_remove(&s->shutdown);
        }
        if (s->control_port.container) {
            memory_region_del_subregion(get_system_io(), &s->control_port);
        }
        munmap(skein_vm.session, skein_vm.session_bytes);
        skein_vm.session = NULL;
        the_session = NULL;
    }
    g_free(s->session);
    g_free(s->snapshot);
    g_free(s->console);
    g_free(s->scope);
    g_free(s->start);
}

#define STRING_PROPERTY(field)                                                                     \
    static char *get_##field(Object *obj, Error **errp)                                            \
    {                                                                                              \
        return g_strdup(SKEIN(obj)->field);                                                        \
    }                                                                                              \
    static void set_##field(Object *obj, const char *value, Error **errp)                          \
    {                                                                                              \
        g_free(SKEIN(obj)->field);                                                                 \
        SKEIN(obj)->field = g_strdup(value);                                                       \
    }

STRING_PROPERTY(session)
STRING_PROPERTY(snapshot)
STRING_PROPERTY(console)
STRING_PROPERTY(scope)
STRING_PROPERTY(start)

static void class_init(ObjectClass *oc, void *data)
{
    UserCreatableClass *ucc = USER_CREATABLE_CLASS(oc);

    ucc->complete = complete;
    ucc->can_be_deleted = can_be_deleted;
    object_class_property_add_str(oc, "session", get_session, set_session);
    object_class_property_add_str(oc, "snapshot", get_snapshot, set_snapshot);
    object_class_property_add_str(oc, "console", get_console, set_console);
    object_class_property_add_str(oc, "scope", get_scope, set_scope);
    object_class_property_add_str(oc, "start", get_start, set_start);
}

static const TypeInfo types[] = {
    {
        .name = TYPE_SKEIN,
        .parent = TYPE_OBJECT,
        .abstract = true,
        .instance_size = sizeof(SkeinSession),
        .instance_finalize = finalize,
        .class_init = class_init,
        .interfaces = (InterfaceInfo[]){ { TYPE_USER_CREATABLE }, {} },
    },
    { .name = TYPE_SKEIN_RECORD, .parent = TYPE_SKEIN },
    { .name = TYPE_SKEIN_REPLAY, .parent = TYPE_SKEIN },
};

DEFINE_TYPES(types)
