/*
 * Placement: which NUMA node each shard belongs to, and so which drain thread reads it. hwloc says
 * what the machine looks like (HWLOC_SYNTHETIC or HWLOC_XMLFILE plan for another one), libnuma's
 * system calls bind the memory. A machine with one node takes the same path.
 *
 * What a plan counts as a node: NUMA memory with processors of its own that this process may use.
 * Memory without processors, and a second kind of memory at the same processors, are left alone.
 *
 * Errors: -EINVAL the request makes no sense, -ENOMEM, -ENODEV hwloc knows nothing; binding has its
 * own below. A plan is constant: any thread may ask it and bind by it.
 */
#ifndef SKEIN_PIPELINE_TOPOLOGY_H
#define SKEIN_PIPELINE_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/error.h"

struct skein_topology;

/*
 * Plans for the machine this runs on, and for the processors that this process may use: vCPU shards
 * are dealt to the nodes in contiguous shares, as many as the node has processors in proportion;
 * the last shard (devices) goes with shard 0.
 */
int skein_topology_plan(uint32_t shard_count, struct skein_topology **out, struct skein_error *err);

/* The same for these processors: a list like "0-3,8", by the operating system's numbers. */
int skein_topology_plan_on(const char *processors, uint32_t shard_count,
                           struct skein_topology **out, struct skein_error *err);

void skein_topology_free(struct skein_topology *topology);

/* False for a plan for another machine: it binds nothing. */
bool skein_topology_is_here(const struct skein_topology *topology);

/* Nodes that have shards, numbered 0, 1, …: one drain thread each. */
uint32_t skein_topology_nodes(const struct skein_topology *topology);

/* The node of a shard. */
uint32_t skein_topology_shard_node(const struct skein_topology *topology, uint32_t shard);

/* The operating system's number of a node. */
uint32_t skein_topology_os_node(const struct skein_topology *topology, uint32_t node);

/* A node's processors: how many, and which, as a list like "0-3,8". */
uint32_t skein_topology_node_processors(const struct skein_topology *topology, uint32_t node);
void skein_topology_node_list(const struct skein_topology *topology, uint32_t node, char *text,
                              size_t size);

uint64_t skein_topology_node_bytes(const struct skein_topology *topology, uint32_t node);

/* Of the machine: all NUMA memories, and all processors that this process may use. */
uint32_t skein_topology_machine_nodes(const struct skein_topology *topology);
uint32_t skein_topology_machine_processors(const struct skein_topology *topology);

/*
 * Binds memory to the shard's node (what is there already moves). -EPERM, -ENOSYS where the system
 * does not allow it, which costs speed and nothing else; so does a plan for another machine.
 */
int skein_topology_bind_memory(const struct skein_topology *topology, uint32_t shard, void *mem,
                               size_t bytes);

/* Binds the calling thread to the processors of a node. The same. */
int skein_topology_bind_thread(const struct skein_topology *topology, uint32_t node);

#endif
