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

static void put_vmstate(FILE *f, uint32_t type, const char *name, const void *prefix,
                        size_t prefix_bytes, const VMStateDescription *vmsd, void *opaque)
{
    QIOChannelBuffer *buffer = qio_channel_buffer_new(1 << 16);
    QEMUFile *qf = qemu_file_new_output(QIO_CHANNEL(buffer));

    vmstate_save_state(qf, vmsd, opaque, NULL);
    qemu_fflush(qf);
    skein_section_put(f, type, name, prefix, prefix_bytes, buffer->data, buffer->usage);
    qemu_fclose(qf);
    object_unref(OBJECT(buffer));
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

        put_vmstate(f, SKEIN_SECTION_CPU, "", &halted, sizeof(halted), &vmstate_x86_cpu,
                    X86_CPU(cpu));
    }
    put_vmstate(f, SKEIN_SECTION_DEV, name, NULL, 0, DEVICE_GET_CLASS(bridge)->vmsd, bridge);
}

bool skein_machine_supported(void)
{
    const char *name;

    return host_bridge(&name) != NULL;
}

static bool get_vmstate(FILE *f, size_t bytes, const VMStateDescription *vmsd, void *opaque,
                        Error **errp)
{
    QIOChannelBuffer *buffer = qio_channel_buffer_new(bytes);
    QEMUFile *qf;
    int ret = -EIO;

    if (skein_section_get(f, buffer->data, bytes)) {
        buffer->usage = bytes;
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
    uint64_t halted;

    if (!*cpu || s->bytes < sizeof(halted) || !skein_section_get(f, &halted, sizeof(halted)) ||
        !get_vmstate(f, s->bytes - sizeof(halted), &vmstate_x86_cpu, X86_CPU(*cpu), errp)) {
        return false;
    }
    (*cpu)->halted = halted;
    *cpu = CPU_NEXT(*cpu);
    return true;
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
    return bridge && !strcmp(name, bridge_name) &&
           get_vmstate(f, s->bytes, DEVICE_GET_CLASS(bridge)->vmsd, bridge, errp);
}
