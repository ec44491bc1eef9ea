/*
 * The bytes of a shard in shared memory, as the table in shard.h says. For shard.c and for whoever
 * looks at a shard without being its reader or writer (statistics, recovery).
 */
#ifndef SKEIN_PIPELINE_SHARD_LAYOUT_H
#define SKEIN_PIPELINE_SHARD_LAYOUT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/event.h"

#define SKEIN_SHARD_VERSION 1u

/* The largest record: header, the largest fixed part, and bytes. */
#define SKEIN_RECORD_LIMIT_BYTES (sizeof(struct skein_record) + 8 * 45 + SKEIN_RECORD_MAX_BYTES)

/* One cache line (or more) per side: a store of one side never takes the line of the other. */
struct skein_shard_mem {
    uint64_t magic;
    uint32_t version;
    uint32_t shard_id;
    uint8_t uuid[16];
    uint64_t ring_bytes;
    uint8_t pad_creator[24];

    uint64_t head;
    uint64_t ticks;
    uint64_t waits;
    uint64_t wait_ns;
    uint32_t closed;
    uint8_t pad_writer[28];

    uint64_t tail;
    uint64_t tail_ticks;
    uint8_t pad_reader[48];
};
static_assert(offsetof(struct skein_shard_mem, shard_id) == 12, "layout");
static_assert(offsetof(struct skein_shard_mem, uuid) == 16, "layout");
static_assert(offsetof(struct skein_shard_mem, ring_bytes) == 32, "layout");
static_assert(offsetof(struct skein_shard_mem, head) == 64, "layout");
static_assert(offsetof(struct skein_shard_mem, ticks) == 72, "layout");
static_assert(offsetof(struct skein_shard_mem, waits) == 80, "layout");
static_assert(offsetof(struct skein_shard_mem, wait_ns) == 88, "layout");
static_assert(offsetof(struct skein_shard_mem, closed) == 96, "layout");
static_assert(offsetof(struct skein_shard_mem, tail) == 128, "layout");
static_assert(offsetof(struct skein_shard_mem, tail_ticks) == 136, "layout");
static_assert(sizeof(struct skein_shard_mem) == 192, "layout");

#endif
