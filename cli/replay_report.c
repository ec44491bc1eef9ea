#include "cli/replay_report.h"

#include <inttypes.h>

static const char *kind_name(uint32_t kind) {
    const char *name = kind < SKEIN_KIND_COUNT ? skein_kind_name((uint8_t)kind) : NULL;
    return name != NULL ? name : "none";
}

static double seconds(uint64_t ns) {
    return (double)ns / 1e9;
}

/* "vCPU 3", or "devices": the last shard is theirs. */
static const char *shard_name(const struct skein_replay_result *r) {
    static char name[32];
    if (r->divergence.vcpu >= r->manifest.vcpu_count)
        return "devices";
    snprintf(name, sizeof(name), "vCPU %" PRIu32, r->divergence.vcpu);
    return name;
}

void skein_replay_report_divergence(FILE *out, const struct skein_replay_result *r) {
    const struct skein_divergence *d = &r->divergence;
    fprintf(out, "divergence: %s\n", r->error.text);
    if (!r->has_divergence)
        return;
    fprintf(out, "  where     %s\n", shard_name(r));
    fprintf(out, "  slice     %" PRIu64 "\n", d->slice);
    fprintf(out, "  tick      %" PRIu64 " (%s)\n", d->tick, kind_name(d->kind));
    fprintf(out, "  icount    %" PRIu64 "\n", d->icount);
    fprintf(out, "  PC        0x%016" PRIx64 "\n", d->pc);
    fprintf(out, "  expected  0x%016" PRIx64 "\n", d->expected);
    fprintf(out, "  got       0x%016" PRIx64 "\n", d->got);
    if (d->good_tick != 0)
        fprintf(out, "  right     until tick %" PRIu64 ", icount %" PRIu64 "\n", d->good_tick,
                d->good_icount);
}

static void line_divergence(FILE *out, const struct skein_replay_result *r) {
    const struct skein_divergence *d = &r->divergence;
    if (r->has_divergence)
        fprintf(out,
                " at %s, slice %" PRIu64 ", tick %" PRIu64 " (%s), icount %" PRIu64
                ", PC 0x%" PRIx64 ": expected 0x%" PRIx64 ", got 0x%" PRIx64,
                shard_name(r), d->slice, d->tick, kind_name(d->kind), d->icount, d->pc, d->expected,
                d->got);
    if (r->has_divergence && d->good_tick != 0)
        fprintf(out, ", right until tick %" PRIu64 ", icount %" PRIu64, d->good_tick,
                d->good_icount);
}

void skein_replay_report_line(FILE *out, const char *dir, const struct skein_replay_result *r) {
    fprintf(out, "%s: %s%s%s", dir, skein_outcome_name(r->outcome),
            r->where[0] != '\0' ? " in " : "", r->where);
    line_divergence(out, r);
    if (r->outcome != SKEIN_OUTCOME_SAME)
        fprintf(out, ": %s", r->error.text);
    fputs(" (", out);
    if (r->epochs > 1)
        fprintf(out, "%" PRIu32 " of %" PRIu32 " epochs the same, ", r->epochs_same, r->epochs);
    fprintf(out,
            "events %" PRIu64 "/%" PRIu64 ", slices %" PRIu64 ", console %" PRIu64
            " bytes, %.2f s)\n",
            r->events_done, r->events_total, r->slices, r->console_bytes, seconds(r->duration_ns));
}

static void json_divergence(struct skein_json *j, const struct skein_divergence *d) {
    skein_json_open(j, "divergence", '{');
    skein_json_u64(j, "vcpu", d->vcpu);
    skein_json_u64(j, "slice", d->slice);
    skein_json_u64(j, "tick", d->tick);
    skein_json_string(j, "kind", kind_name(d->kind));
    skein_json_u64(j, "icount", d->icount);
    skein_json_u64(j, "pc", d->pc);
    skein_json_u64(j, "expected", d->expected);
    skein_json_u64(j, "got", d->got);
    skein_json_u64(j, "good_tick", d->good_tick);
    skein_json_u64(j, "good_icount", d->good_icount);
    skein_json_close(j, '}');
}

void skein_replay_report_json(struct skein_json *j, const struct skein_replay_result *r) {
    skein_json_string(j, "verdict", skein_outcome_name(r->outcome));
    skein_json_string(j, "message", r->error.text);
    if (r->has_divergence)
        json_divergence(j, &r->divergence);
    skein_json_u64(j, "events_done", r->events_done);
    skein_json_u64(j, "events_total", r->events_total);
    skein_json_u64(j, "slices_done", r->slices);
    skein_json_u64(j, "console_bytes_done", r->console_bytes);
    skein_json_f64(j, "prepare_s", seconds(r->prepare_ns));
    skein_json_f64(j, "replay_s", seconds(r->duration_ns));
    skein_json_f64(j, "total_s", seconds(r->total_ns));
}
