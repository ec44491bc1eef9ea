#include "cli/record_describe.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>

#include "cli/qemu_probe.h"
#include "pipeline/session_map.h"

static int describe_file(struct skein_manifest_file *file, const char *path,
                         struct skein_error *err) {
    char absolute[PATH_MAX];
    return skein_manifest_file_fill(file, realpath(path, absolute) != NULL ? absolute : path, err);
}

int skein_record_describe(const struct skein_record_opts *o, const char *qemu,
                          struct skein_manifest *m, struct skein_error *err) {
    struct timespec now;
    struct utsname host;
    clock_gettime(CLOCK_REALTIME, &now);
    uname(&host);
    m->created_unix_ns = (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
    snprintf(m->host, sizeof(m->host), "%.40s %.40s %.40s", host.sysname, host.release,
             host.machine);
    snprintf(m->machine, sizeof(m->machine), "%s", o->machine.machine);
    snprintf(m->cpu_model, sizeof(m->cpu_model), "%s", o->machine.cpu);
    m->vcpu_count = o->machine.vcpus;
    m->memory_bytes = o->machine.memory_bytes;
    m->scope = o->scope;
    m->chaos = o->chaos;
    snprintf(m->cmdline, sizeof(m->cmdline), "%s", o->guest.append ? o->guest.append : "");
    snprintf(m->start, sizeof(m->start), "%s", o->start.word);
    snprintf(m->stop, sizeof(m->stop), "%s", o->stop.word);
    snprintf(m->end_reason, sizeof(m->end_reason), "it is still being made, or skein was killed");
    int ret = skein_uuid_make(m->uuid);
    if (ret != 0)
        return skein_error_sys(err, ret, "cannot make a UUID");
    if (o->vm != SKEIN_VM_OWN) {
        snprintf(m->qemu_version, sizeof(m->qemu_version), "%s", o->qemu_version);
        return 0;
    }
    ret = skein_qemu_version(qemu, m->qemu_version, sizeof(m->qemu_version), err);
    if (ret == 0)
        ret = describe_file(&m->kernel, o->guest.kernel, err);
    if (ret == 0 && o->guest.initrd != NULL)
        ret = describe_file(&m->initrd, o->guest.initrd, err);
    return ret;
}
