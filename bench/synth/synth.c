#include "bench/synth/synth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/synth/events.h"
#include "pipeline/recording.h"

#define TSC_HZ 1000000000ull
/* Raw bytes for each byte on disk, until there is a segment to know it from. */
#define RATIO_GUESS 4u
#define EVENTS_PER_LOOK 1000u

static struct skein_manifest make_manifest(const struct skein_synth_opts *opts) {
    struct skein_manifest m = {
        .created_unix_ns = 1000000000ull * 1000000000ull, /* always the same */
        .vcpu_count = opts->vcpu_count,
        .memory_bytes = 512ull << 20,
        .digest_interval = 100,
        .host = "bench/synth",
        .qemu_version = "none",
        .machine = "synth",
        .cpu_model = "synth",
        .start = "boot",
        .stop = "exit",
        .end_reason = "the recorder was killed",
    };

    memcpy(m.uuid, "skein synth\0\0\0", 14);
    m.uuid[14] = (uint8_t)opts->seed;
    m.uuid[15] = (uint8_t)opts->vcpu_count;
    m.stats.shard_count = opts->vcpu_count + 1;
    return m;
}

/* What is sealed, and what the open segment is going to take, by the ratio of the sealed ones. */
static uint64_t disk_estimate(const struct skein_stats *stats, uint64_t sealed_raw) {
    const uint64_t open_raw = skein_stats_bytes(stats) - sealed_raw;

    if (stats->disk_bytes == 0) {
        return open_raw / RATIO_GUESS;
    }
    return stats->disk_bytes +
           (uint64_t)((double)open_raw * (double)stats->disk_bytes / (double)sealed_raw);
}

/* How much has become of the events is asked now and then: the writer adds it all up. */
static void make_slices(struct skein_synth_machine *m, const struct skein_synth_opts *opts) {
    uint64_t segments = 0, sealed_raw = 0, look_at = 0;
    bool full = false;

    while (m->rc == 0 && !full && (opts->events == 0 || m->events < opts->events)) {
        skein_synth_slice(m);
        if (opts->disk_bytes != 0 && m->events >= look_at) {
            const struct skein_stats *stats = skein_log_writer_stats(m->log);
            if (stats->segments != segments) {
                segments = stats->segments;
                sealed_raw = skein_stats_bytes(stats);
            }
            full = disk_estimate(stats, sealed_raw) >= opts->disk_bytes;
            look_at = m->events + EVENTS_PER_LOOK;
        }
    }
}

static void finish(struct skein_synth_machine *m, const struct skein_synth_opts *opts,
                   struct skein_manifest *manifest) {
    if (opts->killed || m->rc != 0) {
        return;
    }
    skein_synth_end(m);
    if (m->rc == 0) {
        m->rc = skein_log_writer_finish(m->log, &m->err);
    }
    manifest->stats = *skein_log_writer_stats(m->log);
    manifest->complete = true;
    manifest->end = SKEIN_END_SHUTDOWN;
    manifest->end_reason[0] = '\0';
    manifest->duration_ns = m->tsc * (1000000000ull / TSC_HZ);
    manifest->kernel_icount = skein_synth_icount(m);
    manifest->token_waits = manifest->stats.edges / 2;
    manifest->token_wait_ns = manifest->token_waits * 5000;
    if (m->rc == 0) {
        m->rc = skein_manifest_write(opts->dir, manifest, &m->err);
    }
}

int skein_synth_make(const struct skein_synth_opts *opts, struct skein_error *err) {
    struct skein_manifest manifest = make_manifest(opts);
    struct skein_log_writer_opts log_opts = {
        .dir = opts->dir,
        .shard_count = opts->vcpu_count + 1,
        .block_bytes = opts->block_bytes,
        .segment_bytes = opts->segment_bytes,
    };
    struct skein_synth_machine *m;
    struct skein_log_writer *log;
    int rc;

    if (opts->vcpu_count == 0 || opts->vcpu_count > SKEIN_MAX_VCPUS ||
        (opts->disk_bytes == 0 && opts->events == 0)) {
        return skein_error_set(err, -EINVAL, "between 1 and %u vCPUs, and a limit",
                               SKEIN_MAX_VCPUS);
    }
    memcpy(log_opts.uuid, manifest.uuid, sizeof(log_opts.uuid));
    rc = skein_recording_create(opts->dir, &manifest, err);
    if (rc != 0 || (rc = skein_log_writer_create(&log_opts, &log, err)) != 0) {
        return rc;
    }
    m = malloc(sizeof(*m));
    if (m == NULL) {
        rc = skein_error_set(err, -ENOMEM, "out of memory");
    } else {
        skein_synth_machine_init(m, log, opts->vcpu_count, opts->seed);
        make_slices(m, opts);
        finish(m, opts, &manifest);
        rc = m->rc != 0 ? skein_error_set(err, m->rc, "%s", m->err.text) : 0;
        free(m);
    }
    skein_log_writer_free(log);
    return rc;
}
