/* What skein diff says. */
#include <inttypes.h>
#include <string.h>

#include "cli/diff.h"
#include "cli/report.h"

static void add_string(struct skein_diff_field **f, const char *name, const char *value) {
    (*f)->name = name;
    snprintf((*f)->text, sizeof((*f)->text), "%s", value);
    ++*f;
}

static void add_number(struct skein_diff_field **f, const char *name, uint64_t value) {
    (*f)->name = name;
    snprintf((*f)->text, sizeof((*f)->text), "%" PRIu64, value);
    ++*f;
}

static void add_file(struct skein_diff_field **f, const char *name,
                     const struct skein_manifest_file *file) {
    (*f)->name = name;
    if (file->size_bytes == 0)
        snprintf((*f)->text, sizeof((*f)->text), "none");
    else
        snprintf((*f)->text, sizeof((*f)->text), "%" PRIu64 " bytes, %016" PRIx64, file->size_bytes,
                 file->xxh64);
    ++*f;
}

void skein_diff_fields(const struct skein_manifest *m,
                       struct skein_diff_field field[SKEIN_DIFF_FIELDS]) {
    struct skein_diff_field *f = field;
    add_number(&f, "format", m->format_version);
    add_string(&f, "qemu", m->qemu_version);
    add_string(&f, "machine", m->machine);
    add_string(&f, "cpu", m->cpu_model);
    add_number(&f, "vcpus", m->vcpu_count);
    add_number(&f, "memory_bytes", m->memory_bytes);
    add_string(&f, "scope", skein_scope_name(m->scope));
    add_number(&f, "digest_interval", m->digest_interval);
    add_file(&f, "kernel", &m->kernel);
    add_file(&f, "initrd", &m->initrd);
    add_string(&f, "cmdline", m->cmdline);
    add_string(&f, "start", m->start);
    add_string(&f, "stop", m->stop);
    add_string(&f, "end", m->complete ? skein_end_name(m->end) : "incomplete");
    add_file(&f, "snapshot", &m->snapshot);
    add_file(&f, "console", &m->console);
    assert(f == field + SKEIN_DIFF_FIELDS);
}

static void text_fields(FILE *out, const struct skein_diff *d) {
    for (uint32_t i = 0; i < SKEIN_DIFF_FIELDS; i++) {
        const struct skein_diff_field *a = &d->side[0].field[i], *b = &d->side[1].field[i];
        if (strcmp(a->text, b->text) != 0)
            fprintf(out, "%s:\n  A  %s\n  B  %s\n", a->name, a->text, b->text);
    }
}

static void text_events(FILE *out, const struct skein_diff *d) {
    const struct skein_event *at = &d->at;
    fprintf(out, "first difference behind %" PRIu64 " same events: slice %" PRIu64 ", ", d->first,
            at->slice);
    if (at->shard + 1 == d->side[0].stats.shard_count)
        fprintf(out, "devices");
    else
        fprintf(out, "vCPU %" PRIu32, at->shard);
    fprintf(out, ", tick %" PRIu64 "\n", at->tick);
    for (int s = 0; s < 2; s++)
        fprintf(out, "  %c %s\n", 'A' + s, d->shown[s] != NULL ? d->shown[s] : " ends before it");
}

static void text_row(FILE *out, const char *name, uint64_t a, uint64_t b) {
    fprintf(out, "  %-10s %12" PRIu64 " %12" PRIu64 " %+13" PRId64 "\n", name, a, b,
            (int64_t)(b - a));
}

static void text_counts(FILE *out, const struct skein_diff *d) {
    const struct skein_stats *a = &d->side[0].stats, *b = &d->side[1].stats;
    fprintf(out, "  %-10s %12s %12s %13s\n", "events", "A", "B", "B - A");
    for (uint8_t kind = 1; kind < (uint8_t)SKEIN_KIND_COUNT; kind++)
        if (skein_stats_kind(a, kind) != 0 || skein_stats_kind(b, kind) != 0)
            text_row(out, skein_kind_name(kind), skein_stats_kind(a, kind),
                     skein_stats_kind(b, kind));
    text_row(out, "all", d->side[0].events, d->side[1].events);
    text_row(out, "slices", a->slices, b->slices);
}

void skein_diff_text(FILE *out, const struct skein_diff *d) {
    if (d->fields_differ == 0 && !d->events_differ) {
        fprintf(out, "same (events %" PRIu64 ", slices %" PRIu64 ")\n", d->side[0].events,
                d->side[0].stats.slices);
        return;
    }
    fprintf(out, "A  %s\nB  %s\n", d->side[0].dir, d->side[1].dir);
    text_fields(out, d);
    if (d->events_differ)
        text_events(out, d);
    else
        fprintf(out, "all events are the same\n");
    text_counts(out, d);
}

static void json_pair(struct skein_json *j, const char *name, uint64_t a, uint64_t b) {
    skein_json_open(j, name, '{');
    skein_json_u64(j, "a", a);
    skein_json_u64(j, "b", b);
    skein_json_close(j, '}');
}

static void json_fields(struct skein_json *j, const struct skein_diff *d) {
    skein_json_open(j, "fields", '[');
    for (uint32_t i = 0; i < SKEIN_DIFF_FIELDS; i++) {
        const struct skein_diff_field *a = &d->side[0].field[i], *b = &d->side[1].field[i];
        if (strcmp(a->text, b->text) == 0)
            continue;
        skein_json_open(j, NULL, '{');
        skein_json_string(j, "name", a->name);
        skein_json_string(j, "a", a->text);
        skein_json_string(j, "b", b->text);
        skein_json_close(j, '}');
    }
    skein_json_close(j, ']');
}

static void json_first(struct skein_json *j, const struct skein_diff *d) {
    if (!d->events_differ) {
        skein_json_raw(j, "first_difference", "null");
        return;
    }
    skein_json_open(j, "first_difference", '{');
    skein_json_u64(j, "same_before", d->first);
    skein_json_u64(j, "slice", d->at.slice);
    skein_json_u64(j, "shard", d->at.shard);
    skein_json_u64(j, "tick", d->at.tick);
    skein_json_raw(j, "a", d->shown[0] != NULL ? d->shown[0] : "null");
    skein_json_raw(j, "b", d->shown[1] != NULL ? d->shown[1] : "null");
    skein_json_close(j, '}');
}

void skein_diff_json(FILE *out, const struct skein_diff *d) {
    const struct skein_stats *a = &d->side[0].stats, *b = &d->side[1].stats;
    struct skein_json j = {.out = out};
    skein_json_open(&j, NULL, '{');
    skein_json_string(&j, "a", d->side[0].dir);
    skein_json_string(&j, "b", d->side[1].dir);
    skein_json_bool(&j, "same", d->fields_differ == 0 && !d->events_differ);
    json_fields(&j, d);
    json_first(&j, d);
    json_pair(&j, "events", d->side[0].events, d->side[1].events);
    json_pair(&j, "slices", a->slices, b->slices);
    skein_json_open(&j, "events_by_kind", '{');
    for (uint8_t kind = 1; kind < (uint8_t)SKEIN_KIND_COUNT; kind++)
        if (skein_stats_kind(a, kind) != 0 || skein_stats_kind(b, kind) != 0)
            json_pair(&j, skein_kind_name(kind), skein_stats_kind(a, kind),
                      skein_stats_kind(b, kind));
    skein_json_close(&j, '}');
    skein_json_close(&j, '}');
}
