#include "pipeline/topology.h"

#include <errno.h>
#include <hwloc.h>
#include <numaif.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pipeline/stats.h"

#define MAX_NODES 64u

struct skein_topology {
    hwloc_topology_t hwloc;
    uint32_t node_count;
    hwloc_obj_t node[MAX_NODES];
    uint32_t shard_node[SKEIN_MAX_SHARDS];
};

/* Whether other memory is nearer to these processors, or as near and listed before. */
static bool is_second_choice(hwloc_topology_t hwloc, hwloc_obj_t node) {
    hwloc_obj_t other = NULL;

    while ((other = hwloc_get_next_obj_by_type(hwloc, HWLOC_OBJ_NUMANODE, other)) != NULL) {
        const bool same = hwloc_bitmap_isequal(other->cpuset, node->cpuset) != 0;
        if (same ? other->logical_index < node->logical_index
                 : !hwloc_bitmap_iszero(other->cpuset) &&
                       hwloc_bitmap_isincluded(other->cpuset, node->cpuset)) {
            return true;
        }
    }
    return false;
}

/* The nodes that have processors we may use, and how many these are. */
static uint32_t find_nodes(struct skein_topology *t, uint32_t weight[MAX_NODES]) {
    hwloc_obj_t node = NULL;
    uint32_t count = 0;

    while (count < MAX_NODES &&
           (node = hwloc_get_next_obj_by_type(t->hwloc, HWLOC_OBJ_NUMANODE, node)) != NULL) {
        const int cpus = hwloc_bitmap_weight(node->cpuset);
        if (cpus > 0 && !is_second_choice(t->hwloc, node)) {
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

/* Only the processors in the list; NULL: those that this process may use. */
static int restrict_to(hwloc_topology_t hwloc, const char *processors, struct skein_error *err) {
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    int rc = 0;

    if (set == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    if (processors != NULL && (hwloc_bitmap_list_sscanf(set, processors) != 0 ||
                               hwloc_topology_restrict(hwloc, set, 0) != 0)) {
        rc = skein_error_set(err, -EINVAL, "%s names no processors of this machine", processors);
    }
    /* Where that cannot be found out, or does not work, the plan is for all of them. */
    if (processors == NULL && hwloc_topology_is_thissystem(hwloc) != 0 &&
        hwloc_get_cpubind(hwloc, set, HWLOC_CPUBIND_PROCESS) == 0 &&
        hwloc_bitmap_intersects(set, hwloc_topology_get_topology_cpuset(hwloc))) {
        hwloc_topology_restrict(hwloc, set, 0);
    }
    hwloc_bitmap_free(set);
    return rc;
}

int skein_topology_plan(uint32_t shard_count, struct skein_topology **out,
                        struct skein_error *err) {
    return skein_topology_plan_on(NULL, shard_count, out, err);
}

int skein_topology_plan_on(const char *processors, uint32_t shard_count,
                           struct skein_topology **out, struct skein_error *err) {
    struct skein_topology *t;
    uint32_t weight[MAX_NODES], count = 0;
    int rc;

    if (shard_count < 2 || shard_count > SKEIN_MAX_SHARDS) {
        return skein_error_set(err, -EINVAL, "there is no plan for %u shards", shard_count);
    }
    t = calloc(1, sizeof(*t));
    if (t == NULL || hwloc_topology_init(&t->hwloc) != 0) {
        free(t);
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    if (hwloc_topology_load(t->hwloc) != 0) {
        rc = skein_error_set(err, -ENODEV, "hwloc cannot tell what this machine looks like");
    } else {
        rc = restrict_to(t->hwloc, processors, err);
    }
    if (rc == 0 && (count = find_nodes(t, weight)) == 0) {
        rc = skein_error_set(err, -ENODEV, "hwloc finds no memory with processors");
    }
    if (rc != 0) {
        skein_topology_free(t);
        return rc;
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

uint32_t skein_topology_node_processors(const struct skein_topology *t, uint32_t node) {
    return (uint32_t)hwloc_bitmap_weight(t->node[node]->cpuset);
}

void skein_topology_node_list(const struct skein_topology *t, uint32_t node, char *text,
                              size_t size) {
    hwloc_bitmap_list_snprintf(text, size, t->node[node]->cpuset);
}

uint64_t skein_topology_node_bytes(const struct skein_topology *t, uint32_t node) {
    return t->node[node]->attr->numanode.local_memory;
}

uint32_t skein_topology_machine_nodes(const struct skein_topology *t) {
    return (uint32_t)hwloc_get_nbobjs_by_type(t->hwloc, HWLOC_OBJ_NUMANODE);
}

uint32_t skein_topology_machine_processors(const struct skein_topology *t) {
    return (uint32_t)hwloc_bitmap_weight(hwloc_topology_get_topology_cpuset(t->hwloc));
}

bool skein_topology_is_here(const struct skein_topology *t) {
    return hwloc_topology_is_thissystem(t->hwloc) != 0;
}

/* mbind() moves only pages that this process has mapped: maps what the file has already. */
static void map_pages(void *mem, size_t bytes) {
    const long page_bytes = sysconf(_SC_PAGESIZE);

#ifdef MADV_POPULATE_READ
    if (madvise(mem, bytes, MADV_POPULATE_READ) == 0) {
        return;
    }
#endif
    for (size_t at = 0; page_bytes > 0 && at < bytes; at += (size_t)page_bytes) {
        (void)*((const volatile uint8_t *)mem + at);
    }
}

int skein_topology_bind_memory(const struct skein_topology *t, uint32_t shard, void *mem,
                               size_t bytes) {
    unsigned long mask[1024 / (8 * sizeof(unsigned long))] = {0};
    const uint32_t node = skein_topology_os_node(t, t->shard_node[shard]);

    if (!skein_topology_is_here(t) || node >= 8 * sizeof(mask)) {
        return -ENOSYS;
    }
    map_pages(mem, bytes);
    mask[node / (8 * sizeof(*mask))] = 1ul << node % (8 * sizeof(*mask));
    return mbind(mem, bytes, MPOL_PREFERRED, mask, 8 * sizeof(mask), MPOL_MF_MOVE) == 0 ? 0
                                                                                        : -errno;
}

int skein_topology_bind_thread(const struct skein_topology *t, uint32_t node) {
    if (!skein_topology_is_here(t)) {
        return -ENOSYS;
    }
    return hwloc_set_cpubind(t->hwloc, t->node[node]->cpuset, HWLOC_CPUBIND_THREAD) == 0 ? 0
                                                                                         : -errno;
}
