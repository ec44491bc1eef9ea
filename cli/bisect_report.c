/* What skein bisect says. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bisect.h"
#include "cli/replay_report.h"
#include "cli/trace_print.h"

/* Instructions shown in front of the difference, and from there on. */
#define BEFORE 6u
#define AFTER 6u

static const char *const ways[] = {
    [SKEIN_WAY_NONE] = "none",
    [SKEIN_WAY_FIELD] = "only the field that was compared is wrong",
    [SKEIN_WAY_SOLVED] = "its content follows from the digests",
    [SKEIN_WAY_POSITION] = "its place follows from the digests",
    [SKEIN_WAY_EDGE] = "no other slice can follow",
    [SKEIN_WAY_TRIED] = "by trying",
};

static const char *const whats[] = {
    [SKEIN_TRACE_NOTHING] = "nothing",
    [SKEIN_TRACE_EVENTS] = "event",
    [SKEIN_TRACE_REGISTERS] = "registers",
    [SKEIN_TRACE_PATH] = "path",
};

static const char *const outcomes[] = {
    [SKEIN_BISECT_SAME] = "same",
    [SKEIN_BISECT_EVENT] = "event",
    [SKEIN_BISECT_SIDES] = "sides",
    [SKEIN_BISECT_BRACKET] = "bracket",
};

static bool has_place(const struct skein_bisect *b) {
    return b->diff.what != SKEIN_TRACE_NOTHING;
}

/* The PC of the side that is right, or of the other when that one did not come so far. */
static uint64_t place_pc(const struct skein_bisect *b) {
    return b->diff.pc[1] != 0 ? b->diff.pc[1] : b->diff.pc[0];
}

static int open_print(const struct skein_bisect *b, struct skein_trace_print *print,
                      struct skein_out *out, bool json) {
    int ret = skein_trace_print_open(print, b->verified.manifest.vcpu_count + 1, json);
    return ret != 0 ? ret : skein_out_init(out, -1);
}

static void put(struct skein_out *from, FILE *out, const char *front) {
    fprintf(out, "%s%.*s", front, (int)from->used, from->buffer);
    from->used = 0;
}

/* The registers where a side begins to differ. */
static void registers_at(struct skein_trace *t, uint64_t icount, uint64_t *regs) {
    const struct skein_trace_record *r;
    skein_trace_rewind(t);
    while ((r = skein_trace_next(t)) != NULL)
        if (r->kind == SKEIN_TRACE_INSN && ((const struct skein_trace_insn *)r)->icount >= icount)
            break;
    memcpy(regs, t->regs, sizeof(t->regs));
}

/* Where the window of a trace begins: BEFORE instructions in front of the icount. */
static size_t window(struct skein_trace *t, uint64_t icount) {
    size_t starts[BEFORE + 1] = {0}, n = 0;
    const struct skein_trace_record *r;
    skein_trace_rewind(t);
    for (;;) {
        size_t at = t->at;
        r = skein_trace_next(t);
        if (r == NULL || ((const struct skein_trace_state *)r)->icount >= icount)
            break;
        if (r->kind == SKEIN_TRACE_INSN)
            starts[n++ % (BEFORE + 1)] = at;
    }
    return n == 0 ? 0 : n <= BEFORE ? starts[0] : starts[n % (BEFORE + 1)];
}

/* Instructions and events around the icount, through `each`. */
static void walk(struct skein_trace *t, uint64_t icount,
                 void (*each)(struct skein_trace *t, bool first, void *opaque), void *opaque) {
    size_t from = window(t, icount);
    unsigned after = 0;
    bool marked = false;
    const struct skein_trace_record *r;
    skein_trace_rewind(t);
    while ((r = skein_trace_next(t)) != NULL && after < AFTER) {
        if (t->at - r->size_bytes < from || r->kind == SKEIN_TRACE_STATE ||
            r->kind == SKEIN_TRACE_END)
            continue;
        bool insn = r->kind == SKEIN_TRACE_INSN;
        bool behind = ((const struct skein_trace_state *)r)->icount >= icount;
        after += insn && behind;
        each(t, insn && behind && !marked, opaque);
        marked |= insn && behind;
    }
}

struct printer {
    struct skein_trace_print print;
    struct skein_out out;
    FILE *to;
    bool any;
};

static void print_line(struct skein_trace *t, bool first, void *opaque) {
    struct printer *p = opaque;
    skein_trace_print(&p->print, t, &p->out);
    put(&p->out, p->to, first ? "  > " : "    ");
}

static void print_json(struct skein_trace *t, bool first, void *opaque) {
    struct printer *p = opaque;
    (void)first;
    skein_trace_print(&p->print, t, &p->out);
    if (p->out.used > 0)
        p->out.used--; /* the newline */
    put(&p->out, p->to, p->any ? "," : "");
    p->any = true;
}

static void text_side(struct skein_bisect *b, int side, struct printer *p) {
    uint64_t regs[SKEIN_REG_COUNT], other[SKEIN_REG_COUNT];
    if (b->trace[side].map == NULL)
        return;
    fprintf(p->to, "%s:\n", skein_bisect_side(b, side));
    walk(&b->trace[side], b->diff.icount, print_line, p);
    registers_at(&b->trace[side], b->diff.icount, regs);
    registers_at(&b->trace[!side], b->diff.icount, other);
    fprintf(p->to, "  registers before it%s\n",
            memcmp(regs, other, sizeof(regs)) == 0 ? ", the same on both sides:" : ":");
    skein_trace_print_registers(regs, p->to);
}

static void print_event(struct printer *p, const struct skein_finding *f, const uint8_t *bytes,
                        const char *front, const char *back) {
    const struct skein_event event = {
        .shard = f->shard, .tick = f->tick, .record = (const void *)bytes};
    struct skein_event_print print = p->print.event;
    skein_event_print(&print, &p->out, &event, 0);
    put(&p->out, p->to, front);
    fputs(back, p->to);
}

static void text_finding(const struct skein_bisect *b, struct printer *p) {
    const struct skein_finding *f = &b->finding;
    fprintf(p->to, "  event      tick %" PRIu64 " of shard %" PRIu32 ": %s\n", f->tick, f->shard,
            ways[f->way]);
    print_event(p, f, f->recorded, "  recorded   ", "\n");
    print_event(p, f, f->right, "  right      ", "\n");
}

static void text_place(struct skein_bisect *b, struct printer *p) {
    if (!has_place(b)) {
        fprintf(p->to, "  no instruction differs\n");
        return;
    }
    fprintf(p->to,
            "  first      vCPU %" PRIu32 ", icount %" PRIu64 ", PC 0x%" PRIx64 " (%s differ%s)\n",
            b->range.vcpu, b->diff.icount, place_pc(b), whats[b->diff.what],
            b->diff.what == SKEIN_TRACE_REGISTERS ? "" : "s");
}

static void text_bracket(const struct skein_bisect *b, FILE *out) {
    const struct skein_divergence *d = &b->verified.divergence;
    fprintf(out,
            "  not known exactly: between icount %" PRIu64 " (tick %" PRIu64
            "), where the last digest was right,\n  and icount %" PRIu64 " (tick %" PRIu64 ")",
            d->good_icount, d->good_tick, d->icount, d->tick);
    if (b->finding.answered != 0)
        fprintf(out, "; %" PRIu64 " changes of single events were tried%s", b->finding.tried,
                b->finding.stopped != 0 ? ", then the time was up (--seconds)" : "");
    fprintf(out,
            "\n  all of it: skein replay --log cpu=%" PRIu32 ",start=%" PRIu64 ",end=%" PRIu64
            " %s\n  next: compare with a good copy or a second recording "
            "(--reference DIR)\n",
            d->vcpu, b->range.start, b->range.end, b->dir);
}

static void text_all(struct skein_bisect *b, struct printer *p) {
    skein_replay_report_line(p->to, b->dir, &b->verified);
    if (b->outcome == SKEIN_BISECT_SAME)
        return;
    if (b->outcome == SKEIN_BISECT_BRACKET) {
        text_bracket(b, p->to);
    } else {
        if (b->outcome == SKEIN_BISECT_EVENT)
            text_finding(b, p);
        text_place(b, p);
    }
    for (int side = 0; side < 2 && has_place(b); side++)
        text_side(b, side, p);
    fprintf(p->to, "events of the log around it:\n");
    if (b->outcome == SKEIN_BISECT_EVENT)
        skein_bisect_around(b->dir, b->finding.shard, b->finding.tick, false, p->to);
    else
        skein_bisect_around(b->dir, b->verified.divergence.vcpu, b->verified.divergence.tick, false,
                            p->to);
}

static void json_side(struct skein_bisect *b, int side, struct skein_json *j, struct printer *p) {
    uint64_t regs[SKEIN_REG_COUNT];
    char hex[32];
    if (b->trace[side].map == NULL)
        return;
    registers_at(&b->trace[side], b->diff.icount, regs);
    skein_json_open(j, skein_bisect_side(b, side), '{');
    skein_json_u64(j, "pc", b->diff.pc[side]);
    skein_json_open(j, "registers", '{');
    for (uint64_t i = 0; i < SKEIN_REG_COUNT; i++) {
        snprintf(hex, sizeof(hex), "0x%" PRIx64, regs[i]);
        skein_json_string(j, skein_trace_register_name(i), hex);
    }
    skein_json_close(j, '}');
    skein_json_open(j, "trace", '[');
    p->any = false;
    walk(&b->trace[side], b->diff.icount, print_json, p);
    skein_json_close(j, ']');
    skein_json_close(j, '}');
}

static void json_finding(struct skein_bisect *b, struct skein_json *j, struct printer *p) {
    const struct skein_finding *f = &b->finding;
    skein_json_u64(j, "tried", f->tried);
    skein_json_f64(j, "search_s", (double)f->duration_ns / 1e9);
    if (f->outcome != SKEIN_FINDING_EVENT)
        return;
    skein_json_string(j, "way", ways[f->way]);
    skein_json_u64(j, "shard", f->shard);
    skein_json_u64(j, "tick", f->tick);
    print_event(p, f, f->recorded, ",\"recorded_event\":", "");
    print_event(p, f, f->right, ",\"right_event\":", "");
}

static void json_all(struct skein_bisect *b, struct skein_json *j, struct printer *p) {
    skein_json_string(j, "outcome", outcomes[b->outcome]);
    if (b->finding.answered != 0)
        json_finding(b, j, p);
    if (has_place(b)) {
        skein_json_u64(j, "vcpu", b->range.vcpu);
        skein_json_u64(j, "icount", b->diff.icount);
        skein_json_u64(j, "pc", place_pc(b));
        skein_json_string(j, "differs", whats[b->diff.what]);
    }
    for (int side = 0; side < 2 && has_place(b); side++)
        json_side(b, side, j, p);
    if (b->outcome == SKEIN_BISECT_SAME)
        return;
    skein_json_open(j, "around", '[');
    if (b->outcome == SKEIN_BISECT_EVENT)
        skein_bisect_around(b->dir, b->finding.shard, b->finding.tick, true, p->to);
    else
        skein_bisect_around(b->dir, b->verified.divergence.vcpu, b->verified.divergence.tick, true,
                            p->to);
    skein_json_close(j, ']');
}

static void with_printer(struct skein_bisect *b, FILE *out, bool json) {
    struct printer p = {.to = out};
    struct skein_json j = {.out = out};
    if (open_print(b, &p.print, &p.out, json) != 0) {
        b->exit_code = skein_fail(SKEIN_EXIT_FAILED, "out of memory");
        return;
    }
    if (json) {
        skein_json_open(&j, NULL, '{');
        skein_json_string(&j, "dir", b->dir);
        skein_replay_report_json(&j, &b->verified);
        json_all(b, &j, &p);
        skein_json_close(&j, '}');
    } else {
        text_all(b, &p);
    }
    skein_out_free(&p.out);
    skein_trace_print_close(&p.print);
}

void skein_bisect_report(struct skein_bisect *b, FILE *out) {
    with_printer(b, out, false);
}

void skein_bisect_json(struct skein_bisect *b, FILE *out) {
    with_printer(b, out, true);
}
