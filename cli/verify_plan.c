#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/verify.h"

static void add_epochs(struct skein_verify_recording *rec, const struct skein_epochs *epochs) {
    for (size_t i = 0; i < epochs->count; i++) {
        struct skein_verify_case *c = &rec->cases[rec->case_count++];
        c->epoch = epochs->items[i];
        skein_epoch_name(&c->epoch, epochs->all, c->name, sizeof(c->name));
    }
}

/* What can be said of it without a replay. */
static void add_bad_checkpoint(struct skein_verify_recording *rec,
                               const struct skein_epochs *epochs) {
    struct skein_verify_case *c = &rec->cases[rec->case_count++];
    snprintf(c->name, sizeof(c->name), "checkpoint %" PRIu32, epochs->bad_checkpoint);
    c->outcome = SKEIN_OUTCOME_UNREADABLE;
    c->error = epochs->why;
    c->done = true;
    rec->cases_done++;
}

/* False: it cannot be read. */
static bool read_epochs(struct skein_verify_recording *rec, struct skein_epochs *epochs) {
    struct skein_recording *r;
    struct skein_error why;
    *epochs = (struct skein_epochs){0};
    if (skein_recording_open(rec->dir, SKEIN_READ_STRICT, &r, &why) != 0)
        return false;
    rec->manifest = *skein_recording_manifest(r);
    rec->has_manifest = true;
    bool good = skein_epochs_plan(r, epochs, &why) == 0;
    skein_recording_close(r);
    return good;
}

/* In eighths of the longest: those of about one length stay in their order. */
static uint64_t length_of(const struct skein_verify_case *c, uint64_t longest) {
    return longest != 0 ? (c->epoch.events * 8 + longest / 2) / longest : 0;
}

/* The longest first: what one worker does at the end, while the others have nothing, is short. */
static void put_in_order(struct skein_verify_recording *rec) {
    uint64_t longest = 0;
    size_t n = 0;
    for (size_t i = 0; i < rec->case_count; i++)
        if (rec->cases[i].epoch.events > longest)
            longest = rec->cases[i].epoch.events;
    for (uint64_t length = 9; length-- > 0;)
        for (size_t i = 0; i < rec->case_count; i++)
            if (length_of(&rec->cases[i], longest) == length)
                rec->order[n++] = &rec->cases[i];
}

static int plan_one(struct skein_verify_recording *rec, struct skein_error *err) {
    static struct skein_epoch whole = {.first = 1, .last = 1, .console_to = UINT64_MAX};
    const struct skein_epochs one = {.count = 1, .items = &whole, .all = 1};
    struct skein_epochs read;
    const struct skein_epochs *epochs = read_epochs(rec, &read) ? &read : &one;
    rec->epochs = epochs->all;
    rec->cases = calloc(epochs->count + 1, sizeof(*rec->cases));
    rec->order = calloc(epochs->count + 1, sizeof(struct skein_verify_case *));
    const bool room = rec->cases != NULL && rec->order != NULL;
    if (room) {
        add_epochs(rec, epochs);
        if (epochs->bad_checkpoint != 0)
            add_bad_checkpoint(rec, epochs);
        put_in_order(rec);
    }
    skein_epochs_free(&read);
    return room ? 0 : skein_error_set(err, -ENOMEM, "out of memory");
}

int skein_verify_plan(char *const *dirs, struct skein_verify *out, struct skein_error *err) {
    size_t count = 0;
    while (dirs[count] != NULL)
        count++;
    *out = (struct skein_verify){.recordings = calloc(count + 1, sizeof(*out->recordings))};
    if (out->recordings == NULL)
        return skein_error_set(err, -ENOMEM, "out of memory");
    int ret = 0;
    for (; out->recording_count < count && ret == 0; out->recording_count++) {
        struct skein_verify_recording *rec = &out->recordings[out->recording_count];
        rec->dir = dirs[out->recording_count];
        ret = plan_one(rec, err);
    }
    return ret;
}

void skein_verify_free(struct skein_verify *v) {
    for (size_t i = 0; i < v->recording_count; i++) {
        free(v->recordings[i].cases);
        free(v->recordings[i].order);
    }
    free(v->recordings);
    *v = (struct skein_verify){0};
}

/* What a recording is called when its epochs differ: the first of these that any of them is. */
static const enum skein_outcome worst_first[] = {
    SKEIN_OUTCOME_DIVERGED,    SKEIN_OUTCOME_CRASHED,    SKEIN_OUTCOME_UNREADABLE,
    SKEIN_OUTCOME_INTERRUPTED, SKEIN_OUTCOME_INCOMPLETE, SKEIN_OUTCOME_SAME,
};

static enum skein_outcome outcome_of(const struct skein_verify_case *c) {
    return c->done ? c->outcome : SKEIN_OUTCOME_INTERRUPTED;
}

static const struct skein_verify_case *worst_of(const struct skein_verify_recording *rec) {
    for (size_t k = 0; k < sizeof(worst_first) / sizeof(worst_first[0]); k++)
        for (size_t i = 0; i < rec->case_count; i++)
            if (outcome_of(&rec->cases[i]) == worst_first[k])
                return &rec->cases[i];
    return &rec->cases[0];
}

void skein_verify_sum(const struct skein_verify_recording *rec, struct skein_replay_result *sum) {
    const struct skein_verify_case *worst = worst_of(rec);
    *sum = (struct skein_replay_result){.outcome = outcome_of(worst),
                                        .error = worst->error,
                                        .has_divergence = worst->has_divergence,
                                        .divergence = worst->divergence,
                                        .has_manifest = rec->has_manifest,
                                        .manifest = rec->manifest,
                                        .epochs = rec->epochs};
    if (!worst->done)
        skein_error_set(&sum->error, 0, "interrupted");
    if (rec->epochs > 1 && sum->outcome != SKEIN_OUTCOME_SAME)
        snprintf(sum->where, sizeof(sum->where), "%s", worst->name);
    for (size_t i = 0; i < rec->case_count; i++) {
        const struct skein_verify_case *c = &rec->cases[i];
        if (c->done && c->outcome == SKEIN_OUTCOME_SAME)
            sum->epochs_same += c->epoch.last - c->epoch.first + 1;
        sum->events_total += c->epoch.events;
        sum->events_done += c->events_done;
        sum->slices += c->slices;
        sum->console_bytes += c->console_bytes;
        sum->prepare_ns += c->prepare_ns;
        sum->duration_ns += c->duration_ns;
        sum->total_ns += c->total_ns;
    }
}

int skein_verify_worse(int a, int b) {
    static const int order[] = {SKEIN_EXIT_INTERRUPTED, SKEIN_EXIT_FAILED, SKEIN_EXIT_USAGE,
                                SKEIN_EXIT_INCOMPLETE};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return SKEIN_EXIT_OK;
}
