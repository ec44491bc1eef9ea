/* skein doctor: memory, limits, QEMU. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "cli/qemu_probe.h"
#include "pipeline/huge_pages.h"

#define SHM "/dev/shm"
#define FILES_NEEDED 64u
#define SEGMENT_ROOM (256u << 20) /* more than a segment, a session or most snapshots take */

/* In MiB, rounded up. */
static uint64_t mib(uint64_t bytes) {
    return (bytes + (1u << 20) - 1) >> 20;
}

static void check_shm(const struct skein_doctor_plan *plan, struct skein_findings *found) {
    struct statvfs fs;
    const uint64_t both = plan->session_bytes + plan->memory_bytes;
    if (access(SHM, W_OK | X_OK) != 0 || statvfs(SHM, &fs) != 0) {
        skein_finding_todo(skein_findings_add(found, SKEIN_LEVEL_STOP, "/dev/shm",
                                              "it cannot be written: %s", strerror(errno)),
                           "mount -t tmpfs -o mode=1777 tmpfs " SHM);
        return;
    }
    const uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (free_bytes < plan->session_bytes)
        skein_finding_todo(skein_findings_add(found, SKEIN_LEVEL_STOP, "/dev/shm",
                                              "%" PRIu64 " MiB free; the session takes %" PRIu64
                                              " MiB",
                                              free_bytes >> 20, mib(plan->session_bytes)),
                           "mount -o remount,size=%" PRIu64 "m " SHM,
                           mib((uint64_t)fs.f_blocks * fs.f_frsize + both));
    else if (free_bytes < both)
        skein_finding_todo(
            skein_findings_add(found, SKEIN_LEVEL_NOTE, "/dev/shm",
                               "%" PRIu64 " MiB free: enough for the session (%" PRIu64
                               " MiB), not for a snapshot of a guest that has filled "
                               "its RAM (%" PRIu64 " MiB)",
                               free_bytes >> 20, mib(plan->session_bytes), mib(plan->memory_bytes)),
            "mount -o remount,size=%" PRIu64 "m " SHM,
            mib((uint64_t)fs.f_blocks * fs.f_frsize + both));
    else
        skein_findings_add(found, SKEIN_LEVEL_OK, "/dev/shm",
                           "%" PRIu64 " MiB free; session %" PRIu64 " MiB, snapshot up to %" PRIu64
                           " MiB",
                           free_bytes >> 20, mib(plan->session_bytes), mib(plan->memory_bytes));
}

static uint64_t available_memory(void) {
    FILE *f = fopen("/proc/meminfo", "re");
    char line[256];
    uint64_t kib = 0;
    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1)
            break;
    if (f != NULL)
        fclose(f);
    return kib << 10;
}

static void check_memory(const struct skein_doctor_plan *plan, struct skein_findings *found) {
    const uint64_t have = available_memory();
    const uint64_t need = plan->session_bytes + plan->memory_bytes;
    if (have == 0)
        return;
    if (have < need)
        skein_finding_todo(skein_findings_add(found, SKEIN_LEVEL_SLOW, "memory",
                                              "%" PRIu64 " MiB available; guest and session take "
                                              "%" PRIu64 " MiB",
                                              have >> 20, mib(need)),
                           "skein record --memory %" PRIu64 "M …",
                           have / 2 > plan->session_bytes ? (have / 2) >> 20 : 16);
    else
        skein_findings_add(found, SKEIN_LEVEL_OK, "memory",
                           "%" PRIu64 " MiB available; guest and session take %" PRIu64 " MiB",
                           have >> 20, mib(need));
}

static void check_huge_pages(struct skein_findings *found) {
    if (skein_huge_pages_offered(SHM))
        skein_finding_todo(
            skein_findings_add(found, SKEIN_LEVEL_OK, "huge pages", "offered by " SHM),
            "skein record --huge-pages …");
    else
        skein_finding_todo(
            skein_findings_add(found, SKEIN_LEVEL_NOTE, "huge pages", "not offered by " SHM),
            "mount -o remount,huge=advise " SHM ", then skein record --huge-pages …");
}

static void check_rlimits(struct skein_findings *found) {
    struct rlimit files, size;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES_NEEDED)
        skein_finding_todo(skein_findings_add(found, SKEIN_LEVEL_STOP, "open files",
                                              "%" PRIu64 " may be open", (uint64_t)files.rlim_cur),
                           "ulimit -n 1024");
    else
        skein_findings_add(found, SKEIN_LEVEL_OK, "open files", "%" PRIu64 " may be open",
                           (uint64_t)files.rlim_cur);
    if (getrlimit(RLIMIT_FSIZE, &size) == 0 && size.rlim_cur != RLIM_INFINITY)
        skein_finding_todo(
            skein_findings_add(found,
                               size.rlim_cur < SEGMENT_ROOM ? SKEIN_LEVEL_STOP : SKEIN_LEVEL_NOTE,
                               "file size", "no file may be larger than %" PRIu64 " MiB",
                               (uint64_t)size.rlim_cur >> 20),
            "ulimit -f unlimited");
}

/* How the drain threads and the shards' memory can be placed; tried on a page of our own. */
static void check_binding(const struct skein_doctor_plan *plan, struct skein_findings *found) {
    const struct skein_topology *t = plan->topology;
    const uint32_t nodes = skein_topology_nodes(t);
    char list[128];
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int rc = page == MAP_FAILED ? -ENOMEM : skein_topology_bind_memory(t, 0, page, 4096);
    if (page != MAP_FAILED)
        munmap(page, 4096);
    if (rc != 0 && nodes > 1)
        skein_finding_todo(
            skein_findings_add(found, SKEIN_LEVEL_SLOW, "binding",
                               "memory cannot be bound to a node: %s", strerror(-rc)),
            "give the container CAP_SYS_NICE, or allow mbind in its seccomp profile");
    else if (nodes > 1)
        skein_findings_add(found, SKEIN_LEVEL_OK, "binding", "shards and drain threads, by node");
    for (uint32_t i = 0; nodes > 1 && i < nodes; i++) {
        if (skein_topology_node_processors(t, i) <= plan->vcpus)
            continue;
        skein_topology_node_list(t, i, list, sizeof(list));
        skein_finding_todo(
            skein_findings_add(found, SKEIN_LEVEL_NOTE, "nodes",
                               "vCPU threads are not bound, and each hand-off of the token between "
                               "nodes is slow; node %" PRIu32 " has room for all of them",
                               skein_topology_os_node(t, i)),
            "taskset -c %s skein record …", list);
        return;
    }
}

static void check_affinity(const struct skein_doctor_plan *plan, struct skein_findings *found) {
    const uint32_t have = skein_topology_machine_processors(plan->topology);
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    if (online > 0 && have < (uint32_t)online)
        skein_finding_todo(
            skein_findings_add(found, SKEIN_LEVEL_NOTE, "affinity",
                               "only %" PRIu32 " of %ld processors may be used", have, online),
            "taskset -c 0-%ld skein record … (or the cpuset of the container)", online - 1);
}

void skein_doctor_check_limits(const struct skein_doctor_plan *plan, struct skein_findings *found) {
    check_affinity(plan, found);
    check_binding(plan, found);
    check_memory(plan, found);
    check_shm(plan, found);
    check_huge_pages(found);
    check_rlimits(found);
}

void skein_doctor_check_qemu(const char *chosen, struct skein_findings *found) {
    static const char todo[] = "./dev paths builds one and says where: --qemu PATH or SKEIN_QEMU";
    struct skein_error err = {""};
    const char *qemu;
    char version[128];
    if (skein_qemu_find(chosen, &qemu, &err) == 0 &&
        skein_qemu_has_object(qemu, "skein-record", &err) == 0 &&
        skein_qemu_version(qemu, version, sizeof(version), &err) == 0)
        skein_findings_add(found, SKEIN_LEVEL_OK, "qemu", "%s, version %s, records", qemu, version);
    else
        skein_finding_todo(skein_findings_add(found, SKEIN_LEVEL_STOP, "qemu", "%s", err.text),
                           "%s", todo);
}
