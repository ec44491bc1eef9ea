#include "cli/epoch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/checkpoint.h"
#include "pipeline/cut.h"

static uint64_t events_between(const struct skein_clock *a, const struct skein_clock *b) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < b->shard_count; i++)
        sum += b->tick[i] - a->tick[i];
    return sum;
}

static bool inside(const struct skein_clock *clock, const struct skein_clock *end) {
    for (uint32_t i = 0; i < end->shard_count; i++)
        if (clock->shard_count != end->shard_count || clock->tick[i] > end->tick[i])
            return false;
    return true;
}

/*
 * How many of the checkpoints serve. Those after where a replay ends do not: the recorder died
 * before the events that they follow were written.
 */
static size_t usable(const struct skein_checkpoint_list *list, const struct skein_clock *end,
                     struct skein_epochs *out) {
    struct skein_clock before;
    skein_clock_init(&before, end->shard_count);
    for (size_t i = 0; i < list->count; i++) {
        const struct skein_checkpoint_info *c = &list->items[i];
        if (c->ok && !inside(&c->cut.clock, end))
            return i;
        if (c->ok && inside(&before, &c->cut.clock)) {
            before = c->cut.clock;
            continue;
        }
        out->bad_checkpoint = (uint32_t)c->number;
        out->why = c->error;
        if (c->ok)
            skein_error_set(&out->why, 0, "checkpoint %" PRIu64 " stands before the one before it",
                            c->number);
        return i;
    }
    return list->count;
}

static void cut_up(struct skein_epochs *out, const struct skein_checkpoint_list *list,
                   const struct skein_clock *end) {
    struct skein_clock begin;
    skein_clock_init(&begin, end->shard_count);
    uint64_t console = 0;
    for (uint32_t i = 0; i < out->count; i++) {
        const bool is_last = i + 1 == out->count;
        const struct skein_checkpoint_cut *cut = is_last ? NULL : &list->items[i].cut;
        const struct skein_clock *to = is_last ? end : &cut->clock;
        out->items[i] = (struct skein_epoch){
            .first = i + 1,
            .last = is_last ? out->all : i + 1,
            .from = i,
            .until = is_last ? 0 : i + 1,
            .after = begin,
            .console_from = console,
            .console_to = is_last ? UINT64_MAX : cut->console_bytes,
            .events = events_between(&begin, to),
        };
        begin = *to;
        console = out->items[i].console_to;
    }
}

int skein_epochs_plan(struct skein_recording *rec, struct skein_epochs *out,
                      struct skein_error *err) {
    struct skein_checkpoint_list list = {0};
    struct skein_clock end;
    bool truncated;
    *out = (struct skein_epochs){0};
    int rc = skein_checkpoint_list_read(rec, &list, err);
    if (rc == 0)
        rc = skein_cut_find(rec, &end, &truncated, err);
    if (rc == 0) {
        out->count = usable(&list, &end, out) + 1;
        out->all = (uint32_t)(out->bad_checkpoint != 0 ? list.count + 1 : out->count);
        out->items = calloc(out->count, sizeof(*out->items));
        if (out->items == NULL)
            rc = skein_error_set(err, -ENOMEM, "out of memory");
        else
            cut_up(out, &list, &end);
    }
    skein_checkpoint_list_free(&list);
    return rc;
}

void skein_epochs_free(struct skein_epochs *epochs) {
    free(epochs->items);
    *epochs = (struct skein_epochs){0};
}

void skein_epoch_name(const struct skein_epoch *e, uint32_t all, char *text, size_t size) {
    if (e->first == e->last)
        snprintf(text, size, "epoch %" PRIu32 " of %" PRIu32, e->first, all);
    else
        snprintf(text, size, "epochs %" PRIu32 " to %" PRIu32 " of %" PRIu32, e->first, e->last,
                 all);
}
