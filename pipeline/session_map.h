/*
 * Creating, mapping and removing the shared-memory file of a session (session.h).
 *
 * Errors: -EINVAL params that no session has, -EEXIST, -ENOSPC no room for all of it, -EPROTO what
 * is there is no session of this version, -ENOMEM, or what the system said. After an error nothing
 * is left behind.
 *
 * Who writes the header: skein_session_create() everything up to the uuid, skein_pid and
 * digest_interval, before anybody else has the path; the feeder truncated, before it feeds
 * anything; QEMU the rest. `state` is released last, so who has acquired ENDED, FAILED or RUNNING
 * sees the fields that belong to it; the counters said to be "so far" may be read at any time and
 * are as of some moment. Times are nanoseconds, positions and sizes bytes.
 *
 * A mapped session may be used by any thread; whoever closes it makes sure that nobody uses it any
 * more.
 */
#ifndef SKEIN_PIPELINE_SESSION_MAP_H
#define SKEIN_PIPELINE_SESSION_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/error.h"
#include "pipeline/session.h"

#define SKEIN_SESSION_RING_BYTES (8ull << 20) /* what ring_bytes = 0 means */

struct skein_session_params {
    enum skein_mode mode;
    enum skein_scope scope;
    uint32_t vcpu_count;
    uint64_t ring_bytes;      /* per shard, a power of two; 0: the default */
    uint32_t digest_interval; /* 0: the default */
    uint8_t uuid[16];         /* of the recording */
    uint32_t instance;        /* which of several that the process has at once; 0: the only one */
    bool huge_pages;          /* where the system offers them: skein_session_huge_bytes() */
};

struct skein_session; /* a mapped session */

/* How large the file is. */
size_t skein_session_bytes(uint32_t vcpu_count, uint64_t ring_bytes);

/*
 * A new path in /dev/shm, unlike any other: "/dev/shm/skein-<uuid>-<pid>-<mode>", and "-<instance>"
 * unless that is 0.
 */
void skein_session_path(const struct skein_session_params *params, char *path, size_t size);

/* Creates the file (-EEXIST if it is there), lays out the shards, sets skein_pid to the caller. */
int skein_session_create(const char *path, const struct skein_session_params *params,
                         struct skein_session **out, struct skein_error *err);

/* Maps an existing one and checks that it is whole. */
int skein_session_open(const char *path, struct skein_session **out, struct skein_error *err);

/* Unmaps; the file stays. */
void skein_session_close(struct skein_session *session);

/* Removes the file; those who have mapped it keep it. */
int skein_session_unlink(struct skein_session *session);

const char *skein_session_name(const struct skein_session *session); /* its path */
struct skein_session_header *skein_session_header(struct skein_session *session);

/* Loads state with acquire: what QEMU wrote before it is visible. */
enum skein_session_state skein_session_state(const struct skein_session *session);

/* The memory of shard i (< shard_count), which lives as long as the mapping; for
 * skein_shard_{reader,writer}_open(). */
void *skein_session_shard(struct skein_session *session, uint32_t shard, size_t *mem_bytes);

/* While it is written, too. Back-pressure of all shards: times a writer waited for room, and for
 * how long in all. */
void skein_session_waits(const struct skein_session *session, uint64_t *waits, uint64_t *wait_ns);

/* How much of it is in huge pages now. */
uint64_t skein_session_huge_bytes(const struct skein_session *session);

/* A random (version 4) UUID, and its text: 36 characters and NUL. */
int skein_uuid_make(uint8_t uuid[16]);
void skein_uuid_format(const uint8_t uuid[16], char text[37]);

#endif
