/*
 * The machine's state where a recording begins: RAM, vCPUs, and the chipset's memory map. Other
 * devices need none: their inputs to the kernel are in the log.
 *
 * File: magic "SKNSNAP1", then sections, each {u32 type, u32 name_bytes, u64 bytes}, name, content.
 *   HEAD  recording UUID (16), u32 vCPUs, u32 reserved
 *   CPU   u64 halted, then the vCPU as a migration stream
 *   DEV   the device as a migration stream
 *   RAM   u64 RAM offset, u64 length, then runs {u64 at, u64 bytes} content; a run of 0 bytes ends
 *   END   nothing
 */
#include "accel/tcg/skein/state.h"

#include "exec/target_page.h"
#include "hw/qdev-core.h"
#include "io/channel-buffer.h"
#include "migration/qemu-file.h"
#include "migration/vmstate.h"
#include "qapi/error.h"
#include "qemu/cutils.h"

#define MAGIC "SKNSNAP1"
#define RUN_MAX_BYTES (1 << 20)

enum section_type { HEAD = 1, CPU_STATE, DEVICE_STATE, RAM_STATE, END };

struct section {
    uint32_t type;
    uint32_t name_bytes;
    uint64_t bytes; /* 0 for RAM: its runs end themselves */
};

struct head {
    uint8_t uuid[16];
    uint32_t vcpus;
    uint32_t reserved;
};

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

static void put(FILE *f, uint32_t type, const char *name, const void *prefix, size_t prefix_bytes,
                const void *data, size_t bytes)
{
    struct section s = {type, strlen(name), prefix_bytes + bytes};

    fwrite(&s, sizeof(s), 1, f);
    fwrite(name, 1, s.name_bytes, f);
    fwrite(prefix, 1, prefix_bytes, f);
    fwrite(data, 1, bytes, f);
}

static void put_vmstate(FILE *f, uint32_t type, const char *name, const void *prefix,
                        size_t prefix_bytes, const VMStateDescription *vmsd, void *opaque)
{
    QIOChannelBuffer *buffer = qio_channel_buffer_new(1 << 16);
    QEMUFile *qf = qemu_file_new_output(QIO_CHANNEL(buffer));

    vmstate_save_state(qf, vmsd, opaque, NULL);
    qemu_fflush(qf);
    put(f, type, name, prefix, prefix_bytes, buffer->data, buffer->usage);
    qemu_fclose(qf);
    object_unref(OBJECT(buffer));
}

static void put_ram(FILE *f, RAMBlock *block)
{
    struct section s = {RAM_STATE, strlen(block->idstr), 0};
    uint64_t place[2] = {block->offset, block->used_length};
    uint64_t run[2] = {0, 0};

    fwrite(&s, sizeof(s), 1, f);
    fwrite(block->idstr, 1, s.name_bytes, f);
    fwrite(place, sizeof(place), 1, f);
    for (ram_addr_t at = 0; at <= block->used_length; at += TARGET_PAGE_SIZE) {
        size_t len = MIN(TARGET_PAGE_SIZE, block->used_length - at);
        bool zero = len == 0 || buffer_is_zero(block->host + at, len);

        if (run[1] && (zero || run[1] >= RUN_MAX_BYTES)) {
            fwrite(run, sizeof(run), 1, f);
            fwrite(block->host + run[0], 1, run[1], f);
            run[1] = 0;
        }
        if (!zero) {
            run[0] = run[1] ? run[0] : at;
            run[1] += len;
        }
    }
    run[0] = run[1] = 0;
    fwrite(run, sizeof(run), 1, f);
}

bool skein_snapshot_save(const char *path, Error **errp)
{
    struct head head = {.vcpus = skein_vm.cpu_count};
    FILE *f = fopen(path, "wb");
    const char *name;
    DeviceState *bridge = host_bridge(&name);
    RAMBlock *block;
    CPUState *cpu;

    if (!f || !bridge) {
        error_setg(errp, "cannot write the snapshot %s: %s", path,
                   f ? "this machine type is not supported" : strerror(errno));
        return false;
    }
    memcpy(head.uuid, skein_vm.session->uuid, sizeof(head.uuid));
    fwrite(MAGIC, 1, strlen(MAGIC), f);
    put(f, HEAD, "", &head, sizeof(head), NULL, 0);
    CPU_FOREACH(cpu) {
        uint64_t halted = cpu->halted;

        put_vmstate(f, CPU_STATE, "", &halted, sizeof(halted), &vmstate_x86_cpu, X86_CPU(cpu));
    }
    put_vmstate(f, DEVICE_STATE, name, NULL, 0, DEVICE_GET_CLASS(bridge)->vmsd, bridge);
    RAMBLOCK_FOREACH(block) {
        put_ram(f, block);
    }
    put(f, END, "", NULL, 0, NULL, 0);
    if (ferror(f) | fclose(f)) {
        error_setg(errp, "cannot write the snapshot %s: %s", path, strerror(errno));
        return false;
    }
    return true;
}

static bool get(FILE *f, void *to, size_t bytes)
{
    return bytes == 0 || fread(to, bytes, 1, f) == 1;
}

static bool get_head(FILE *f, Error **errp)
{
    struct head head;

    if (!get(f, &head, sizeof(head))) {
        error_setg(errp, "the snapshot is cut off");
    } else if (memcmp(head.uuid, skein_vm.session->uuid, sizeof(head.uuid))) {
        error_setg(errp, "the snapshot belongs to another recording");
    } else if (head.vcpus != skein_vm.cpu_count) {
        error_setg(errp, "the snapshot has %u vCPUs, the machine %u", head.vcpus,
                   skein_vm.cpu_count);
    } else {
        return true;
    }
    return false;
}

static bool get_vmstate(FILE *f, size_t bytes, const VMStateDescription *vmsd, void *opaque,
                        Error **errp)
{
    QIOChannelBuffer *buffer = qio_channel_buffer_new(bytes);
    QEMUFile *qf;
    int ret = -EIO;

    if (get(f, buffer->data, bytes)) {
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

static RAMBlock *find_block(const char *name)
{
    RAMBlock *block;

    RAMBLOCK_FOREACH(block) {
        if (!strcmp(block->idstr, name)) {
            return block;
        }
    }
    return NULL;
}

static bool get_ram(FILE *f, const char *name, Error **errp)
{
    RAMBlock *block = find_block(name);
    uint64_t place[2], run[2];

    if (!get(f, place, sizeof(place))) {
        goto bad;
    }
    if (block && (block->offset != place[0] || block->max_length < place[1])) {
        error_setg(errp, "the snapshot's RAM %s does not fit this machine", name);
        return false;
    }
    if (block) {
        memset(block->host, 0, block->used_length);
    }
    while (get(f, run, sizeof(run))) {
        if (run[1] == 0) {
            return true;
        }
        if (run[1] > RUN_MAX_BYTES + TARGET_PAGE_SIZE || run[0] + run[1] > place[1]) {
            goto bad;
        }
        /* A block that this machine lacks was never the kernel's RAM: ROM files, say. */
        if (block ? !get(f, block->host + run[0], run[1]) : fseeko(f, run[1], SEEK_CUR) != 0) {
            goto bad;
        }
    }
bad:
    error_setg(errp, "the snapshot's RAM %s is damaged", name);
    return false;
}

static bool get_section(FILE *f, const struct section *s, const char *name, CPUState **cpu,
                        Error **errp)
{
    const char *bridge_name = "";
    DeviceState *bridge = host_bridge(&bridge_name);
    uint64_t halted;

    switch (s->type) {
    case HEAD:
        return get_head(f, errp);
    case CPU_STATE:
        if (!*cpu || s->bytes < sizeof(halted) || !get(f, &halted, sizeof(halted)) ||
            !get_vmstate(f, s->bytes - sizeof(halted), &vmstate_x86_cpu, X86_CPU(*cpu), errp)) {
            break;
        }
        (*cpu)->halted = halted;
        *cpu = CPU_NEXT(*cpu);
        return true;
    case DEVICE_STATE:
        if (bridge && !strcmp(name, bridge_name)) {
            return get_vmstate(f, s->bytes, DEVICE_GET_CLASS(bridge)->vmsd, bridge, errp);
        }
        break;
    case RAM_STATE:
        return get_ram(f, name, errp);
    }
    if (errp && !*errp) {
        error_setg(errp, "the snapshot does not fit this machine");
    }
    return false;
}

bool skein_snapshot_load(const char *path, Error **errp)
{
    FILE *f = fopen(path, "rb");
    CPUState *cpu = first_cpu;
    struct section s = {0};
    char magic[sizeof(MAGIC)] = "", name[256];
    bool ok = false;

    if (!f || !get(f, magic, strlen(MAGIC)) || strcmp(magic, MAGIC)) {
        error_setg(errp, "%s is not a snapshot", path);
        goto out;
    }
    while (get(f, &s, sizeof(s)) && s.name_bytes < sizeof(name) && get(f, name, s.name_bytes)) {
        name[s.name_bytes] = '\0';
        ok = s.type == END;
        if (ok || !get_section(f, &s, name, &cpu, errp)) {
            break;
        }
    }
    if (!ok && errp && !*errp) {
        error_setg(errp, "the snapshot %s is cut off", path);
    }
out:
    if (f) {
        fclose(f);
    }
    return ok;
}
