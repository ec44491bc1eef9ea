#include <inttypes.h>

#include "cli/report.h"
#include "cli/stats_print.h"

double skein_ratio(double a, double b) {
    return b > 0 ? a / b : 0;
}

void skein_stats_value_name(const struct skein_tally_value *value, char *name, size_t size) {
    const char *source = skein_value_source_name(value->source);
    if (source == NULL)
        snprintf(name, size, "source %" PRIu32, value->source);
    else if (value->source == SKEIN_VALUE_PORT || value->source == SKEIN_VALUE_MMIO ||
             value->source == SKEIN_VALUE_MSR)
        snprintf(name, size, "%s 0x%04" PRIx32, source, value->addr);
    else
        snprintf(name, size, "%s", source);
}

static double seconds(uint64_t ns) {
    return (double)ns / 1e9;
}

static void json_rates(struct skein_json *j, uint64_t events, uint64_t bytes,
                       uint64_t duration_ns) {
    skein_json_u64(j, "events", events);
    skein_json_u64(j, "bytes", bytes);
    skein_json_f64(j, "events_per_s", skein_ratio((double)events, seconds(duration_ns)));
    skein_json_f64(j, "bytes_per_s", skein_ratio((double)bytes, seconds(duration_ns)));
    skein_json_f64(j, "bytes_per_event", skein_ratio((double)bytes, (double)events));
}

static void json_kinds(struct skein_json *j, const struct skein_tally_numbers *n) {
    skein_json_open(j, "kinds", '{');
    for (uint8_t kind = 1; kind < (uint8_t)SKEIN_KIND_COUNT; kind++) {
        const uint64_t events = skein_stats_kind(&n->events, kind);
        if (events == 0)
            continue;
        skein_json_open(j, skein_kind_name(kind), '{');
        json_rates(j, events, n->events.kind_bytes[kind], n->duration_ns);
        skein_json_close(j, '}');
    }
    skein_json_close(j, '}');
}

static void json_slices(struct skein_json *j, const struct skein_tally_numbers *n) {
    skein_json_u64(j, "slices", n->events.slices);
    skein_json_u64(j, "edges", n->events.edges);
    skein_json_open(j, "vcpus", '[');
    for (uint32_t v = 0; v + 1 < n->shard_count; v++) {
        skein_json_open(j, NULL, '{');
        skein_json_u64(j, "slices", n->vcpu[v].slices);
        skein_json_u64(j, "instructions", n->vcpu[v].instructions);
        skein_json_close(j, '}');
    }
    skein_json_close(j, ']');
    skein_json_u64(j, "slices_at_io", n->slices_at_io);
    skein_histogram_json(j, "slice_instructions", &n->slice_instructions);
    skein_json_open(j, "handoffs", '[');
    for (uint32_t from = 0; from < n->shard_count; from++)
        for (uint32_t to = 0; to < n->shard_count; to++) {
            if (n->handoffs[from][to] == 0)
                continue;
            skein_json_open(j, NULL, '{');
            skein_json_u64(j, "from", from);
            skein_json_u64(j, "to", to);
            skein_json_u64(j, "count", n->handoffs[from][to]);
            skein_json_close(j, '}');
        }
    skein_json_close(j, ']');
}

static void json_waits(struct skein_json *j, const struct skein_manifest *m) {
    if (!m->complete)
        return;
    skein_json_open(j, "waits", '{');
    skein_json_u64(j, "token", m->token_waits);
    skein_json_f64(j, "token_s", seconds(m->token_wait_ns));
    skein_json_u64(j, "ring", m->ring_waits);
    skein_json_f64(j, "ring_s", seconds(m->ring_wait_ns));
    skein_json_close(j, '}');
}

static void json_rows(struct skein_json *j, const struct skein_stats_view *v, const char *member,
                      enum skein_tally_class class) {
    uint32_t shown = 0;
    skein_json_open(j, member, '[');
    for (size_t i = 0; i < v->numbers->row_count && shown < v->top; i++) {
        const struct skein_tally_row *r = &v->numbers->rows[i];
        if (r->class != class)
            continue;
        shown++;
        skein_json_open(j, NULL, '{');
        skein_json_string(j, "name", r->name);
        skein_json_u64(j, "count", r->count);
        skein_json_u64(j, "instructions", r->instructions);
        skein_json_u64(j, "user_bytes", r->user_bytes);
        skein_json_close(j, '}');
    }
    skein_json_close(j, ']');
}

static void json_values(struct skein_json *j, const struct skein_stats_view *v) {
    skein_json_open(j, "values", '[');
    for (size_t i = 0; i < v->numbers->value_count && i < v->top; i++) {
        char name[32];
        skein_stats_value_name(&v->numbers->values[i], name, sizeof(name));
        skein_json_open(j, NULL, '{');
        skein_json_string(j, "name", name);
        skein_json_u64(j, "count", v->numbers->values[i].count);
        skein_json_close(j, '}');
    }
    skein_json_close(j, ']');
    skein_json_u64(j, "values_elsewhere", v->numbers->values_elsewhere);
}

void skein_stats_json(struct skein_json *j, const struct skein_stats_view *v) {
    const struct skein_tally_numbers *n = v->numbers;
    const uint64_t events = skein_stats_events(&n->events);
    skein_json_string(j, "dir", v->dir);
    skein_json_bool(j, "complete", v->manifest->complete);
    skein_json_f64(j, "duration_s", seconds(n->duration_ns));
    skein_json_bool(j, "duration_estimated", n->duration_estimated);
    json_rates(j, events, skein_stats_bytes(&n->events), n->duration_ns);
    skein_json_u64(j, "disk_bytes", v->disk_bytes);
    skein_json_f64(j, "disk_bytes_per_event", skein_ratio((double)v->disk_bytes, (double)events));
    json_kinds(j, n);
    json_slices(j, n);
    json_waits(j, v->manifest);
    json_rows(j, v, "system_calls", SKEIN_TALLY_SYSCALL);
    json_rows(j, v, "exceptions_interrupts", SKEIN_TALLY_TRAP);
    json_rows(j, v, "elsewhere", SKEIN_TALLY_OTHER);
    json_values(j, v);
    skein_histogram_json(j, "user_read_bytes", &n->user_read_bytes);
}
