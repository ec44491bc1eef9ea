#include <inttypes.h>

#include "cli/report.h"
#include "cli/stats_print.h"

/* Wider matrices are shown as the pairs with most hand-offs. */
#define MATRIX_SHARDS 9u

static double seconds(uint64_t ns) {
    return (double)ns / 1e9;
}

static double mega(double bytes) {
    return bytes / 1e6;
}

static double percent(uint64_t part, uint64_t all) {
    return skein_ratio(100 * (double)part, (double)all);
}

static void text_shard(FILE *out, uint32_t shard, uint32_t shard_count) {
    char name[24] = "devices";
    if (shard + 1 < shard_count)
        snprintf(name, sizeof(name), "vCPU %" PRIu32, shard);
    fprintf(out, " %10s", name);
}

static void text_sizes(FILE *out, const struct skein_stats_view *v) {
    const struct skein_tally_numbers *n = v->numbers;
    const double events = (double)skein_stats_events(&n->events);
    const double bytes = (double)skein_stats_bytes(&n->events), disk = (double)v->disk_bytes;
    const double s = seconds(n->duration_ns);
    fprintf(out, "  %-10s %.2f s%s: %.0f events/s; %.2f MB/s in shards, %.2f MB/s on disk\n",
            "time", s, n->duration_estimated ? " (by the guest's clock)" : "",
            skein_ratio(events, s), mega(skein_ratio(bytes, s)), mega(skein_ratio(disk, s)));
    fprintf(out,
            "  %-10s %.1f MB in shards, %.1f MB on disk (%.1f times less); %.2f and %.2f bytes per "
            "event\n",
            "size", mega(bytes), mega(disk), skein_ratio(bytes, disk), skein_ratio(bytes, events),
            skein_ratio(disk, events));
}

static void text_kind(FILE *out, const char *name, uint64_t events, uint64_t bytes,
                      const struct skein_tally_numbers *n) {
    const double s = seconds(n->duration_ns);
    fprintf(out, "  %-10s %12" PRIu64 " %10.0f %14" PRIu64 " %12.0f %9.1f %6.1f%%\n", name, events,
            skein_ratio((double)events, s), bytes, skein_ratio((double)bytes, s),
            skein_ratio((double)bytes, (double)events),
            percent(bytes, skein_stats_bytes(&n->events)));
}

static void text_kinds(FILE *out, const struct skein_tally_numbers *n) {
    fprintf(out, "\n  %-10s %12s %10s %14s %12s %9s %7s\n", "events", "all", "per s", "bytes",
            "bytes/s", "per event", "bytes");
    for (uint8_t kind = 1; kind < (uint8_t)SKEIN_KIND_COUNT; kind++) {
        const uint64_t events = skein_stats_kind(&n->events, kind);
        if (events != 0)
            text_kind(out, skein_kind_name(kind), events, n->events.kind_bytes[kind], n);
    }
    text_kind(out, "all", skein_stats_events(&n->events), skein_stats_bytes(&n->events), n);
}

static uint64_t all_instructions(const struct skein_tally_numbers *n) {
    uint64_t sum = 0;
    for (uint32_t v = 0; v + 1 < n->shard_count; v++)
        sum += n->vcpu[v].instructions;
    return sum;
}

static void text_slices(FILE *out, const struct skein_tally_numbers *n) {
    const struct skein_histogram *h = &n->slice_instructions;
    const uint64_t all = all_instructions(n);
    fprintf(out, "\n  %-10s %12s %16s %7s %12s\n", "slices", "all", "instructions", "",
            "per slice");
    for (uint32_t v = 0; v + 1 < n->shard_count; v++) {
        const struct skein_tally_vcpu *c = &n->vcpu[v];
        char name[24];
        snprintf(name, sizeof(name), "vCPU %" PRIu32, v);
        fprintf(out, "  %-10s %12" PRIu64 " %16" PRIu64 " %6.1f%% %12.0f\n", name, c->slices,
                c->instructions, percent(c->instructions, all),
                skein_ratio((double)c->instructions, (double)c->slices));
    }
    fprintf(out,
            "\n  slice lengths, in kernel instructions: mean %.0f, half of them below %" PRIu64
            ", longest %" PRIu64 "\n",
            skein_ratio((double)h->sum, (double)h->count), skein_histogram_median(h) * 2, h->max);
    if (n->slices_at_io != 0)
        fprintf(out, "  (%" PRIu64 " end within an I/O access: up to the last known position)\n",
                n->slices_at_io);
    skein_histogram_text(out, h);
}

static void text_matrix(FILE *out, const struct skein_tally_numbers *n) {
    fprintf(out, "\n  %-10s", "hand-offs");
    for (uint32_t to = 0; to < n->shard_count; to++)
        text_shard(out, to, n->shard_count);
    fputs("  (to)\n", out);
    for (uint32_t from = 0; from < n->shard_count; from++) {
        text_shard(out, from, n->shard_count);
        fputc(' ', out);
        for (uint32_t to = 0; to < n->shard_count; to++)
            fprintf(out, " %10" PRIu64, n->handoffs[from][to]);
        fputc('\n', out);
    }
}

/* The next most frequent pair behind this one, both in the order of count and place. */
static bool next_pair(const struct skein_tally_numbers *n, uint32_t *from, uint32_t *to,
                      bool first) {
    const uint64_t last = first ? UINT64_MAX : n->handoffs[*from][*to];
    const uint32_t last_at = *from * SKEIN_MAX_SHARDS + *to;
    uint64_t best = 0;
    for (uint32_t f = 0; f < n->shard_count; f++)
        for (uint32_t t = 0; t < n->shard_count; t++) {
            const uint64_t count = n->handoffs[f][t];
            const bool behind =
                count < last || (count == last && f * SKEIN_MAX_SHARDS + t > last_at && !first);
            if (behind && count > best) {
                best = count;
                *from = f;
                *to = t;
            }
        }
    return best != 0;
}

static void text_pairs(FILE *out, const struct skein_tally_numbers *n, uint32_t top) {
    uint32_t from = 0, to = 0;
    fprintf(out, "\n  %-10s\n", "hand-offs");
    for (uint32_t i = 0; i < top && next_pair(n, &from, &to, i == 0); i++) {
        text_shard(out, from, n->shard_count);
        fputs(" to", out);
        text_shard(out, to, n->shard_count);
        fprintf(out, " %12" PRIu64 "\n", n->handoffs[from][to]);
    }
}

static void text_wait(FILE *out, const struct skein_manifest *m, const char *what, uint64_t count,
                      uint64_t ns) {
    fprintf(out, "  %-10s %12" PRIu64 " %10.3f s %10.1f us each, %5.1f%% of the vCPUs' time\n",
            what, count, seconds(ns), skein_ratio((double)ns / 1e3, (double)count),
            skein_ratio(100 * (double)ns, (double)m->duration_ns * m->vcpu_count));
}

static void text_waits(FILE *out, const struct skein_manifest *m) {
    if (!m->complete) {
        fprintf(out, "\n  %-10s not known: the recording is incomplete\n", "waits");
        return;
    }
    fprintf(out, "\n  %-10s %12s\n", "waits", "all");
    text_wait(out, m, "token", m->token_waits, m->token_wait_ns);
    text_wait(out, m, "ring full", m->ring_waits, m->ring_wait_ns);
}

static void text_rows(FILE *out, const struct skein_stats_view *v, const char *title,
                      enum skein_tally_class class) {
    const uint64_t all = all_instructions(v->numbers);
    uint32_t shown = 0;
    for (size_t i = 0; i < v->numbers->row_count && shown < v->top; i++) {
        const struct skein_tally_row *r = &v->numbers->rows[i];
        if (r->class != class)
            continue;
        if (shown++ == 0)
            fprintf(out, "\n  %-24s %12s %16s %7s %12s %14s\n", title, "all", "instructions", "",
                    "each", "bytes read");
        fprintf(out, "  %-24s %12" PRIu64 " %16" PRIu64 " %6.1f%% %12.0f %14" PRIu64 "\n", r->name,
                r->count, r->instructions, percent(r->instructions, all),
                skein_ratio((double)r->instructions, (double)r->count), r->user_bytes);
    }
}

static void text_values(FILE *out, const struct skein_stats_view *v) {
    const struct skein_tally_numbers *n = v->numbers;
    const uint64_t all = skein_stats_kind(&n->events, SKEIN_VALUE);
    if (all == 0)
        return;
    fprintf(out, "\n  %-24s %12s\n", "values", "all");
    for (size_t i = 0; i < n->value_count && i < v->top; i++) {
        char name[32];
        skein_stats_value_name(&n->values[i], name, sizeof(name));
        fprintf(out, "  %-24s %12" PRIu64 " %6.1f%%\n", name, n->values[i].count,
                percent(n->values[i].count, all));
    }
}

void skein_stats_text(FILE *out, const struct skein_stats_view *v) {
    const struct skein_manifest *m = v->manifest;
    if (m->complete)
        fprintf(out, "%s: complete (%s)\n", v->dir, skein_end_name(m->end));
    else
        fprintf(out, "%s: INCOMPLETE: %s\n", v->dir, m->end_reason);
    text_sizes(out, v);
    text_kinds(out, v->numbers);
    text_slices(out, v->numbers);
    if (v->numbers->shard_count <= MATRIX_SHARDS)
        text_matrix(out, v->numbers);
    else
        text_pairs(out, v->numbers, v->top);
    text_waits(out, m);
    text_rows(out, v, "system calls", SKEIN_TALLY_SYSCALL);
    text_rows(out, v, "exceptions, interrupts", SKEIN_TALLY_TRAP);
    text_rows(out, v, "elsewhere", SKEIN_TALLY_OTHER);
    text_values(out, v);
    if (v->numbers->user_read_bytes.count != 0) {
        fputs("\n  bytes in one read of user memory\n", out);
        skein_histogram_text(out, &v->numbers->user_read_bytes);
    }
}
