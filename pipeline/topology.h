/*
 * Placement: which NUMA node each shard belongs to, and so which drain thread reads it. hwloc says
 * what the machine looks like (HWLOC_SYNTHETIC plans for another one), libnuma's system calls bind
 * the memory. A machine with one node takes the same path.
 */
#ifndef SKEIN_PIPELINE_TOPOLOGY_H
#define SKEIN_PIPELINE_TOPOLOGY_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/error.h"

struct skein_topology;

/*
 * Plans for the machine this runs on: vCPU shards are dealt to the nodes in contiguous shares, as
 * many as the node has processors in proportion; the last shard (devices) goes with shard 0.
 */
int skein_topology_plan(uint32_t shard_count, struct skein_topology **out, struct skein_error *err);
void skein_topology_free(struct skein_topology *topology);

/* Nodes that have shards, numbered 0, 1, …: one drain thread each. */
uint32_t skein_topology_nodes(const struct skein_topology *topology);

/* The node of a shard. */
uint32_t skein_topology_shard_node(const struct skein_topology *topology, uint32_t shard);

/* The operating system's number of a node. */
uint32_t skein_topology_os_node(const struct skein_topology *topology, uint32_t node);

/*
 * Binds memory to the shard's node (what is there already moves). -EPERM, -ENOSYS where the system
 * does not allow it, which costs speed and nothing else; so does a plan for another machine.
 */
int skein_topology_bind_memory(const struct skein_topology *topology, uint32_t shard, void *mem,
                               size_t bytes);

/* Binds the calling thread to the processors of a node. The same. */
int skein_topology_bind_thread(const struct skein_topology *topology, uint32_t node);

#endif
