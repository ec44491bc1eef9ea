/* skein doctor: what /proc and /sys tell about the host. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor.h"

/* The beginning of a file; false when it cannot be read. */
static bool slurp(const char *root, const char *path, char *text, size_t size) {
    char full[2048];
    snprintf(full, sizeof(full), "%s%s", root, path);
    int fd = open(full, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = '\0';
    return got >= 0;
}

/* Its first line. */
static bool slurp_line(const char *root, const char *path, char *text, size_t size) {
    bool there = slurp(root, path, text, size);
    text[strcspn(text, "\n")] = '\0';
    return there;
}

/* Threads that want a processor at the same time: vCPUs, drain threads, the merger. */
static uint32_t busy_threads(const struct skein_doctor_plan *plan) {
    return plan->vcpus + skein_topology_nodes(plan->topology) + 1;
}

static void check_processors(const struct skein_doctor_plan *plan, struct skein_findings *found) {
    const uint32_t have = skein_topology_machine_processors(plan->topology);
    if (have < plan->vcpus)
        skein_finding_todo(
            skein_findings_add(found, SKEIN_LEVEL_SLOW, "processors",
                               "%" PRIu32 " for %" PRIu32
                               " vCPU threads: who waits for the token waits for a thread that "
                               "does not run",
                               have, plan->vcpus),
            "skein record --smp %" PRIu32 " …", have);
    else if (have < busy_threads(plan))
        skein_findings_add(found, SKEIN_LEVEL_NOTE, "processors",
                           "%" PRIu32 " for %" PRIu32
                           " busy threads (vCPUs, drain threads, merger), which take turns",
                           have, busy_threads(plan));
    else
        skein_findings_add(found, SKEIN_LEVEL_OK, "processors",
                           "%" PRIu32 " for %" PRIu32 " threads", have, busy_threads(plan));
}

/* Whether the words of the first line that begins with `key` contain `word`. */
static bool line_has(const char *text, const char *key, const char *word) {
    const char *line = strstr(text, key);
    size_t len = strlen(word);
    if (line == NULL)
        return false;
    const char *end = line + strcspn(line, "\n");
    for (const char *at = line; (at = strstr(at, word)) != NULL && at < end; at += len)
        if (at[-1] == ' ' && (at[len] == ' ' || at[len] == '\n' || at[len] == '\0'))
            return true;
    return false;
}

static void check_clock(const char *root, struct skein_findings *found) {
    static const char source[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    char cpuinfo[8192], clock[64];
    bool known = slurp(root, "/proc/cpuinfo", cpuinfo, sizeof(cpuinfo));
    bool steady =
        line_has(cpuinfo, "flags", "constant_tsc") && line_has(cpuinfo, "flags", "nonstop_tsc");
    if (known && !steady)
        skein_findings_add(found, SKEIN_LEVEL_NOTE, "tsc",
                           "it stops or changes its speed (no constant_tsc and nonstop_tsc): the "
                           "times of events are rough");
    if (slurp_line(root, source, clock, sizeof(clock)) && strcmp(clock, "tsc") != 0)
        skein_finding_todo(skein_findings_add(found, SKEIN_LEVEL_SLOW, "clock",
                                              "the kernel's clock is %s: each look at it is slow",
                                              clock),
                           "echo tsc >%s", source);
    else if (known && steady)
        skein_findings_add(found, SKEIN_LEVEL_OK, "clock", "tsc, steady");
}

static void check_governor(const char *root, struct skein_findings *found) {
    char governor[64];
    if (!slurp_line(root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor,
                    sizeof(governor)))
        return; /* the firmware or a hypervisor decides */
    if (strcmp(governor, "performance") == 0)
        skein_findings_add(found, SKEIN_LEVEL_OK, "frequency", "governor performance");
    else
        skein_finding_todo(
            skein_findings_add(found, SKEIN_LEVEL_SLOW, "frequency",
                               "governor %s: processors that wait for the token slow down",
                               governor),
            "echo performance | tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor");
}

/* The part of all time that the hypervisor gave to others, in thousandths. */
static uint64_t stolen(const char *root) {
    uint64_t t[8] = {0}, all = 0;
    char stat[1024];
    if (!slurp(root, "/proc/stat", stat, sizeof(stat)) ||
        sscanf(stat,
               "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
               " %" SCNu64 " %" SCNu64,
               &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) != 8)
        return 0;
    for (size_t i = 0; i < 8; i++)
        all += i != 3 && i != 4 ? t[i] : 0;
    return all != 0 ? t[7] * 1000 / all : 0;
}

static void check_hypervisor(const char *root, struct skein_findings *found) {
    char cpuinfo[8192];
    slurp(root, "/proc/cpuinfo", cpuinfo, sizeof(cpuinfo));
    if (!line_has(cpuinfo, "flags", "hypervisor"))
        return;
    const uint64_t permille = stolen(root);
    skein_findings_add(found, permille > 20 ? SKEIN_LEVEL_SLOW : SKEIN_LEVEL_NOTE, "hypervisor",
                       "this is a virtual machine; %" PRIu64 ".%" PRIu64
                       " %% of its busy time went to others: while they run, the token waits",
                       permille / 10, permille % 10);
}

/* The smallest CPU limit of the group and those above it, in hundredths of a processor. */
static uint64_t group_limit(const char *root, char *group, char *where, size_t size) {
    uint64_t best = UINT64_MAX, quota, period;
    for (;;) {
        char path[1200], text[64];
        snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpu.max", group);
        if (slurp(root, path, text, sizeof(text)) &&
            sscanf(text, "%" SCNu64 " %" SCNu64, &quota, &period) == 2 && period != 0 &&
            quota * 100 / period < best) {
            best = quota * 100 / period;
            snprintf(where, size, "%s", path);
        }
        char *slash = strrchr(group, '/');
        if (slash == NULL)
            return best;
        *slash = '\0';
    }
}

static void check_group(const char *root, const struct skein_doctor_plan *plan,
                        struct skein_findings *found) {
    char groups[4096], group[1024] = "", where[1200] = "";
    slurp(root, "/proc/self/cgroup", groups, sizeof(groups));
    const char *mine = strncmp(groups, "0::/", 4) == 0 ? groups : strstr(groups, "\n0::/");
    if (mine != NULL)
        sscanf(mine + (*mine == '\n'), "0::%1023[^\n]", group);
    const uint64_t limit = group_limit(root, group, where, sizeof(where));
    if (limit != UINT64_MAX && limit < 100ull * busy_threads(plan))
        skein_finding_todo(skein_findings_add(found, SKEIN_LEVEL_SLOW, "cgroup",
                                              "it gives %" PRIu64 ".%02" PRIu64
                                              " processors to %" PRIu32
                                              " threads, and stops them all when these are used up",
                                              limit / 100, limit % 100, busy_threads(plan)),
                           "echo max >%.280s", where);
    else if (limit != UINT64_MAX)
        skein_findings_add(found, SKEIN_LEVEL_OK, "cgroup", "%" PRIu64 ".%02" PRIu64 " processors",
                           limit / 100, limit % 100);
}

void skein_doctor_check_host(const char *root, const struct skein_doctor_plan *plan,
                             struct skein_findings *found) {
    check_processors(plan, found);
    check_group(root, plan, found);
    check_hypervisor(root, found);
    check_governor(root, found);
    check_clock(root, found);
}
