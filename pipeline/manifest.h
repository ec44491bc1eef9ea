/*
 * The manifest of a recording: what was recorded, on what, and how it ended. On disk it is the
 * protobuf message skein.Manifest in a checksummed frame (proto/skein.proto); written at the start
 * with complete = false and again at the end, atomically.
 *
 * Errors: -ENOENT there is none, -EINVAL the file is none, -EPROTO it is of another version,
 * -EBADMSG it is damaged or says what cannot be, -ENOMEM, or what the system said. The functions
 * keep nothing: any thread may call them, on manifests of its own.
 */
#ifndef SKEIN_PIPELINE_MANIFEST_H
#define SKEIN_PIPELINE_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/error.h"
#include "pipeline/stats.h"

#define SKEIN_FORMAT_VERSION 1u

/* A file of the recording or of its input, and how to know it again. size 0: there is none. */
struct skein_manifest_file {
    char path[1024];
    uint64_t size_bytes;
    uint64_t xxh64;
};

struct skein_manifest {
    uint8_t uuid[16];
    uint32_t format_version; /* set by write */
    uint64_t created_unix_ns;
    char host[128]; /* uname: where it was recorded */

    char qemu_version[128];
    char machine[128];   /* what follows -machine */
    char cpu_model[256]; /* what follows -cpu */
    uint32_t vcpu_count;
    uint64_t memory_bytes;
    uint32_t scope; /* enum skein_scope */
    uint32_t digest_interval;

    struct skein_manifest_file kernel;
    struct skein_manifest_file initrd;
    char cmdline[2048];
    char start[256]; /* "boot", "console:TEXT", "guest" */
    char stop[256];  /* "exit", "console:TEXT", "guest" */

    uint64_t tsc_start; /* the guest's time-stamp counter when the recording began */
    uint64_t tsc_hz;    /* its ticks in a second; 0: unknown */
    uint32_t chaos;     /* seed of the perturbations under which it was recorded; 0: none */

    struct skein_manifest_file snapshot; /* path relative to the recording; the compressed file */
    uint64_t snapshot_raw_bytes;
    struct skein_manifest_file console;

    /* Known at the end. */
    bool complete;        /* every shard has its END and everything was sealed */
    uint32_t end;         /* enum skein_end; 0: it did not end, see end_reason */
    char end_reason[512]; /* one line */
    uint64_t duration_ns;
    uint32_t exit_report; /* 1 + the exit status that the guest's workload reported; 0: none */
    uint64_t kernel_icount;
    uint64_t token_waits;
    uint64_t token_wait_ns;
    uint64_t checkpoint_ns; /* the VM stood still for checkpoints */
    uint64_t ring_waits;    /* back-pressure */
    uint64_t ring_wait_ns;
    bool loss; /* it was recovered, and events are missing: end_reason says which */
    struct skein_stats stats;
};

/* Replaces DIR/manifest atomically (write, fsync, rename, fsync of the directory). */
int skein_manifest_write(const char *dir, const struct skein_manifest *manifest,
                         struct skein_error *err);

int skein_manifest_read(const char *dir, struct skein_manifest *manifest, struct skein_error *err);

/* Fills size and checksum of the file at `path` and copies the path. */
int skein_manifest_file_fill(struct skein_manifest_file *file, const char *path,
                             struct skein_error *err);

#endif
