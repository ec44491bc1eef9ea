/*
 * What a replay must know of the machine, and whether the machine can be recorded. A VM that
 * `skein record` starts always can; one that was started by hand is told all that it lacks.
 */
#include "accel/tcg/skein/state.h"
#include "accel/tcg/skein/supported.h"

#include "hw/boards.h"
#include "hw/i386/apic_internal.h"
#include "hw/i386/pc.h"
#include "hw/pci/pci_device.h"
#include "net/net.h"
#include "net/vhost_net.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-common.h"
#include "system/cpu-timers.h"
#include "system/runstate.h"
#include "system/tcg.h"

#define CPU_SUFFIX "-x86_64-cpu"
#define NICS_MAX 64
/* More devices are only counted. */
#define NAMED_MAX 4

/* Objects that change guest RAM unseen, or whose memory is no RAM of the machine's. */
static const struct {
    const char *pattern; /* of their type's name */
    const char *remedy;
} unwanted[] = {
    {"iothread", "no iothreads"},
    {"*VGA*", "-vga none"},
    {"*vga*", "-vga none"},
    {"qxl*", "-vga none"},
    {"virtio-gpu*", "-vga none"},
    {"*-display", "-vga none"},
    {"vhost-*", "no vhost devices"},
    {"vfio-*", "no host devices"},
    {"ivshmem*", "no shared memory"},
    {"virtio-balloon*", "no balloon"},
    {"virtio-mem*", "no hot-plugged RAM"},
    {"virtio-pmem*", "no hot-plugged RAM"},
    {"pc-dimm", "no hot-plugged RAM"},
    {"nvdimm", "no hot-plugged RAM"},
    {"*ahci*", "no AHCI (sata=off in -machine)"},
    {"cfi.pflash01", "no flash memory"},
};

/* One more remedy, unless it is known. */
static void want(GString *wants, const char *remedy)
{
    if (!strstr(wants->str, remedy)) {
        g_string_append_printf(wants, "%s%s", wants->len ? "; " : "", remedy);
    }
}

static int look_at_object(Object *obj, void *opaque)
{
    const char *type = object_get_typename(obj);

    for (size_t i = 0; i < ARRAY_SIZE(unwanted); i++) {
        if (g_pattern_match_simple(unwanted[i].pattern, type)) {
            want(opaque, unwanted[i].remedy);
        }
    }
    return 0;
}

static void look_at_nics(GString *wants)
{
    NetClientState *nics[NICS_MAX];
    int n = qemu_find_net_clients_except(NULL, nics, NET_CLIENT_DRIVER_NIC, NICS_MAX);

    for (int i = 0; i < MIN(n, NICS_MAX); i++) {
        if (get_vhost_net(nics[i])) {
            want(wants, "vhost=off for network devices");
        }
    }
}

/* A replay is given the number of vCPUs and the size of RAM, and nothing about their places. */
static void look_at_layout(const MachineState *m, GString *wants)
{
    const CpuTopology *t = &m->smp;
    bool sockets = MACHINE_GET_CLASS(m)->smp_props.prefer_sockets;

    if ((sockets ? t->sockets : t->cores) != t->cpus || t->max_cpus != t->cpus) {
        want(wants, "-smp with a number of vCPUs and nothing else");
    }
    if (m->maxram_size != m->ram_size || m->ram_slots ||
        (m->numa_state && m->numa_state->num_nodes)) {
        want(wants, "-m with a size and nothing else, and no -numa");
    }
    if (qemu_ram_is_shared(m->ram->ram_block) || m->ram->ram_block->fd >= 0) {
        want(wants, "RAM that is no file and not shared");
    }
}

static void look_at_cpu(GString *wants)
{
    X86CPU *cpu = X86_CPU(first_cpu);

    if (cpu->env.features[FEAT_8000_0001_ECX] & CPUID_EXT3_SVM) {
        want(wants, "-svm in -cpu");
    }
    if (cpu->apic_state && (APIC_COMMON(cpu->apic_state)->vapic_control & VAPIC_ENABLE_MASK)) {
        want(wants, "-global apic-common.vapic=off");
    }
}

static void look_at_machine(GString *wants)
{
    MachineState *m = MACHINE(qdev_get_machine());

    if (!object_dynamic_cast(OBJECT(m), TYPE_PC_MACHINE)) {
        want(wants, "-machine pc or q35");
        return;
    }
    if (x86_machine_is_smm_enabled(X86_MACHINE(m))) {
        want(wants, "smm=off in -machine");
    }
    if (PC_MACHINE(m)->vmport != ON_OFF_AUTO_OFF) {
        want(wants, "vmport=off in -machine");
    }
    look_at_layout(m, wants);
}

/* What cannot be recorded, as sentences. */
struct complaints {
    GString *text;
    unsigned count;
    bool system_scope;
};

static void complain(struct complaints *all, const char *before, Object *obj, const char *why)
{
    const char *id = DEVICE(obj)->id;

    if (all->count++ < NAMED_MAX) {
        g_string_append_printf(all->text, "%s%s %s%s%s%s: %s", all->text->len ? "; " : "", before,
                               object_get_typename(obj), id ? " (" : "", id ? id : "",
                               id ? ")" : "", why);
    }
}

/* A part of what is refused itself needs no word of its own. */
static bool is_part_of_refused(Object *obj)
{
    for (obj = obj->parent; obj; obj = obj->parent) {
        if (object_dynamic_cast(obj, TYPE_DEVICE) &&
            !skein_device_supported(object_get_typename(obj))) {
            return true;
        }
    }
    return false;
}

static bool can_be_ignored(Object *obj)
{
    unsigned class_id = PCI_DEVICE_GET_CLASS(obj)->class_id;

    return class_id == PCI_CLASS_STORAGE_EXPRESS || class_id == PCI_CLASS_NETWORK_ETHERNET;
}

static void look_at_ignored(Object *obj, struct complaints *all)
{
    if (!can_be_ignored(obj)) {
        complain(all, "cannot record with rr-ignore on", obj,
                 "only NVMe controllers and network cards can be left out");
    } else if (all->system_scope) {
        complain(all, "cannot record with rr-ignore on", obj,
                 "--scope system records what drives it, too");
    }
}

static int look_at_device(Object *obj, void *opaque)
{
    PCIDevice *pci = (PCIDevice *)object_dynamic_cast(obj, TYPE_PCI_DEVICE);

    if (!object_dynamic_cast(obj, TYPE_DEVICE) || !DEVICE(obj)->realized) {
        return 0;
    }
    if (!skein_device_supported(object_get_typename(obj))) {
        if (!is_part_of_refused(obj)) {
            complain(opaque, "cannot record with device", obj, "not supported");
        }
    } else if (pci && pci->rr_ignore) {
        look_at_ignored(obj, opaque);
    }
    return 0;
}

/* To be freed; empty: all is well. */
static GString *look_at_devices(bool system_scope)
{
    struct complaints all = {.text = g_string_new(NULL), .system_scope = system_scope};

    object_child_foreach_recursive(object_get_root(), look_at_device, &all);
    if (all.count > NAMED_MAX) {
        g_string_append_printf(all.text, "; and %u more", all.count - NAMED_MAX);
    }
    return all.text;
}

bool skein_devices_fit(bool system_scope, Error **errp)
{
    g_autoptr(GString) complaints = look_at_devices(system_scope);

    if (complaints->len) {
        error_setg(errp, "%s", complaints->str);
    }
    return !complaints->len;
}

bool skein_machine_fits(bool system_scope, Error **errp)
{
    g_autoptr(GString) complaints = look_at_devices(system_scope);
    g_autoptr(GString) wants = g_string_new(NULL);

    if (!tcg_enabled() || icount_enabled() || !qemu_tcg_mttcg_enabled()) {
        want(wants, "-accel tcg,thread=multi without -icount");
    }
    look_at_machine(wants);
    look_at_cpu(wants);
    look_at_nics(wants);
    object_child_foreach_recursive(object_get_root(), look_at_object, wants);
    if (wants->len) {
        error_setg(errp,
                   "this VM cannot be recorded: it needs %s (see skein record --print-args)%s%s",
                   wants->str, complaints->len ? "; " : "", complaints->str);
        return false;
    }
    if (complaints->len) {
        error_setg(errp, "%s", complaints->str);
        return false;
    }
    if (runstate_check(RUN_STATE_INMIGRATE) || runstate_needs_reset()) {
        error_setg(errp, "the VM is in state %s: there is nothing to record",
                   RunState_str(runstate_get()));
        return false;
    }
    return true;
}

/* The type by its full name, so that an alias that moves does not move recordings. */
char *skein_machine_type(void)
{
    MachineState *m = MACHINE(qdev_get_machine());
    const char *name = MACHINE_GET_CLASS(m)->name;

    if (!object_dynamic_cast(OBJECT(m), TYPE_PC_MACHINE)) {
        return g_strdup(name);
    }
    return g_strdup_printf("%s,smm=off,vmport=off,max-ram-below-4g=%" PRIu64, name,
                           PC_MACHINE(m)->max_ram_below_4g);
}

/* QEMU keeps no text of -cpu: the last one on the command line counts. */
char *skein_machine_cpu(void)
{
    g_autofree char *args = NULL;
    const char *type = object_get_typename(OBJECT(first_cpu)), *cpu = NULL;
    gsize len = 0;

    if (g_file_get_contents("/proc/self/cmdline", &args, &len, NULL)) {
        for (const char *at = args, *next; at < args + len; at = next) {
            next = at + strlen(at) + 1;
            if ((!strcmp(at, "-cpu") || !strcmp(at, "--cpu")) && next < args + len) {
                cpu = next;
            }
        }
    }
    return cpu                                  ? g_strdup(cpu)
           : g_str_has_suffix(type, CPU_SUFFIX) ? g_strndup(type, strlen(type) - strlen(CPU_SUFFIX))
                                                : g_strdup(type);
}
