/*
 * A session: the shared memory in which QEMU and a Skein process meet, while recording (QEMU writes
 * the shards, the collector reads them) and while replaying (the feeder writes them, QEMU reads).
 *
 *   offset  content
 *        0  struct skein_session_header (4096 bytes)
 *     4096  shard 0 … shard_count - 1, each shard_stride bytes (see shard.h)
 *
 * Shards 0 … vcpu_count - 1 belong to the vCPUs, the last one (id = vcpu_count) to the device
 * threads. The Skein process creates the file (in /dev/shm or a memfd), QEMU maps it by path.
 */
#ifndef SKEIN_PIPELINE_SESSION_H
#define SKEIN_PIPELINE_SESSION_H

#include <assert.h>
#include <stdint.h>

#define SKEIN_SESSION_MAGIC 0x535345534e4b5300ull
#define SKEIN_SESSION_VERSION 3u
#define SKEIN_MAX_VCPUS 64u
#define SKEIN_SESSION_MAX_SHARDS 65u /* theirs, and the devices' */

/* flags. Record: the collector takes no more events; QEMU ends the recording. Written by it. */
#define SKEIN_SESSION_GIVEN_UP 1u

enum skein_scope { SKEIN_SCOPE_KERNEL = 0, SKEIN_SCOPE_SYSTEM = 1 };
enum skein_mode { SKEIN_MODE_RECORD = 0, SKEIN_MODE_REPLAY = 1 };

/* state: only ever grows, within one session. Written by QEMU. */
enum skein_session_state {
    SKEIN_STATE_NEW = 0,     /* QEMU has not opened it */
    SKEIN_STATE_READY = 1,   /* opened, waiting for the start */
    SKEIN_STATE_RUNNING = 2, /* snapshot taken (or loaded), events flow */
    SKEIN_STATE_ENDED = 3,   /* every shard is closed; the fields below are final */
    SKEIN_STATE_FAILED = 4,  /* message says why */
};

enum skein_verdict {
    SKEIN_VERDICT_NONE = 0,
    SKEIN_VERDICT_SAME = 1,
    SKEIN_VERDICT_DIVERGED = 2,
    SKEIN_VERDICT_INCOMPLETE = 3, /* the log ended before END; the same until there */
};

/* The first difference. Valid when verdict is DIVERGED. */
struct skein_divergence {
    uint32_t vcpu;
    uint32_t kind; /* enum skein_kind of the event at hand */
    uint64_t slice;
    uint64_t tick;
    uint64_t icount;
    uint64_t pc;
    uint64_t expected;
    uint64_t got;
    uint64_t good_tick; /* the vCPU's last digest before it that was right: its tick; 0: none was */
    uint64_t good_icount; /* ... and icount */
    char what[192];       /* one line: what was compared */
};

struct skein_session_header {
    uint64_t magic;
    uint32_t version;
    uint32_t mode;  /* enum skein_mode */
    uint32_t scope; /* enum skein_scope */
    uint32_t vcpu_count;
    uint32_t shard_count; /* vcpu_count + 1 */
    uint32_t flags;       /* SKEIN_SESSION_GIVEN_UP */
    uint64_t shard_stride;
    uint64_t ring_bytes;
    uint8_t uuid[16];
    int32_t skein_pid;        /* the collector or feeder: QEMU gives up waiting when it is gone */
    int32_t qemu_pid;         /* written by QEMU */
    uint32_t digest_interval; /* a DIGEST every so many kernel exits */
    uint32_t truncated;       /* replay: 1 when the recording has no END on every shard */

    /* Written by QEMU, read by anybody. */
    _Alignas(64) uint32_t state; /* enum skein_session_state; release */
    uint32_t end;                /* enum skein_end */
    uint32_t verdict;            /* enum skein_verdict */
    uint32_t reserved;
    uint64_t start_ns; /* CLOCK_MONOTONIC when RUNNING began */
    uint64_t end_ns;
    uint64_t tsc_start;     /* the guest's time-stamp counter at start_ns */
    uint64_t console_bytes; /* guest console bytes so far */
    uint64_t slices;        /* so far */
    uint64_t edges;         /* slices that began with another shard's edge */
    uint64_t events_done;   /* replay: consumed so far */
    uint64_t token_waits;   /* record: times a thread waited for the token */
    uint64_t token_wait_ns; /* record: and for how long in all */
    uint64_t kernel_icount; /* all vCPUs, final */
    uint64_t ram_bytes;     /* guest RAM, all blocks */
    uint64_t snapshot_ns;   /* time the snapshot took */
    struct skein_divergence divergence;
    char message[512]; /* FAILED, or ended by SKEIN_END_IGNORED: one line for the user */

    /* Checkpoints taken on the way: QEMU writes file PREFIX.N whole, then N here (release). Skein
     * packs and removes it, then writes N there; QEMU takes no new one before. */
    _Alignas(64) uint32_t checkpoints;
    uint32_t checkpoints_packed;
    uint64_t checkpoint_ns; /* time for which the VM stood still for them */

    /*
     * Replay: going back (or far ahead) in the log. QEMU writes seek_tick, then increments seek
     * (release). The feeder goes on from the events that follow these ticks, writes to seek_from
     * where in each shard (its byte position, as in skein_shard_writer) they begin, then makes
     * seek_done equal (release). What QEMU has not consumed before these positions is void: it
     * gives it back with skein_shard_skip(), without which the feeder may have no room. Shards that
     * were closed are open again until their last event is fed. One request at a time: seek_from is
     * the answer to the last one.
     */
    _Alignas(64) uint64_t seek;
    uint64_t seek_done;
    uint64_t seek_tick[SKEIN_SESSION_MAX_SHARDS]; /* index: shard; ticks consumed at the target */
    uint64_t seek_from[SKEIN_SESSION_MAX_SHARDS];

    char cpu_model[128];
    char machine[64];

    /* Record: the guest's workload has ended, by a byte to I/O port 0x5ce1. */
    uint32_t exit_reported; /* 1: it has; release, after exit_status */
    uint32_t exit_status;   /* 0 to 255 */
};
static_assert(sizeof(struct skein_session_header) <= 4096, "session header fits its page");

#define SKEIN_SESSION_SHARDS_OFFSET 4096u

#endif
