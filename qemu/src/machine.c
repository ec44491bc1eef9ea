/*
 * The vCPUs, as QEMU's migration streams have them, and what moves the memory map. Other devices
 * need none: their inputs to the kernel are in the log.
 */
#include "accel/tcg/skein/section.h"

#include "hw/qdev-core.h"
#include "io/channel-buffer.h"
#include "migration/qemu-file.h"
#include "migration/vmstate.h"
#include "qapi/error.h"

/* What moves the memory map: the host bridge, on either machine type. */
static DeviceState *host_bridge(const char **name)
{
    static const char *const types[] = {"i440FX", "mch"};

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        Object *found = object_resolve_path_type("", types[i], NULL);

        if (found) {
            *name = types[i];
            return DEVICE(found);
        }
    }
    return NULL;
}

static GByteArray *vmstate_of(const VMStateDescription *vmsd, void *opaque)
{
    QIOChannelBuffer *buffer = qio_channel_buffer_new(1 << 16);
    QEMUFile *qf = qemu_file_new_output(QIO_CHANNEL(buffer));
    GByteArray *bytes = g_byte_array_new();

    vmstate_save_state(qf, vmsd, opaque, NULL);
    qemu_fflush(qf);
    g_byte_array_append(bytes, buffer->data, buffer->usage);
    qemu_fclose(qf);
    object_unref(OBJECT(buffer));
    return bytes;
}

static void put_vmstate(FILE *f, uint32_t type, const char *name, const void *prefix,
                        size_t prefix_bytes, const VMStateDescription *vmsd, void *opaque)
{
    g_autoptr(GByteArray) state = vmstate_of(vmsd, opaque);

    skein_section_put(f, type, name, prefix, prefix_bytes, state->data, state->len);
}

/* Within the execution loop, the arithmetic flags are not in their register. */
static void put_cpu(FILE *f, CPUState *cpu, uint64_t halted)
{
    CPUX86State *env = cpu_env(cpu);
    target_ulong eflags = env->eflags;

    env->eflags = cpu_compute_eflags(env);
    put_vmstate(f, SKEIN_SECTION_CPU, "", &halted, sizeof(halted), &vmstate_x86_cpu, X86_CPU(cpu));
    env->eflags = eflags;
}

void skein_machine_save(FILE *f)
{
    const char *name = "";
    DeviceState *bridge = host_bridge(&name);
    CPUState *cpu;

    CPU_FOREACH(cpu) {
        SkeinCPU *c = &skein_vm.cpus[cpu->cpu_index];
        /* A vCPU that left HLT and has not logged it yet is in HLT, as the log has it. */
        uint64_t halted = cpu->halted || c->halted || c->woke;

        put_cpu(f, cpu, halted);
    }
    put_vmstate(f, SKEIN_SECTION_DEV, name, NULL, 0, DEVICE_GET_CLASS(bridge)->vmsd, bridge);
}

bool skein_machine_supported(void)
{
    const char *name;

    return host_bridge(&name) != NULL;
}

/*
 * Behind each part of the state QEMU looks for the name of an optional one, also where a register's
 * bytes only look like one, and takes the end of the stream for an error. So there is more of it.
 */
#define SUBSECTION_MAX_BYTES 512

static bool get_vmstate(FILE *f, size_t bytes, const VMStateDescription *vmsd, void *opaque,
                        Error **errp)
{
    QIOChannelBuffer *buffer = qio_channel_buffer_new(bytes + SUBSECTION_MAX_BYTES);
    QEMUFile *qf;
    int ret = -EIO;

    if (skein_section_get(f, buffer->data, bytes)) {
        memset(buffer->data + bytes, 0, SUBSECTION_MAX_BYTES);
        buffer->usage = bytes + SUBSECTION_MAX_BYTES;
        qf = qemu_file_new_input(QIO_CHANNEL(buffer));
        ret = vmstate_load_state(qf, vmsd, opaque, vmsd->version_id);
        qemu_fclose(qf);
    }
    object_unref(OBJECT(buffer));
    if (ret < 0) {
        error_setg(errp, "the snapshot's %s does not fit this machine", vmsd->name);
    }
    return ret >= 0;
}

static bool load_cpu(FILE *f, const struct skein_section *s, CPUState **cpu, Error **errp)
{
    CPUX86State *env;
    uint64_t halted;

    if (!*cpu || s->bytes < sizeof(halted) || !skein_section_get(f, &halted, sizeof(halted)) ||
        !get_vmstate(f, s->bytes - sizeof(halted), &vmstate_x86_cpu, X86_CPU(*cpu), errp)) {
        return false;
    }
    (*cpu)->halted = halted;
    /* What the flags were computed from is void. */
    env = cpu_env(*cpu);
    env->cc_op = CC_OP_EFLAGS;
    env->cc_src = env->eflags & (CC_O | CC_S | CC_Z | CC_A | CC_P | CC_C);
    env->df = env->eflags & DF_MASK ? -1 : 1;
    *cpu = CPU_NEXT(*cpu);
    return true;
}

/* Loading makes the memory map anew, which is slow: only when it is another. */
static bool load_device(FILE *f, const struct skein_section *s, DeviceState *device, Error **errp)
{
    const VMStateDescription *vmsd = DEVICE_GET_CLASS(device)->vmsd;
    g_autoptr(GByteArray) now = vmstate_of(vmsd, device);
    g_autofree uint8_t *bytes = g_try_malloc(s->bytes);
    off_t at = ftello(f);
    bool same = bytes && now->len == s->bytes && skein_section_get(f, bytes, s->bytes) &&
                memcmp(bytes, now->data, s->bytes) == 0;

    return same || (fseeko(f, at, SEEK_SET) == 0 && get_vmstate(f, s->bytes, vmsd, device, errp));
}

bool skein_machine_load(FILE *f, const struct skein_section *s, const char *name, CPUState **cpu,
                        Error **errp)
{
    const char *bridge_name = "";
    DeviceState *bridge;

    if (s->type == SKEIN_SECTION_CPU) {
        return load_cpu(f, s, cpu, errp);
    }
    bridge = host_bridge(&bridge_name);
    return bridge && !strcmp(name, bridge_name) && load_device(f, s, bridge, errp);
}
