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

#define SKEIN_SHARD_VERSION 2u

/* The largest record: header, the largest fixed part, and bytes. */
#define SKEIN_RECORD_LIMIT_BYTES (sizeof(struct skein_record) + 8 * 45 + SKEIN_RECORD_MAX_BYTES)

/* A position in the ring and what lies before it; see "Marks" in shard.h. */
struct skein_shard_mark {
    uint64_t at;
    uint64_t ticks;
    uint64_t sum;
    uint64_t sum_of_sums;
};
static_assert(sizeof(struct skein_shard_mark) == 32, "layout");

/* A cache line or more for each side: no store of one side takes a line of the other. */
struct skein_shard_mem {
    uint64_t magic;
    uint32_t version;
    uint32_t shard_id;
    uint8_t uuid[16];
    uint64_t ring_bytes;
    uint8_t pad_creator[24];

    uint64_t head;
    uint64_t waits;
    uint64_t wait_ns;
    uint32_t closed;
    uint8_t pad_writer[36];
    struct skein_shard_mark published[2];

    uint64_t tail;
    uint8_t pad_reader[56];
    struct skein_shard_mark released[2];
};
static_assert(offsetof(struct skein_shard_mem, shard_id) == 12, "layout");
static_assert(offsetof(struct skein_shard_mem, uuid) == 16, "layout");
static_assert(offsetof(struct skein_shard_mem, ring_bytes) == 32, "layout");
static_assert(offsetof(struct skein_shard_mem, head) == 64, "layout");
static_assert(offsetof(struct skein_shard_mem, waits) == 72, "layout");
static_assert(offsetof(struct skein_shard_mem, wait_ns) == 80, "layout");
static_assert(offsetof(struct skein_shard_mem, closed) == 88, "layout");
static_assert(offsetof(struct skein_shard_mem, published) == 128, "layout");
static_assert(offsetof(struct skein_shard_mem, tail) == 192, "layout");
static_assert(offsetof(struct skein_shard_mem, released) == 256, "layout");
static_assert(sizeof(struct skein_shard_mem) == 320, "layout");

#endif
