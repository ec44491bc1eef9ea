/*
 * The trace of a replay: every instruction of one vCPU between two icounts, with the registers that
 * it changed and the events on the way. pipeline/trace_record.h says how it is written.
 */
#include "accel/tcg/skein/replay.h"

#include "exec/cpu-all.h"
#include "pipeline/trace_record.h"
#include "qapi/error.h"

#define CODE_BYTES 15
#define BUFFER_BYTES (1 << 20)

static struct {
    FILE *out;
    uint32_t cpu;
    uint64_t start, end;
    bool begun;
    bool pending; /* insn executes, and is written when it has */
    struct skein_trace_insn insn;
    GByteArray *held; /* events that it consumes */
    uint64_t regs[SKEIN_REG_COUNT];
} trace;

static void capture(SkeinCPU *c, uint64_t r[SKEIN_REG_COUNT])
{
    CPUX86State *env = skein_env(c);

    for (int i = 0; i < CPU_NB_REGS; i++) {
        r[SKEIN_REG_GPR + i] = env->regs[i];
        r[SKEIN_REG_XMM + 2 * i] = env->xmm_regs[i].ZMM_Q(0);
        r[SKEIN_REG_XMM + 2 * i + 1] = env->xmm_regs[i].ZMM_Q(1);
    }
    r[SKEIN_REG_RIP] = env->eip;
    r[SKEIN_REG_RFLAGS] = cpu_compute_eflags(env);
    for (int i = 0; i < 6; i++) {
        r[SKEIN_REG_SEG + i] = env->segs[i].selector;
    }
    r[SKEIN_REG_FS_BASE] = env->segs[R_FS].base;
    r[SKEIN_REG_GS_BASE] = env->segs[R_GS].base;
    r[SKEIN_REG_KERNEL_GS_BASE] = env->kernelgsbase;
    r[SKEIN_REG_CR0] = env->cr[0];
    r[SKEIN_REG_CR2] = env->cr[2];
    r[SKEIN_REG_CR3] = env->cr[3];
    r[SKEIN_REG_CR4] = env->cr[4];
}

static void put(const void *bytes, size_t len)
{
    if (trace.out && fwrite(bytes, 1, len, trace.out) != len) {
        fclose(trace.out); /* whoever wanted it finds it without an end */
        trace.out = NULL;
    }
}

/* What differs from the registers as last written; RIP is in every instruction. */
static unsigned changes(SkeinCPU *c, struct skein_trace_change *change, bool all)
{
    uint64_t now[SKEIN_REG_COUNT];
    unsigned n = 0;

    capture(c, now);
    for (unsigned i = 0; i < SKEIN_REG_COUNT; i++) {
        if (all || (now[i] != trace.regs[i] && i != SKEIN_REG_RIP)) {
            change[n++] = (struct skein_trace_change){i, now[i]};
        }
    }
    memcpy(trace.regs, now, sizeof(now));
    return n;
}

static void put_state(SkeinCPU *c, uint16_t kind)
{
    struct skein_trace_change change[SKEIN_REG_COUNT];
    unsigned n = changes(c, change, kind == SKEIN_TRACE_STATE);
    struct skein_trace_state state = {
        .head = {sizeof(state) + n * sizeof(change[0]), kind, n},
        .icount = skein_icount(c),
        .slice = c->slices,
    };

    if (n || kind == SKEIN_TRACE_STATE) {
        put(&state, sizeof(state));
        put(change, n * sizeof(change[0]));
    }
}

/* The instruction under way is over: what it did is known. */
static void flush_insn(SkeinCPU *c)
{
    struct skein_trace_change change[SKEIN_REG_COUNT];
    unsigned n;

    if (!trace.pending) {
        return;
    }
    trace.pending = false;
    n = changes(c, change, false);
    trace.insn.head = (struct skein_trace_record){sizeof(trace.insn) + n * sizeof(change[0]),
                                                  SKEIN_TRACE_INSN, n};
    put(&trace.insn, sizeof(trace.insn));
    put(change, n * sizeof(change[0]));
    put(trace.held->data, trace.held->len);
    g_byte_array_set_size(trace.held, 0);
}

static void begin_insn(SkeinCPU *c)
{
    CPUX86State *env = skein_env(c);
    vaddr pc = env->eip + env->segs[R_CS].base;
    size_t first = MIN(CODE_BYTES, -(pc | TARGET_PAGE_MASK));

    trace.pending = true;
    trace.insn =
        (struct skein_trace_insn){.icount = skein_icount(c), .slice = c->slices, .pc = env->eip};
    cpu_memory_rw_debug(c->cpu, pc, trace.insn.code, first, false);
    cpu_memory_rw_debug(c->cpu, pc + first, trace.insn.code + first, CODE_BYTES - first, false);
}

static G_NORETURN void finish(SkeinCPU *c)
{
    uint64_t icount = skein_icount(c);
    struct skein_trace_record end = {sizeof(end) + sizeof(icount), SKEIN_TRACE_END, 0};

    put(&end, sizeof(end));
    put(&icount, sizeof(icount));
    skein_replay_finish(SKEIN_VERDICT_INCOMPLETE);
}

static uint64_t next(SkeinCPU *c)
{
    uint64_t icount = skein_icount(c);

    if (c->id != trace.cpu || icount >= trace.end) {
        return SKEIN_NEVER;
    }
    return MAX(trace.start, icount + 1);
}

static bool at(SkeinCPU *c)
{
    uint64_t icount = skein_icount(c);

    if (c->id != trace.cpu || icount < trace.start ||
        (trace.pending && icount == trace.insn.icount)) {
        return false;
    }
    flush_insn(c);
    put_state(c, trace.begun ? SKEIN_TRACE_CHANGE : SKEIN_TRACE_STATE);
    trace.begun = true;
    if (icount >= trace.end) {
        finish(c);
    }
    begin_insn(c);
    return false;
}

/* Events that an instruction asks for while it executes. */
static bool within_insn(const struct skein_record *r)
{
    switch (r->kind) {
    case SKEIN_VALUE:
    case SKEIN_USER_READ:
    case SKEIN_FPU:
    case SKEIN_PAGE_CLEAN:
        return true;
    case SKEIN_TOKEN:
    case SKEIN_MEM:
        return r->flags & SKEIN_F_AT_IO;
    default:
        return false;
    }
}

void skein_trace_event(uint32_t shard, uint64_t tick, const struct skein_record *r)
{
    SkeinCPU *c;
    struct skein_trace_event event;
    bool within;

    if (!trace.out || (shard != trace.cpu && shard != skein_vm.device_shard)) {
        return;
    }
    c = &skein_vm.cpus[trace.cpu];
    /* One instruction a block: while it executes, it counts already. */
    within = shard == trace.cpu && within_insn(r);
    event = (struct skein_trace_event){
        .head = {sizeof(event) + r->size_bytes, SKEIN_TRACE_EVENT, 0},
        .icount = skein_icount(c) - within,
        .slice = c->slices,
        .tick = tick,
        .shard = shard,
    };
    if (skein_icount(c) < trace.start + within || event.icount > trace.end) {
        return;
    }
    if (within && trace.pending) {
        g_byte_array_append(trace.held, (const uint8_t *)&event, sizeof(event));
        g_byte_array_append(trace.held, (const uint8_t *)r, r->size_bytes);
        return;
    }
    flush_insn(c);
    put(&event, sizeof(event));
    put(r, r->size_bytes);
}

void skein_trace_close(void)
{
    if (trace.out) {
        flush_insn(&skein_vm.cpus[trace.cpu]);
        fclose(trace.out);
        trace.out = NULL;
    }
}

bool skein_trace_open(Error **errp)
{
    static const struct skein_observer observer = {next, at};
    const SkeinOptions *o = skein_vm.options;

    if (o->trace_cpu >= skein_vm.cpu_count) {
        error_setg(errp, "there is no vCPU %" PRIu64 " to trace", o->trace_cpu);
        return false;
    }
    trace.out = fopen(o->trace, "w");
    if (!trace.out) {
        error_setg(errp, "cannot write the trace %s: %s", o->trace, strerror(errno));
        return false;
    }
    setvbuf(trace.out, NULL, _IOFBF, BUFFER_BYTES);
    trace.cpu = o->trace_cpu;
    trace.start = o->trace_start;
    trace.end = o->trace_end;
    trace.held = g_byte_array_new();
    skein_observe(&observer);
    return true;
}
