/* One program for all workloads, so that a guest image stays small: the first argument names one.
 */
#include <stdio.h>
#include <string.h>

#include "lib.h"

static int workload_true(int argc, char **argv) {
    (void)argc;
    (void)argv;
    return 0;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} workloads[] = {
    {"cow", workload_cow},
    {"demo", workload_demo},
    {"disk", workload_disk},
    {"fpu", workload_fpu},
    {"guestport", workload_guestport},
    {"int80", workload_int80},
    {"iouring", workload_iouring},
    {"madvise", workload_madvise},
    {"micro", workload_micro},
    {"mmapshare", workload_mmapshare},
    {"ptrace", workload_ptrace},
    {"remap", workload_remap},
    {"segments", workload_segments},
    {"signals", workload_signals},
    {"strings", workload_strings},
    {"true", workload_true},
    {"user", workload_user},
    {"userfaultfd", workload_userfaultfd},
    {"usernet", workload_usernet},
    {"usernvme", workload_usernvme},
    {"uservirtio", workload_uservirtio},
};

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof(workloads) / sizeof(workloads[0]); i++) {
        if (strcmp(argv[1], workloads[i].name) == 0) {
            return workloads[i].run(argc - 1, argv + 1);
        }
    }
    printf("fail no such workload: %s\n", argc > 1 ? argv[1] : "(none)");
    return 2;
}
