#include "replay/trace_diff.h"

#include <string.h>

static uint64_t icount_of(const struct skein_trace_record *r) {
    /* Every kind has it behind its header. */
    return ((const struct skein_trace_state *)r)->icount;
}

static bool same(const struct skein_trace_record *a, const struct skein_trace_record *b) {
    return a->size_bytes == b->size_bytes && memcmp(a, b, a->size_bytes) == 0;
}

static enum skein_trace_what compare(const struct skein_trace_record *a,
                                     const struct skein_trace_record *b) {
    if (a->kind == SKEIN_TRACE_EVENT || b->kind == SKEIN_TRACE_EVENT)
        return SKEIN_TRACE_EVENTS;
    if (a->kind != b->kind)
        return SKEIN_TRACE_PATH;
    if (a->kind == SKEIN_TRACE_INSN &&
        ((const struct skein_trace_insn *)a)->pc != ((const struct skein_trace_insn *)b)->pc)
        return SKEIN_TRACE_PATH;
    return SKEIN_TRACE_REGISTERS;
}

static bool is_end(const struct skein_trace_record *r) {
    return r != NULL && r->kind == SKEIN_TRACE_END;
}

/* The PC of instruction `icount`, or of the first one behind it. */
static uint64_t find_pc(struct skein_trace *t, uint64_t icount) {
    const struct skein_trace_record *r;
    skein_trace_rewind(t);
    while ((r = skein_trace_next(t)) != NULL)
        if (r->kind == SKEIN_TRACE_INSN && icount_of(r) >= icount)
            return ((const struct skein_trace_insn *)r)->pc;
    return 0;
}

void skein_trace_diff(struct skein_trace *a, struct skein_trace *b, struct skein_trace_diff *diff) {
    const struct skein_trace_record *ra, *rb;
    *diff = (struct skein_trace_diff){0};
    skein_trace_rewind(a);
    skein_trace_rewind(b);
    do {
        diff->at[0] = a->at;
        diff->at[1] = b->at;
        ra = skein_trace_next(a);
        rb = skein_trace_next(b);
        if ((ra == NULL && rb == NULL) || is_end(ra) || is_end(rb))
            return;
        if (ra == NULL || rb == NULL) /* it diverged where the other one goes on */
            break;
        diff->compared += ra->kind == SKEIN_TRACE_INSN;
    } while (same(ra, rb));
    ra = ra != NULL ? ra : rb;
    rb = rb != NULL ? rb : ra;
    diff->what = compare(ra, rb);
    diff->icount = icount_of(ra) < icount_of(rb) ? icount_of(ra) : icount_of(rb);
    diff->pc[0] = find_pc(a, diff->icount);
    diff->pc[1] = find_pc(b, diff->icount);
}
