#include "pipeline/block_plan.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/pipeline/fixture.h"

#define SHARDS 4u
#define EVENTS 4000u

struct lab {
    char dir[256];
    struct skein_recording *rec;
    size_t count;
    struct skein_event *event;
};

static size_t read_all(struct lab *lab, const struct skein_block_plan *plan,
                       struct skein_event *events) {
    struct skein_reader *reader;
    struct skein_event event;
    size_t n = 0;
    int rc;

    cr_assert_eq(skein_reader_open(lab->rec, &reader, NULL), 0);
    skein_reader_follow(reader, plan);
    while ((rc = skein_reader_next(reader, &event, NULL)) == 1) {
        events[n++] = event;
    }
    cr_assert_eq(rc, 0);
    skein_reader_close(reader);
    return n;
}

static struct lab open_lab(void) {
    struct history h = history_make(3, SHARDS, EVENTS, 1);
    struct lab lab = {.event = calloc(2 * EVENTS, sizeof(*lab.event))};

    fixture_dir(lab.dir);
    fixture_record(lab.dir, &h, h.count, 4 << 10, 48 << 10);
    cr_assert_eq(skein_recording_open(lab.dir, SKEIN_READ_STRICT, &lab.rec, NULL), 0);
    cr_assert_gt(skein_recording_segment_count(lab.rec), 3);
    lab.count = read_all(&lab, NULL, lab.event);
    cr_assert_eq(lab.count, h.count);
    history_free(&h);
    return lab;
}

static void close_lab(struct lab *lab) {
    skein_recording_close(lab->rec);
    fixture_remove(lab->dir);
    free(lab->event);
}

static size_t read_planned(struct lab *lab, const struct skein_block_want *want,
                           struct skein_event *events) {
    struct skein_block_plan *plan;
    size_t n;

    cr_assert_eq(skein_block_plan_create(lab->rec, want, &plan, NULL), 0);
    n = read_all(lab, plan, events);
    skein_block_plan_free(plan);
    return n;
}

static size_t find(const struct skein_event *events, size_t n, const struct skein_event *event) {
    for (size_t i = 0; i < n; i++) {
        if (events[i].shard == event->shard && events[i].tick == event->tick &&
            events[i].slice == event->slice) {
            return i;
        }
    }
    return n;
}

static struct skein_block_want want_one(const struct skein_event *e) {
    struct skein_block_want want = {.first_tick = e->tick,
                                    .last_tick = e->tick,
                                    .first_slice = e->slice,
                                    .last_slice = e->slice};

    want.shard[e->shard] = true;
    return want;
}

Test(block_plan, each_event_is_in_its_block_and_little_else) {
    struct lab lab = open_lab();
    struct skein_event *found = calloc(2 * EVENTS, sizeof(*found));

    for (size_t i = 0; i < lab.count; i += 3) {
        struct skein_block_want want = want_one(&lab.event[i]);
        size_t n = read_planned(&lab, &want, found);
        cr_assert_lt(find(found, n, &lab.event[i]), n);
        cr_assert_lt(n, lab.count / 10);
        want.first_slice = 0;
        want.last_slice = UINT64_MAX;
        n = read_planned(&lab, &want, found);
        cr_assert_lt(find(found, n, &lab.event[i]), n);
        cr_assert_lt(n, lab.count / 10);
    }
    free(found);
    close_lab(&lab);
}

Test(block_plan, slices_alone) {
    struct lab lab = open_lab();
    struct skein_event *found = calloc(2 * EVENTS, sizeof(*found));

    for (size_t i = 0; i < lab.count; i += 7) {
        struct skein_block_want want = want_one(&lab.event[i]);
        want.first_tick = 0;
        want.last_tick = UINT64_MAX;
        const size_t n = read_planned(&lab, &want, found);
        cr_assert_lt(find(found, n, &lab.event[i]), n);
        cr_assert_lt(n, lab.count / 5);
    }
    free(found);
    close_lab(&lab);
}

Test(block_plan, what_leads_in_is_read_too) {
    struct lab lab = open_lab();
    struct skein_event *found = calloc(2 * EVENTS, sizeof(*found));
    const struct skein_event *event = &lab.event[lab.count / 2];
    struct skein_block_want want = want_one(event);
    const size_t alone = read_planned(&lab, &want, found), at = find(found, alone, event);

    want.lead_in = 2;
    const size_t led = read_planned(&lab, &want, found);
    cr_assert_gt(led, alone);
    cr_assert_eq(find(found, led, event), led - alone + at);
    cr_assert_lt(led, lab.count / 5);
    free(found);
    close_lab(&lab);
}

Test(block_plan, nothing_wanted_nothing_read) {
    struct lab lab = open_lab();
    struct skein_event *found = calloc(2 * EVENTS, sizeof(*found));
    struct skein_block_want want = want_one(&lab.event[lab.count / 2]);

    want.first_slice = want.last_slice = UINT64_MAX;
    cr_assert_leq(read_planned(&lab, &want, found),
                  lab.count / 10); /* the last block's end is open */
    want = want_one(&lab.event[lab.count / 2]);
    want.shard[lab.event[lab.count / 2].shard] = false;
    cr_assert_eq(read_planned(&lab, &want, found), 0);
    free(found);
    close_lab(&lab);
}
