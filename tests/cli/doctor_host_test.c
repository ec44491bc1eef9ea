/* What skein doctor makes of hosts that we do not have: a tree of files that looks like /proc,
 * /sys. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/doctor.h"

struct host {
    char root[64];
    struct skein_topology *topology;
    struct skein_findings found;
};

static void put(const struct host *h, const char *path, const char *text) {
    char full[512];

    snprintf(full, sizeof(full), "%s%s", h->root, path);
    for (char *slash = strchr(full + strlen(h->root) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
    FILE *f = fopen(full, "w");
    cr_assert_not_null(f, "%s", full);
    fputs(text, f);
    fclose(f);
}

static void make(struct host *h, const char *synthetic) {
    memset(h, 0, sizeof(*h));
    strcpy(h->root, "/tmp/skein-host-XXXXXX");
    cr_assert_not_null(mkdtemp(h->root));
    setenv("HWLOC_SYNTHETIC", synthetic, 1);
    cr_assert_eq(skein_topology_plan(3, &h->topology, NULL), 0);
}

static void look(struct host *h) {
    const struct skein_doctor_plan plan = {.vcpus = 2, .topology = h->topology};

    skein_doctor_check_host(h->root, &plan, &h->found);
}

static void done(struct host *h) {
    char command[128];

    snprintf(command, sizeof(command), "rm -r %s", h->root);
    cr_assert_eq(system(command), 0);
    skein_topology_free(h->topology);
}

static const struct skein_finding *find(const struct host *h, const char *name) {
    for (size_t i = 0; i < h->found.count; i++) {
        if (strcmp(h->found.item[i].name, name) == 0) {
            return &h->found.item[i];
        }
    }
    return NULL;
}

static void expect(const struct host *h, const char *name, enum skein_level level,
                   const char *words, const char *todo) {
    const struct skein_finding *f = find(h, name);

    cr_assert_not_null(f, "nothing about %s", name);
    cr_assert_eq(f->level, level, "%s is %s", name, skein_level_name(f->level));
    cr_assert_not_null(strstr(f->text, words), "%s: %s", name, f->text);
    cr_assert_not_null(strstr(f->todo, todo), "%s: %s", name, f->todo);
}

Test(doctor_host, a_good_one) {
    struct host h;

    make(&h, "node:1 core:8 pu:1");
    put(&h, "/proc/cpuinfo", "processor : 0\nflags\t\t: fpu constant_tsc nonstop_tsc sse\n");
    put(&h, "/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
    put(&h, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
    put(&h, "/proc/self/cgroup", "0::/user.slice\n");
    put(&h, "/sys/fs/cgroup/user.slice/cpu.max", "max 100000\n");
    look(&h);
    expect(&h, "processors", SKEIN_LEVEL_OK, "8 for 4 threads", "");
    expect(&h, "clock", SKEIN_LEVEL_OK, "steady", "");
    expect(&h, "frequency", SKEIN_LEVEL_OK, "performance", "");
    cr_assert_null(find(&h, "cgroup"));
    cr_assert_null(find(&h, "hypervisor"));
    cr_assert_null(find(&h, "tsc"));
    done(&h);
}

Test(doctor_host, a_slow_one) {
    struct host h;

    make(&h, "node:1 core:1 pu:1");
    put(&h, "/proc/cpuinfo", "flags\t\t: fpu constant_tsc hypervisor\n");
    put(&h, "/proc/stat", "cpu  50 0 25 9000 100 0 0 25 0 0\ncpu0 1\n");
    put(&h, "/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
    put(&h, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
    look(&h);
    expect(&h, "processors", SKEIN_LEVEL_SLOW, "1 for 2 vCPU threads", "--smp 1 ");
    expect(&h, "hypervisor", SKEIN_LEVEL_SLOW, "25.0 %", "");
    expect(&h, "frequency", SKEIN_LEVEL_SLOW, "powersave", "scaling_governor");
    expect(&h, "clock", SKEIN_LEVEL_SLOW, "hpet", "echo tsc >/sys/");
    expect(&h, "tsc", SKEIN_LEVEL_NOTE, "nonstop_tsc", "");
    done(&h);
}

/* The smallest limit counts, of whichever group above ours; also next to version 1's groups. */
Test(doctor_host, limits_of_groups) {
    struct host h;

    make(&h, "node:1 core:8 pu:1");
    put(&h, "/proc/self/cgroup", "2:cpu:/\n0::/a/b/c\n");
    put(&h, "/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    put(&h, "/sys/fs/cgroup/a/b/cpu.max", "150000 100000\n");
    put(&h, "/sys/fs/cgroup/a/cpu.max", "600000 100000\n");
    look(&h);
    expect(&h, "cgroup", SKEIN_LEVEL_SLOW, "1.50 processors to 4 threads",
           "echo max >/sys/fs/cgroup/a/b/cpu.max");
    done(&h);
    make(&h, "node:1 core:8 pu:1");
    put(&h, "/proc/self/cgroup", "0::/\n");
    put(&h, "/sys/fs/cgroup/cpu.max", "400000 100000\n");
    look(&h);
    expect(&h, "cgroup", SKEIN_LEVEL_OK, "4.00", "");
    done(&h);
}

Test(doctor_host, nothing_to_read_is_nothing_to_say) {
    struct host h;

    make(&h, "node:1 core:8 pu:1");
    look(&h);
    cr_assert_eq(h.found.count, 1u);
    expect(&h, "processors", SKEIN_LEVEL_OK, "8 for 4", "");
    done(&h);
}

Test(doctor_host, odd_files) {
    static const char *const odd[] = {"",
                                      "\n",
                                      "0::",
                                      "max",
                                      "18446744073709551616 0",
                                      "flags\t\t:",
                                      "flagshypervisor\n\n\n",
                                      "cpu 1 2",
                                      "\n0::/\n"};
    struct host h;

    make(&h, "node:1 core:8 pu:1");
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        put(&h, "/proc/cpuinfo", odd[i]);
        put(&h, "/proc/stat", odd[i]);
        put(&h, "/proc/self/cgroup", odd[i]);
        put(&h, "/sys/fs/cgroup/cpu.max", odd[i]);
        put(&h, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", odd[i]);
        h.found.count = 0;
        look(&h);
    }
    done(&h);
}
