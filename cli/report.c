#include "cli/report.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "pipeline/session_map.h"

const char *skein_scope_name(uint32_t scope) {
    return scope == SKEIN_SCOPE_SYSTEM ? "system" : "kernel";
}

const char *skein_end_name(uint32_t end) {
    static const char *const names[] = {"none", "stopped", "shutdown", "reset", "panic", "ignored"};
    return end < sizeof(names) / sizeof(names[0]) ? names[end] : "unknown";
}

static double mega(uint64_t bytes) {
    return (double)bytes / 1e6;
}

static double seconds(uint64_t ns) {
    return (double)ns / 1e9;
}

static void text_file(FILE *out, const char *what, const struct skein_manifest_file *f) {
    if (f->size_bytes > 0)
        fprintf(out, "  %-10s %s (%" PRIu64 " bytes, %016" PRIx64 ")\n", what, f->path,
                f->size_bytes, f->xxh64);
}

static void text_what(FILE *out, const struct skein_manifest *m) {
    char uuid[37];
    skein_uuid_format(m->uuid, uuid);
    char when[64] = "";
    time_t created = (time_t)(m->created_unix_ns / 1000000000ull);
    struct tm tm;
    if (gmtime_r(&created, &tm) != NULL)
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
    fprintf(out, "  %-10s %s, %s, on %s\n", "recording", uuid, when, m->host);
    fprintf(out, "  %-10s QEMU %s, -machine %s -cpu %s\n", "machine", m->qemu_version, m->machine,
            m->cpu_model);
    fprintf(out, "  %-10s %" PRIu32 " vCPUs, %" PRIu64 " MiB, scope %s, from %s to %s\n", "",
            m->vcpu_count, m->memory_bytes >> 20, skein_scope_name(m->scope), m->start, m->stop);
    if (m->chaos != 0)
        fprintf(out, "  %-10s disturbed by --chaos %" PRIu32 "\n", "", m->chaos);
    if (m->exit_report != 0)
        fprintf(out, "  %-10s the workload ended with %" PRIu32 "\n", "", m->exit_report - 1);
    text_file(out, "kernel", &m->kernel);
    text_file(out, "initrd", &m->initrd);
    if (m->cmdline[0] != '\0')
        fprintf(out, "  %-10s %s\n", "cmdline", m->cmdline);
}

/* More vCPUs than fit on a line are in the JSON only. */
static uint32_t shown_shards(const struct skein_manifest *m) {
    return m->stats.shard_count <= 9 ? m->stats.shard_count : 0;
}

static void text_kind(FILE *out, const struct skein_manifest *m, uint8_t kind) {
    fprintf(out, "  %-10s %12" PRIu64, skein_kind_name(kind), skein_stats_kind(&m->stats, kind));
    for (uint32_t s = 0; s < shown_shards(m); s++)
        fprintf(out, " %10" PRIu64, m->stats.events[s][kind]);
    fprintf(out, " %12" PRIu64 "\n", m->stats.kind_bytes[kind]);
}

static void text_events(FILE *out, const struct skein_manifest *m) {
    fprintf(out, "  %-10s %12s", "events", "all");
    for (uint32_t s = 0; s + 1 < shown_shards(m); s++)
        fprintf(out, "     vCPU %-1" PRIu32, s);
    if (shown_shards(m) > 0)
        fprintf(out, " %10s", "devices");
    fprintf(out, " %12s\n", "bytes");
    for (uint8_t kind = 1; kind < (uint8_t)SKEIN_KIND_COUNT; kind++)
        if (skein_stats_kind(&m->stats, kind) > 0)
            text_kind(out, m, kind);
    fprintf(out, "  %-10s %12" PRIu64, "all", skein_stats_events(&m->stats));
    for (uint32_t s = 0; s < shown_shards(m); s++)
        fprintf(out, " %10" PRIu64, skein_stats_shard(&m->stats, s));
    fprintf(out, " %12" PRIu64 "\n", skein_stats_bytes(&m->stats));
}

static void text_numbers(FILE *out, const struct skein_manifest *m) {
    uint64_t events = skein_stats_events(&m->stats);
    uint64_t bytes = skein_stats_bytes(&m->stats);
    fprintf(out,
            "  %-10s %" PRIu64 ", cross-core edges %" PRIu64 ", kernel instructions %" PRIu64 "\n",
            "slices", m->stats.slices, m->stats.edges, m->kernel_icount);
    fprintf(out,
            "  %-10s %.1f MB in shards, %.1f MB on disk in %" PRIu64
            " segments, %.2f bytes per event; snapshot %.1f MB (%.1f raw)\n",
            "size", mega(bytes), mega(m->stats.disk_bytes), m->stats.segments,
            events > 0 ? (double)m->stats.disk_bytes / (double)events : 0,
            mega(m->snapshot.size_bytes), mega(m->snapshot_raw_bytes));
    fprintf(out,
            "  %-10s %.2f s; waits: token %" PRIu64 " (%.3f s), back-pressure %" PRIu64
            " (%.3f s), checkpoints %.3f s\n",
            "time", seconds(m->duration_ns), m->token_waits, seconds(m->token_wait_ns),
            m->ring_waits, seconds(m->ring_wait_ns), seconds(m->checkpoint_ns));
}

void skein_report_text(FILE *out, const char *dir, const struct skein_manifest *m) {
    if (m->complete)
        fprintf(out, "%s: complete (%s)%s%s\n", dir, skein_end_name(m->end),
                m->end_reason[0] != '\0' ? ": " : "", m->end_reason);
    else
        fprintf(out, "%s: INCOMPLETE: %s\n", dir, m->end_reason);
    text_what(out, m);
    text_events(out, m);
    text_numbers(out, m);
}

static void json_file(struct skein_json *j, const char *name, const struct skein_manifest_file *f) {
    char hash[17];
    if (f->size_bytes == 0)
        return;
    snprintf(hash, sizeof(hash), "%016" PRIx64, f->xxh64);
    skein_json_open(j, name, '{');
    skein_json_string(j, "path", f->path);
    skein_json_u64(j, "bytes", f->size_bytes);
    skein_json_string(j, "xxh64", hash);
    skein_json_close(j, '}');
}

static void json_what(struct skein_json *j, const char *dir, const struct skein_manifest *m) {
    char uuid[37];
    skein_uuid_format(m->uuid, uuid);
    skein_json_string(j, "dir", dir);
    skein_json_string(j, "uuid", uuid);
    skein_json_u64(j, "format", m->format_version);
    skein_json_bool(j, "complete", m->complete);
    skein_json_string(j, "end", skein_end_name(m->end));
    skein_json_string(j, "end_reason", m->end_reason);
    skein_json_u64(j, "created_unix_s", m->created_unix_ns / 1000000000u);
    skein_json_string(j, "host", m->host);
    skein_json_string(j, "qemu", m->qemu_version);
    skein_json_string(j, "machine", m->machine);
    skein_json_string(j, "cpu", m->cpu_model);
    skein_json_u64(j, "vcpus", m->vcpu_count);
    skein_json_u64(j, "memory_bytes", m->memory_bytes);
    skein_json_string(j, "scope", skein_scope_name(m->scope));
    skein_json_string(j, "start", m->start);
    skein_json_string(j, "stop", m->stop);
    skein_json_string(j, "cmdline", m->cmdline);
    if (m->chaos != 0)
        skein_json_u64(j, "chaos", m->chaos);
    if (m->exit_report != 0)
        skein_json_u64(j, "exit_status", m->exit_report - 1);
    json_file(j, "kernel", &m->kernel);
    json_file(j, "initrd", &m->initrd);
    json_file(j, "snapshot", &m->snapshot);
    skein_json_u64(j, "snapshot_raw_bytes", m->snapshot_raw_bytes);
    json_file(j, "console", &m->console);
}

static void json_kinds(struct skein_json *j, const char *name, const struct skein_manifest *m,
                       int64_t shard) {
    skein_json_open(j, name, '{');
    for (uint8_t kind = 1; kind < (uint8_t)SKEIN_KIND_COUNT; kind++) {
        uint64_t n = shard < 0 ? skein_stats_kind(&m->stats, kind) : m->stats.events[shard][kind];
        if (skein_stats_kind(&m->stats, kind) > 0)
            skein_json_u64(j, skein_kind_name(kind), n);
    }
    skein_json_close(j, '}');
}

void skein_report_json(struct skein_json *j, const char *dir, const struct skein_manifest *m) {
    uint64_t events = skein_stats_events(&m->stats);
    json_what(j, dir, m);
    skein_json_u64(j, "events", events);
    json_kinds(j, "events_by_kind", m, -1);
    skein_json_open(j, "events_by_shard", '[');
    for (uint32_t s = 0; s < m->stats.shard_count; s++)
        json_kinds(j, NULL, m, s);
    skein_json_close(j, ']');
    skein_json_u64(j, "slices", m->stats.slices);
    skein_json_u64(j, "edges", m->stats.edges);
    skein_json_u64(j, "kernel_icount", m->kernel_icount);
    skein_json_u64(j, "shard_bytes", skein_stats_bytes(&m->stats));
    skein_json_u64(j, "disk_bytes", m->stats.disk_bytes);
    skein_json_f64(j, "bytes_per_event",
                   events > 0 ? (double)m->stats.disk_bytes / (double)events : 0);
    skein_json_u64(j, "segments", m->stats.segments);
    skein_json_f64(j, "duration_s", seconds(m->duration_ns));
    skein_json_u64(j, "token_waits", m->token_waits);
    skein_json_f64(j, "token_wait_s", seconds(m->token_wait_ns));
    skein_json_f64(j, "checkpoint_s", seconds(m->checkpoint_ns));
    skein_json_u64(j, "ring_waits", m->ring_waits);
    skein_json_f64(j, "ring_wait_s", seconds(m->ring_wait_ns));
}

FILE *skein_json_begin(const struct skein_json_opt *opt) {
    return opt->file == NULL || strcmp(opt->file, "-") == 0 ? stdout : fopen(opt->file, "we");
}

bool skein_json_end(FILE *out) {
    fputc('\n', out);
    bool good = ferror(out) == 0 && fflush(out) == 0;
    if (out != stdout)
        good = fclose(out) == 0 && good;
    return good;
}

bool skein_report_json_to(const struct skein_json_opt *opt, const char *dir,
                          const struct skein_manifest *m) {
    FILE *out = skein_json_begin(opt);
    if (out == NULL)
        return false;
    struct skein_json j = {.out = out};
    skein_json_open(&j, NULL, '{');
    skein_report_json(&j, dir, m);
    skein_json_close(&j, '}');
    return skein_json_end(out);
}
