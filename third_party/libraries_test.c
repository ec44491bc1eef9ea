/* Every library that we name is there, links, and is at least the version that we rely on. */
#include <capstone/capstone.h>
#include <ck_pr.h>
#include <criterion/criterion.h>
#include <hwloc.h>
#include <numa.h>
#include <protobuf-c/protobuf-c.h>
#include <seccomp.h>
#include <stdlib.h>
#include <xxhash.h>
#include <zstd.h>

Test(libraries, ck_atomics_work) {
    uint64_t word = 1;
    ck_pr_add_64(&word, 2);
    cr_assert_eq(ck_pr_load_64(&word), 3);
}

Test(libraries, zstd_has_the_streaming_api) {
    cr_assert_geq(ZSTD_versionNumber(), 10400);
}

Test(libraries, xxhash_has_xxh3) {
    cr_assert_geq(XXH_versionNumber(), 800);
}

Test(libraries, protobuf_c_links) {
    cr_assert_geq(protobuf_c_version_number(), 1003000);
}

Test(libraries, hwloc_takes_a_synthetic_topology) {
    hwloc_topology_t topology;
    cr_assert_eq(hwloc_topology_init(&topology), 0);
    cr_assert_eq(hwloc_topology_set_synthetic(topology, "node:2 core:4 pu:1"), 0);
    cr_assert_eq(hwloc_topology_load(topology), 0);
    cr_assert_eq(hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE), 2);
    hwloc_topology_destroy(topology);
}

Test(libraries, numa_links) {
    if (numa_available() < 0) {
        cr_skip("this kernel has no NUMA system calls");
    }
    cr_assert_geq(numa_max_node(), 0);
}

Test(libraries, seccomp_names_system_calls) {
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, 257);
    cr_assert_str_eq(name, "openat");
    free(name);
}

Test(libraries, capstone_knows_x86) {
    cr_assert(cs_support(CS_ARCH_X86));
    cr_assert_geq(cs_version(NULL, NULL), CS_MAKE_VERSION(4, 0));
}
