#include "pipeline/topology.h"

#include <errno.h>
#include <hwloc.h>
#include <numaif.h>
#include <stdbool.h>
#include <stdlib.h>

#include "pipeline/stats.h"

#define MAX_NODES 64u

struct skein_topology {
    hwloc_topology_t hwloc;
    uint32_t node_count;
    hwloc_obj_t node[MAX_NODES];
    uint32_t shard_node[SKEIN_MAX_SHARDS];
};

/* The nodes that have processors we may use, and how many these are. */
static uint32_t find_nodes(struct skein_topology *t, uint32_t weight[MAX_NODES]) {
    const int found = hwloc_get_nbobjs_by_type(t->hwloc, HWLOC_OBJ_NUMANODE);
    uint32_t count = 0;

    for (int i = 0; i < found && count < MAX_NODES; i++) {
        hwloc_obj_t node = hwloc_get_obj_by_type(t->hwloc, HWLOC_OBJ_NUMANODE, (unsigned)i);
        const int cpus = hwloc_bitmap_weight(node->cpuset);
        if (cpus > 0) {
            t->node[count] = node;
            weight[count++] = (uint32_t)cpus;
        }
    }
    return count;
}

/* Contiguous shares in proportion to the weights; nodes that get none are left out. */
static void deal(struct skein_topology *t, uint32_t vcpus, uint32_t count,
                 const uint32_t weight[MAX_NODES]) {
    uint64_t total = 0, before = 0;
    uint32_t next = 0;

    for (uint32_t i = 0; i < count; i++) {
        total += weight[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        before += weight[i];
        /* Rounded up, so that the first nodes fill first and the last one ends at vcpus. */
        const uint32_t end = (uint32_t)((before * vcpus + total - 1) / total);
        if (end > next) {
            t->node[t->node_count] = t->node[i];
            for (; next < end; next++) {
                t->shard_node[next] = t->node_count;
            }
            t->node_count++;
        }
    }
}

int skein_topology_plan(uint32_t shard_count, struct skein_topology **out,
                        struct skein_error *err) {
    struct skein_topology *t = calloc(1, sizeof(*t));
    uint32_t weight[MAX_NODES], count;

    if (t == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    if (shard_count < 2 || shard_count > SKEIN_MAX_SHARDS) {
        free(t);
        return skein_error_set(err, -EINVAL, "there is no plan for %u shards", shard_count);
    }
    if (hwloc_topology_init(&t->hwloc) != 0) {
        free(t);
        return skein_error_set(err, -ENOMEM, "hwloc cannot be initialized");
    }
    if (hwloc_topology_load(t->hwloc) != 0 || (count = find_nodes(t, weight)) == 0) {
        skein_topology_free(t);
        return skein_error_set(err, -ENODEV, "hwloc cannot tell what this machine looks like");
    }
    deal(t, shard_count - 1, count, weight);
    t->shard_node[shard_count - 1] = t->shard_node[0];
    *out = t;
    return 0;
}

void skein_topology_free(struct skein_topology *t) {
    if (t == NULL) {
        return;
    }
    hwloc_topology_destroy(t->hwloc);
    free(t);
}

uint32_t skein_topology_nodes(const struct skein_topology *t) {
    return t->node_count;
}

uint32_t skein_topology_shard_node(const struct skein_topology *t, uint32_t shard) {
    return t->shard_node[shard];
}

uint32_t skein_topology_os_node(const struct skein_topology *t, uint32_t node) {
    return t->node[node]->os_index;
}

static bool is_this_machine(const struct skein_topology *t) {
    return hwloc_topology_is_thissystem(t->hwloc) != 0;
}

int skein_topology_bind_memory(const struct skein_topology *t, uint32_t shard, void *mem,
                               size_t bytes) {
    unsigned long mask[1024 / (8 * sizeof(unsigned long))] = {0};
    const uint32_t node = skein_topology_os_node(t, t->shard_node[shard]);

    if (!is_this_machine(t) || node >= 8 * sizeof(mask)) {
        return -ENOSYS;
    }
    mask[node / (8 * sizeof(*mask))] = 1ul << node % (8 * sizeof(*mask));
    return mbind(mem, bytes, MPOL_PREFERRED, mask, 8 * sizeof(mask), MPOL_MF_MOVE) == 0 ? 0
                                                                                        : -errno;
}

int skein_topology_bind_thread(const struct skein_topology *t, uint32_t node) {
    if (!is_this_machine(t)) {
        return -ENOSYS;
    }
    return hwloc_set_cpubind(t->hwloc, t->node[node]->cpuset, HWLOC_CPUBIND_THREAD) == 0 ? 0
                                                                                         : -errno;
}
