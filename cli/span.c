#include "cli/span.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/event_clock.h"
#include "cli/slice_name.h"
#include "cli/span_names.h"
#include "pipeline/block_shape.h"

/* Interrupts that wait until it is known where their span begins. */
#define WAITING_MAX 16u

struct skein_spans {
    struct skein_event_names *event_names;
    struct skein_slice_name *tracker;
    struct skein_event_clock clock;
    uint64_t tick[SKEIN_MAX_SHARDS];
    struct skein_span_names names;
    struct skein_span_sink sink;
    uint32_t shard_count;
    uint64_t from_ns, to_ns;
    uint64_t now_ns;
    bool open;
    bool fresh;  /* the span has nothing but its TOKEN */
    bool placed; /* where it begins is known */
    bool shown;  /* the sink knows of it */
    struct skein_span span;
    struct skein_instant waiting[WAITING_MAX];
    unsigned waiting_count;
    int rc; /* what the sink said */
};

const char *skein_span_type_name(enum skein_span_type type) {
    static const char *const names[SKEIN_SPAN_TYPE_COUNT] = {
        "kernel", "syscall", "exception", "interrupt", "idle", "page walk", "device"};
    return names[type];
}

void skein_span_lane_name(char out[32], uint32_t shard, uint32_t shard_count) {
    if (shard + 1 < shard_count)
        snprintf(out, 32, "vCPU %" PRIu32, shard);
    else
        snprintf(out, 32, "devices");
}

int skein_spans_create(const struct skein_manifest *manifest, uint32_t shard_count,
                       uint64_t from_ns, uint64_t to_ns, const struct skein_span_sink *sink,
                       struct skein_spans **out) {
    struct skein_spans *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    s->shard_count = shard_count;
    s->from_ns = from_ns;
    s->to_ns = to_ns;
    s->sink = *sink;
    skein_event_clock_init(&s->clock, manifest);
    if (skein_event_names_create(&s->event_names) != 0 ||
        skein_slice_name_create(s->event_names, shard_count, &s->tracker) != 0) {
        skein_spans_free(s);
        return -ENOMEM;
    }
    *out = s;
    return 0;
}

void skein_spans_free(struct skein_spans *s) {
    if (s == NULL)
        return;
    skein_slice_name_free(s->tracker);
    skein_event_names_free(s->event_names);
    free(s);
}

const char *skein_spans_name(const struct skein_spans *s, uint32_t name) {
    return s->names.v[name].text;
}

enum skein_span_type skein_spans_name_type(const struct skein_spans *s, uint32_t name) {
    return s->names.v[name].type;
}

uint32_t skein_spans_name_count(const struct skein_spans *s) {
    return s->names.count;
}

static void keep(struct skein_spans *s, int rc) {
    if (s->rc == 0)
        s->rc = rc;
}

static void call(struct skein_spans *s, int (*told)(void *, const struct skein_span *)) {
    if (s->rc == 0)
        keep(s, told(s->sink.opaque, &s->span));
}

static void show(struct skein_spans *s) {
    if (s->shown)
        return;
    s->shown = true;
    call(s, s->sink.begin);
    for (unsigned i = 0; i < s->waiting_count && s->rc == 0; i++)
        keep(s, s->sink.instant(s->sink.opaque, &s->waiting[i]));
    s->waiting_count = 0;
}

/* next_slice: who takes the token from it; 0: nobody who is shown. */
static void end_span(struct skein_spans *s, uint64_t end_ns, uint64_t next_slice) {
    if (!s->open)
        return;
    s->open = false;
    s->span.end_ns = end_ns > s->span.begin_ns ? end_ns : s->span.begin_ns;
    s->span.gives = next_slice != 0;
    s->span.next_slice = next_slice;
    if (s->span.end_ns < s->from_ns)
        return;
    show(s);
    call(s, s->sink.end);
}

static void name_span(struct skein_spans *s, const char *text, enum skein_span_type type) {
    s->span.name = skein_span_names_number(&s->names, text, type);
    s->span.type = s->names.v[s->span.name].type;
}

static void keep_registers(struct skein_span *span, const struct skein_record *rec) {
    static const uint32_t slots[SKEIN_SPAN_REGS] = {7, 6, 2, 10, 8, 9};
    const uint64_t *slot;
    for (uint32_t i = 0; i < SKEIN_SPAN_REGS; i++) {
        slot = skein_entry_slot(rec, SKEIN_SLOT_GPR + slots[i]);
        if (slot == NULL)
            continue;
        span->reg_mask |= 1u << i;
        memcpy(&span->reg[i], slot, sizeof(*slot));
    }
    slot = skein_entry_slot(rec, SKEIN_SLOT_RIP);
    if (slot != NULL)
        memcpy(&span->rip, slot, sizeof(*slot));
    slot = skein_entry_slot(rec, SKEIN_SLOT_CR2);
    if (slot != NULL)
        memcpy(&span->cr2, slot, sizeof(*slot));
}

static void enter(struct skein_spans *s, const struct skein_record *rec, const char *name) {
    bool i386;
    const uint64_t *number;
    enum skein_span_type type = SKEIN_SPAN_INTERRUPT;
    if (skein_entry_is_syscall(rec, &i386, &number))
        type = SKEIN_SPAN_SYSCALL;
    else if ((rec->arg & 0x7f) == SKEIN_ENTRY_EXCEPTION)
        type = SKEIN_SPAN_EXCEPTION;
    name_span(s, name, type);
    s->span.entered = true;
    s->span.vector = rec->arg >> 8 & 0xff;
    if (!skein_shape_fits(rec))
        return;
    memcpy(&s->span.error, (const uint8_t *)(rec + 1) + 8, 8);
    keep_registers(&s->span, rec);
}

static bool wakes(const struct skein_record *rec) {
    return rec->kind == SKEIN_INTERRUPT && (rec->arg & 0xff) == SKEIN_INTR_WAKE;
}

static bool walks(const struct skein_record *rec) {
    return (rec->kind == SKEIN_MEM || rec->kind == SKEIN_PAGE_DIRTY) &&
           (rec->flags & SKEIN_F_USER) != 0;
}

/* The event begins a span, or belongs to one that is fresh: what is it called? */
static void name_by(struct skein_spans *s, const struct skein_event *e, const char *name) {
    if (e->shard + 1 == s->shard_count)
        name_span(s, name, SKEIN_SPAN_DEVICE);
    else if (e->record->kind == SKEIN_ENTRY)
        enter(s, e->record, name);
    else if (walks(e->record))
        name_span(s, "page walk", SKEIN_SPAN_WALK);
    else if (wakes(e->record))
        name_span(s, name, SKEIN_SPAN_IDLE);
    else if (e->record->kind == SKEIN_INTERRUPT)
        name_span(s, name, SKEIN_SPAN_INTERRUPT);
    else
        name_span(s, name, SKEIN_SPAN_KERNEL); /* or what that name was met as */
}

/* missing: events of the shard right before this one. */
static bool begins(const struct skein_spans *s, const struct skein_event *e, bool missing) {
    if (!s->open || missing || s->span.shard != e->shard || e->record->kind == SKEIN_TOKEN)
        return true;
    if (s->fresh || e->shard + 1 == s->shard_count)
        return false;
    return e->record->kind == SKEIN_ENTRY || wakes(e->record) ||
           (walks(e->record) && s->span.type != SKEIN_SPAN_WALK);
}

static void begin_span(struct skein_spans *s, const struct skein_event *e, const char *name,
                       bool follows) {
    s->span = (struct skein_span){.shard = e->shard,
                                  .slice = e->slice,
                                  .begin_ns = s->now_ns,
                                  .first_tick = e->tick,
                                  .opens_slice = e->record->kind == SKEIN_TOKEN,
                                  .follows = follows,
                                  .first_icount = s->clock.base.icount[e->shard]};
    s->open = true;
    s->fresh = s->span.opens_slice;
    s->placed = s->shown = false;
    s->waiting_count = 0;
    name_by(s, e, name);
}

static void interrupt(struct skein_spans *s, const struct skein_event *e, const char *name) {
    if (s->fresh || s->span.type == SKEIN_SPAN_IDLE) {
        name_by(s, e, name);
        return;
    }
    const struct skein_instant i = {
        .shard = e->shard,
        .name = skein_span_names_number(&s->names,
                                        skein_event_names_interrupt(s->event_names, e->record),
                                        SKEIN_SPAN_INTERRUPT),
        .ns = s->now_ns,
        .tick = e->tick,
        .icount = s->clock.base.icount[e->shard]};
    if (s->now_ns < s->from_ns)
        return;
    if (!s->shown && s->waiting_count < WAITING_MAX) {
        s->waiting[s->waiting_count++] = i;
        return;
    }
    show(s);
    if (s->rc == 0)
        keep(s, s->sink.instant(s->sink.opaque, &i));
}

/* All of what passed before the first read of the counter passed before the span began. */
static void place(struct skein_spans *s, uint64_t before_ns) {
    const uint64_t unseen_ns = s->now_ns - before_ns;
    if (s->placed || s->shown)
        return;
    s->placed = true;
    s->span.begin_ns += unseen_ns;
    for (unsigned i = 0; i < s->waiting_count; i++)
        s->waiting[i].ns += unseen_ns;
}

static void go_on(struct skein_spans *s, const struct skein_event *e, const char *name,
                  uint64_t before_ns) {
    const struct skein_record *rec = e->record;
    if (rec->kind == SKEIN_INTERRUPT)
        interrupt(s, e, name);
    else if (s->fresh && (rec->kind == SKEIN_ENTRY || walks(rec)))
        name_by(s, e, name);
    if (rec->kind == SKEIN_VALUE && (rec->arg & 0xff) == SKEIN_VALUE_TSC)
        place(s, before_ns);
    s->fresh = false;
}

int skein_spans_feed(struct skein_spans *s, const struct skein_event *e) {
    const uint64_t before_ns = s->now_ns;
    if (e->shard >= s->shard_count)
        return 0;
    const uint64_t ns = skein_event_clock_ns(&s->clock, e);
    s->now_ns = ns > before_ns ? ns : before_ns; /* a record may say any icount */
    const char *name = skein_slice_name_feed(s->tracker, e->shard, e->record);
    const bool missing = e->tick != s->tick[e->shard] + 1;
    const bool same = s->open && s->span.shard == e->shard && !missing;
    s->tick[e->shard] = e->tick;
    const uint64_t end_ns = same ? s->now_ns : before_ns;
    if (same)
        s->span.last_icount = s->clock.base.icount[e->shard];
    if (e->record->kind == SKEIN_END) {
        end_span(s, end_ns, 0);
        return s->rc;
    }
    if (begins(s, e, missing)) {
        const bool late = s->now_ns > s->to_ns;
        const bool follows = s->open && !late && e->record->kind == SKEIN_TOKEN &&
                             s->span.shard != e->shard && e->record->arg == s->span.shard &&
                             e->slice == s->span.slice + 1 && end_ns >= s->from_ns;
        end_span(s, end_ns, follows ? e->slice : 0);
        if (late)
            return s->rc != 0 ? s->rc : 1;
        begin_span(s, e, name, follows);
    } else {
        go_on(s, e, name, before_ns);
    }
    s->span.last_tick = e->tick;
    s->span.last_icount = s->clock.base.icount[e->shard];
    s->span.bytes += e->record->size_bytes;
    if (s->placed && s->now_ns >= s->from_ns)
        show(s);
    return s->rc;
}

int skein_spans_finish(struct skein_spans *s) {
    end_span(s, s->now_ns, 0);
    return s->rc;
}
