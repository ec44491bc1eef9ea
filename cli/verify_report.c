#include "cli/verify_report.h"

#include "cli/cli.h"
#include "cli/replay_report.h"
#include "cli/report.h"

void skein_verify_report_line(FILE *out, const struct skein_verify_recording *rec, bool quiet) {
    struct skein_replay_result sum;
    skein_verify_sum(rec, &sum);
    const bool nothing = sum.outcome == SKEIN_OUTCOME_UNREADABLE && rec->case_count == 1;
    if (!nothing && !(quiet && sum.outcome == SKEIN_OUTCOME_SAME))
        skein_replay_report_line(out, rec->dir, &sum);
}

void skein_verify_report_errors(const struct skein_verify_recording *rec) {
    const struct skein_verify_case *first = NULL;
    size_t count = 0;
    for (size_t i = 0; i < rec->case_count; i++) {
        const struct skein_verify_case *c = &rec->cases[i];
        if (!c->done || c->outcome != SKEIN_OUTCOME_UNREADABLE)
            continue;
        first = first != NULL ? first : c;
        count++;
    }
    if (first == NULL)
        return;
    char more[40] = "";
    if (count > 1)
        snprintf(more, sizeof(more), " (and %zu more)", count - 1);
    if (rec->case_count == 1)
        skein_fail(SKEIN_EXIT_USAGE, "%s", first->error.text);
    else
        skein_fail(SKEIN_EXIT_USAGE, "%s: %s: %s%s", rec->dir, first->name, first->error.text,
                   more);
}

static void json_case(struct skein_json *j, const struct skein_verify_case *c) {
    const struct skein_replay_result r = {
        .outcome = c->done ? c->outcome : SKEIN_OUTCOME_INTERRUPTED,
        .error = c->error,
        .has_divergence = c->has_divergence,
        .divergence = c->divergence,
        .events_done = c->events_done,
        .events_total = c->epoch.events,
        .slices = c->slices,
        .console_bytes = c->console_bytes,
        .prepare_ns = c->prepare_ns,
        .duration_ns = c->duration_ns,
        .total_ns = c->total_ns,
    };
    skein_json_open(j, NULL, '{');
    skein_json_string(j, "name", c->name);
    if (c->epoch.first != 0) {
        skein_json_u64(j, "epoch", c->epoch.first);
        skein_json_u64(j, "last_epoch", c->epoch.last);
    }
    skein_json_bool(j, "kept", c->kept);
    skein_replay_report_json(j, &r);
    skein_json_close(j, '}');
}

/* The first epoch that diverged, by number. */
static void json_first(struct skein_json *j, const struct skein_verify_recording *rec) {
    for (size_t i = 0; i < rec->case_count; i++) {
        const struct skein_verify_case *c = &rec->cases[i];
        if (c->done && c->outcome == SKEIN_OUTCOME_DIVERGED) {
            skein_json_u64(j, "first_diverged_epoch", c->epoch.first);
            return;
        }
    }
}

void skein_verify_report_json(struct skein_json *j, const struct skein_verify_recording *rec) {
    struct skein_replay_result sum;
    skein_verify_sum(rec, &sum);
    skein_json_open(j, NULL, '{');
    if (rec->has_manifest)
        skein_report_json(j, rec->dir, &rec->manifest);
    else
        skein_json_string(j, "dir", rec->dir);
    skein_replay_report_json(j, &sum);
    json_first(j, rec);
    skein_json_open(j, "epochs", '[');
    for (size_t i = 0; i < rec->case_count; i++)
        json_case(j, &rec->cases[i]);
    skein_json_close(j, ']');
    skein_json_close(j, '}');
}
