#include "pipeline/topology.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

static struct skein_topology *plan(const char *synthetic, uint32_t shards) {
    struct skein_topology *t = NULL;

    if (synthetic != NULL) {
        setenv("HWLOC_SYNTHETIC", synthetic, 1);
    } else {
        unsetenv("HWLOC_SYNTHETIC");
    }
    cr_assert_eq(skein_topology_plan(shards, &t, NULL), 0);
    return t;
}

Test(topology, this_machine_gets_a_plan_and_binds) {
    struct skein_topology *t = plan(NULL, 3);
    void *mem = aligned_alloc(4096, 65536);

    cr_assert_geq(skein_topology_nodes(t), 1u);
    cr_assert_eq(skein_topology_shard_node(t, 2), skein_topology_shard_node(t, 0));
    /* Containers may forbid it; nothing else may go wrong. */
    const int rc = skein_topology_bind_memory(t, 1, mem, 65536);
    cr_assert(rc == 0 || rc == -EPERM || rc == -ENOSYS, "%d", rc);
    cr_assert_eq(skein_topology_bind_thread(t, 0), 0);
    free(mem);
    skein_topology_free(t);
}

Test(topology, two_nodes_share_four_vcpus) {
    struct skein_topology *t = plan("node:2 core:4 pu:1", 5);

    cr_assert_eq(skein_topology_nodes(t), 2u);
    cr_assert_eq(skein_topology_shard_node(t, 0), 0u);
    cr_assert_eq(skein_topology_shard_node(t, 1), 0u);
    cr_assert_eq(skein_topology_shard_node(t, 2), 1u);
    cr_assert_eq(skein_topology_shard_node(t, 3), 1u);
    cr_assert_eq(skein_topology_shard_node(t, 4), 0u, "devices go with shard 0");
    cr_assert_eq(skein_topology_os_node(t, 1), 1u);
    skein_topology_free(t);
}

Test(topology, a_node_without_shards_gets_no_thread) {
    struct skein_topology *t = plan("node:4 core:2 pu:2", 3);

    cr_assert_eq(skein_topology_nodes(t), 2u);
    cr_assert_neq(skein_topology_os_node(t, 0), skein_topology_os_node(t, 1));
    skein_topology_free(t);
}

Test(topology, every_shard_has_a_node) {
    for (uint32_t shards = 2; shards <= 65; shards++) {
        struct skein_topology *t = plan("node:3 core:5 pu:1", shards);
        uint32_t last = 0;
        for (uint32_t i = 0; i + 1 < shards; i++) {
            const uint32_t node = skein_topology_shard_node(t, i);
            cr_assert(node == last || node == last + 1);
            last = node;
        }
        cr_assert_eq(last + 1, skein_topology_nodes(t));
        cr_assert_eq(skein_topology_bind_thread(t, 0), -ENOSYS, "not of this machine");
        skein_topology_free(t);
    }
}
