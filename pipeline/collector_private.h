/*
 * The inside of the collector. Drain threads copy records out of the shards and put them, as
 * chunks, into the inbox; the merger thread takes them from there. Everything that both touch is
 * under `lock`.
 *
 * Nothing that is published may live in this process alone: it can be killed. So a shard's ring
 * keeps what was copied until the merger has seen it written to a segment file; only then does the
 * drain thread give the room back. At every moment each published event is in a ring or in a file.
 *
 * No writer waits for ever. Let e be the first event in canonical order that the block encoder does
 * not hold, and s its shard. Whatever s logged before e is in a file or in the block being filled,
 * which is less than SKEIN_COLLECTOR_BLOCK_SHARE of the ring; what is written but not yet given
 * back is less than one mark (collector_drain.c). The rest of the ring has room for the largest
 * pad and record, so the writer of s can append and publish e, whatever the other shards do. An
 * order that names events which never come has no such e: collector_merge.c takes what is ready
 * once a ring is full, and gives up when nothing is.
 */
#ifndef SKEIN_PIPELINE_COLLECTOR_PRIVATE_H
#define SKEIN_PIPELINE_COLLECTOR_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "pipeline/collector.h"
#include "pipeline/log_writer.h"
#include "pipeline/order.h"
#include "pipeline/process_watch.h"
#include "pipeline/shard.h"
#include "pipeline/topology.h"

/* What may wait in memory while the merger is behind, before the shards are left to fill up. */
#define SKEIN_COLLECTOR_BUFFER_BYTES (64ull << 20)
/* A block is at most this part of a ring, so that a ring is never full of one open block. */
#define SKEIN_COLLECTOR_BLOCK_SHARE 4u

struct skein_inbox {
    struct skein_chunk *first, *last;
    bool closed;       /* the drain thread will add no more */
    bool closed_taken; /* and the merger knows */
    bool ended_well;   /* the writer had closed the shard, and all of it was taken */
    bool damaged;      /* a record in the shard made no sense */
};

struct skein_drain {
    struct skein_collector *collector;
    uint32_t node;
    pthread_t thread;
};

struct skein_collector {
    /* Constant after the start. */
    struct skein_session *session;
    struct skein_session_header *header;
    uint32_t shard_count;
    uint64_t block_bytes; /* raw */
    struct skein_topology *topology;
    uint32_t drain_count;
    struct skein_drain *drains;
    pthread_t merger;

    /* The drain threads' own: each shard's belongs to the thread of its node. */
    struct skein_shard_reader readers[SKEIN_MAX_SHARDS];

    /* The merger's own. */
    struct skein_order *order;
    struct skein_log_writer *log;
    struct skein_process_watch watch;
    uint64_t stuck_since_ns; /* nothing can come next and a ring is full; 0: not so */
    uint8_t last_kind[SKEIN_MAX_SHARDS];

    pthread_mutex_t lock;
    pthread_cond_t arrived; /* something is in an inbox, or closed, or stop */
    pthread_cond_t room;    /* the merger has caught up, or waits for more */
    pthread_cond_t done;    /* status.state is final */
    struct skein_inbox inbox[SKEIN_MAX_SHARDS];
    uint64_t inbox_bytes;
    uint64_t order_bytes;               /* in `order`, as the merger last said */
    uint64_t written[SKEIN_MAX_SHARDS]; /* each shard's last tick that is in a file */
    bool full;    /* all of a ring was taken, and it may have no room for the next record */
    bool starved; /* the merger can do nothing with what it has */
    bool ending;  /* stop, or QEMU is dead: take what is published, then end */
    bool joined;
    struct skein_collector_status status;
};

/* Thread bodies. */
void *skein_collector_drain(void *opaque);
void *skein_collector_merge(void *opaque);

#endif
