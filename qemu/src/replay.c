/*
 * Replay: one thread runs whichever vCPU has the token in the log. A vCPU executes up to the next
 * event that stands at an icount; events in program order are met by the instructions themselves.
 * The first difference ends it.
 */
#include "accel/tcg/skein/state.h"

#include "exec/cputlb.h"
#include "hw/core/cpu.h"
#include "accel/tcg/tcg-accel-ops.h"
#include "pipeline/shard_layout.h"

bool skein_replaying;

/* Room is given back to the feeder in batches: it costs a shared cache line. */
#define RELEASE_EVERY 256
#define POLL_US 50
#define UNKNOWN UINT64_MAX

static const char *kind_name(uint8_t kind)
{
    const char *name = skein_kind_name(kind);

    return name ? name : "nothing";
}

static G_NORETURN void finish(enum skein_verdict verdict)
{
    struct skein_session_header *s = skein_vm.session;

    s->verdict = verdict;
    s->end_ns = get_clock();
    s->kernel_icount = 0;
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        s->kernel_icount += skein_icount(&skein_vm.cpus[i]);
    }
    qatomic_store_release(&s->state, SKEIN_STATE_ENDED);
    _exit(verdict == SKEIN_VERDICT_SAME ? 0 : verdict == SKEIN_VERDICT_INCOMPLETE ? 3 : 1);
}

void skein_diverged(SkeinCPU *c, uint8_t kind, uint64_t expected, uint64_t got, const char *fmt,
                    ...)
{
    struct skein_divergence *d = &skein_vm.session->divergence;
    va_list ap;

    d->vcpu = c ? c->id : skein_vm.device_shard;
    d->kind = kind;
    d->slice = c ? c->slices : 0;
    d->tick = (c ? c->tick : skein_vm.device_tick) + 1;
    d->icount = c ? skein_icount(c) : 0;
    d->pc = c ? skein_env(c)->eip : 0;
    d->expected = expected;
    d->got = got;
    va_start(ap, fmt);
    vsnprintf(d->what, sizeof(d->what), fmt, ap);
    va_end(ap);
    finish(SKEIN_VERDICT_DIVERGED);
}

static const struct skein_record *peek_at(struct skein_shard_reader *r, uint64_t *cursor)
{
    bool bad = false;
    const struct skein_record *rec = skein_shard_peek(r, cursor, &bad);

    if (bad) {
        skein_diverged(NULL, SKEIN_PAD, 0, 0, "the session's shared memory is damaged");
    }
    return rec;
}

/* No more events will come, and all that came are consumed. */
static bool log_over(struct skein_shard_reader *r, uint64_t cursor)
{
    bool closed = qatomic_load_acquire(&r->mem->closed);

    return closed && !peek_at(r, &cursor);
}

static void wait_for_feeder(void)
{
    if (skein_log_peer_gone(NULL)) {
        _exit(2);
    }
    g_usleep(POLL_US);
}

static const struct skein_record *next_published(SkeinCPU *c)
{
    uint64_t cursor = c->cursor;

    return peek_at(&c->reader, &cursor);
}

/* The next event of a vCPU, not consumed; NULL when the log has no more. */
static const struct skein_record *next(SkeinCPU *c)
{
    for (;;) {
        const struct skein_record *r = next_published(c);

        if (r || log_over(&c->reader, c->cursor)) {
            return r;
        }
        wait_for_feeder();
    }
}

static void consume(SkeinCPU *c)
{
    if (c->unreleased >= RELEASE_EVERY) {
        skein_shard_release(&c->reader, c->cursor, c->unreleased);
        c->unreleased = 0;
    }
    peek_at(&c->reader, &c->cursor);
    c->tick++;
    c->unreleased++;
    skein_vm.session->events_done++;
}

static void run_used_up(SkeinCPU *c, uint8_t kind)
{
    if (c->run_pos != c->run_len) {
        skein_diverged(c, kind, c->run_len, c->run_pos, "bytes used of a read from user memory");
    }
}

static void log_ended(SkeinCPU *c, uint8_t kind)
{
    if (skein_vm.session->truncated) {
        finish(SKEIN_VERDICT_INCOMPLETE);
    }
    skein_diverged(c, kind, 0, kind, "the vCPU needs a %s event, the log has no more",
                   kind_name(kind));
}

const struct skein_record *skein_replay_next(SkeinCPU *c, uint8_t kind)
{
    const struct skein_record *r = next(c);

    run_used_up(c, kind);
    if (!r) {
        log_ended(c, kind);
    }
    if (r->kind != kind) {
        skein_diverged(c, r->kind, r->kind, kind, "the log has a %s event, the vCPU needs %s",
                       kind_name(r->kind), kind_name(kind));
    }
    consume(c);
    return r;
}

static uint64_t first_word(const struct skein_record *r)
{
    return *(const uint64_t *)(r + 1);
}

/* The icount at which the vCPU must stand when the event is due; false: in program order. */
static bool positioned(const struct skein_record *r, uint64_t *icount)
{
    switch (r->kind) {
    case SKEIN_TOKEN:
        *icount = ((const struct skein_token_payload *)(r + 1))->position;
        return !(r->flags & SKEIN_F_AT_IO);
    case SKEIN_ENTRY:
    case SKEIN_INTERRUPT:
    case SKEIN_TLB_FLUSH:
    case SKEIN_MARK:
    case SKEIN_END:
        *icount = first_word(r);
        return true;
    case SKEIN_MEM:
        *icount = first_word(r);
        return !(r->flags & (SKEIN_F_AT_IO | SKEIN_F_USER));
    default:
        return false;
    }
}

/* Looks ahead for the next stop. False: none is known yet, and the ring is full of other events. */
static bool find_stop(SkeinCPU *c)
{
    uint64_t cursor = c->cursor, icount;
    const struct skein_record *r;

    while ((r = peek_at(&c->reader, &cursor))) {
        if (positioned(r, &icount)) {
            c->stop = icount;
            return true;
        }
        if (cursor - c->cursor > skein_vm.session->ring_bytes / 2) {
            return false;
        }
    }
    return false;
}

static void give_up(SkeinCPU *c)
{
    skein_vm.released_shard = c->id;
    skein_vm.released_tick = c->tick;
}

/* Nothing is left for this vCPU: right for a recording that was cut off, for no other. */
static void end_of_log(SkeinCPU *c)
{
    if (!skein_vm.session->truncated) {
        log_ended(c, SKEIN_END);
    }
    give_up(c);
    c->ended = true;
    c->cpu->skein_left = 0;
    c->limit = 0;
}

static void set_budget(SkeinCPU *c)
{
    uint64_t icount = skein_icount(c);

    while (c->stop == UNKNOWN && !find_stop(c)) {
        uint64_t cursor = c->cursor;

        if (log_over(&c->reader, c->cursor)) {
            end_of_log(c);
            return;
        }
        while (peek_at(&c->reader, &cursor)) {
        }
        if (cursor - c->cursor > skein_vm.session->ring_bytes / 2) {
            /* Events in program order remain before any stop: an instruction more is safe. */
            c->cpu->skein_left = 1;
            c->limit = icount + 1;
            return;
        }
        wait_for_feeder();
    }
    if (c->stop < icount) {
        skein_diverged(c, SKEIN_MARK, c->stop, icount, "icount of the next event is in the past");
    }
    c->cpu->skein_left = c->stop - icount;
    c->limit = c->stop;
}

static void apply_mem(const struct skein_record *r)
{
    const uint64_t *p = (const void *)(r + 1);
    ram_addr_t ram = p[1];
    void *host = qemu_map_ram_ptr(NULL, ram);

    memcpy(host, p + 2, r->arg);
    tb_invalidate_phys_range(ram, ram + r->arg - 1);
}

static bool edge_met(const struct skein_record *r)
{
    const struct skein_token_payload *p = (const void *)(r + 1);

    return r->arg == skein_vm.released_shard && p->edge_tick == skein_vm.released_tick;
}

static void check_slice(SkeinCPU *c, const struct skein_record *r)
{
    const struct skein_token_payload *p = (const void *)(r + 1);
    uint64_t digest = skein_digest_slice(c);

    run_used_up(c, SKEIN_TOKEN);
    if (p->digest != digest) {
        skein_diverged(c, SKEIN_TOKEN, p->digest, digest, "digest at the end of a slice");
    }
}

static void begin_slice(SkeinCPU *c)
{
    consume(c);
    c->stop = UNKNOWN;
    c->slices++;
    skein_vm.session->slices++;
    skein_pages_sync(c);
}

/* One event of the device threads, if it is its turn. */
static bool device_step(void)
{
    uint64_t cursor = skein_vm.device_cursor;
    const struct skein_record *r = peek_at(&skein_vm.device_reader, &cursor);

    if (!r || r->kind == SKEIN_END ||
        (r->kind == SKEIN_TOKEN ? !edge_met(r) : skein_vm.released_shard != skein_vm.device_shard)) {
        return false;
    }
    if (r->kind == SKEIN_MEM) {
        apply_mem(r);
    } else if (r->kind != SKEIN_TOKEN) {
        skein_diverged(NULL, r->kind, SKEIN_MEM, r->kind, "the device shard has a %s event",
                       kind_name(r->kind));
    } else {
        skein_vm.session->slices++;
    }
    skein_vm.device_cursor = cursor;
    skein_vm.device_tick++;
    skein_vm.session->events_done++;
    skein_shard_release(&skein_vm.device_reader, cursor, 1);
    skein_vm.released_shard = skein_vm.device_shard;
    skein_vm.released_tick = skein_vm.device_tick;
    return true;
}

static bool at_this_io(SkeinCPU *c, const struct skein_record *r)
{
    uint64_t position = r->kind == SKEIN_TOKEN
                            ? ((const struct skein_token_payload *)(r + 1))->position
                            : first_word(r);

    return (r->kind == SKEIN_TOKEN || r->kind == SKEIN_MEM) && (r->flags & SKEIN_F_AT_IO) &&
           position == c->io_ordinal;
}

/* What devices did while this vCPU stood at its I/O access. */
void skein_replay_io(SkeinCPU *c)
{
    const struct skein_record *r;

    while ((r = next(c)) && at_this_io(c, r)) {
        run_used_up(c, r->kind);
        if (r->kind == SKEIN_MEM) {
            apply_mem(r);
            consume(c);
            continue;
        }
        check_slice(c, r);
        give_up(c);
        while (!edge_met(r)) {
            if (!device_step()) {
                wait_for_feeder();
            }
        }
        begin_slice(c);
    }
}

static void end_of_shard(SkeinCPU *c, const struct skein_record *r)
{
    const uint64_t *p = (const void *)(r + 1);
    uint64_t digest = skein_digest_slice(c);

    run_used_up(c, SKEIN_END);
    if (p[1] != digest) {
        skein_diverged(c, SKEIN_END, p[1], digest, "digest at the end of the recording");
    }
    give_up(c);
    consume(c);
    c->ended = true;
}

/* System scope: user mode is never left, so digests stand at marks. */
static void check_digest(SkeinCPU *c, const struct skein_record *r)
{
    uint64_t expected = ((const uint64_t *)(r + 1))[1];
    uint64_t digest = skein_digest_here(c);

    if (expected != digest) {
        skein_diverged(c, SKEIN_DIGEST, expected, digest, "digest of the vCPU");
    }
}

/* The vCPU stands at the event's position. False: it has to wait for its turn, or has ended. */
static bool due(SkeinCPU *c, const struct skein_record *r)
{
    bool kernel = c->in_kernel;

    switch (r->kind) {
    case SKEIN_TOKEN:
        if (r->flags & SKEIN_F_AT_IO) {
            break;
        }
        check_slice(c, r);
        if (!edge_met(r)) {
            give_up(c);
            return false;
        }
        begin_slice(c);
        return true;
    case SKEIN_ENTRY:
        if (kernel) {
            break;
        }
        consume(c);
        skein_entry_apply(c, r);
        return true;
    case SKEIN_INTERRUPT:
        if (!kernel) {
            break;
        }
        consume(c);
        c->stop = UNKNOWN;
        skein_interrupt_apply(c, r->arg);
        return true;
    case SKEIN_MEM:
        if (r->flags & SKEIN_F_AT_IO) {
            break;
        }
        apply_mem(r);
        consume(c);
        return true;
    case SKEIN_PAGE_DIRTY:
        if (kernel) {
            break;
        }
        skein_page_mark_dirty(first_word(r));
        consume(c);
        return true;
    case SKEIN_TLB_FLUSH:
        skein_tlb_reset(c);
        consume(c);
        return true;
    case SKEIN_MARK:
        run_used_up(c, SKEIN_MARK);
        consume(c);
        return true;
    case SKEIN_DIGEST:
        if (!skein_vm.system_scope) {
            break;
        }
        check_digest(c, r);
        consume(c);
        return true;
    case SKEIN_END:
        end_of_shard(c, r);
        return false;
    }
    skein_diverged(c, r->kind, r->kind, 0, "the log has a %s event, the vCPU is in %s mode%s",
                   kind_name(r->kind), kernel ? "kernel" : "user",
                   c->halted ? ", halted" : "");
}

/* Runs events until the vCPU can execute. False: it cannot, for now. */
static bool pump(SkeinCPU *c)
{
    for (;;) {
        const struct skein_record *r;
        uint64_t icount, position;

        if (c->in_kernel && !skein_vm.system_scope && skein_user_mode(c)) {
            skein_kernel_exit(c);
            c->stop = UNKNOWN;
        }
        if (c->in_kernel && !c->halted) {
            set_budget(c);
            if (c->cpu->skein_left > 0) {
                return true;
            }
        }
        r = c->ended ? NULL : next_published(c);
        if (!r) {
            /* It may be far away, behind slices of other vCPUs. */
            if (!c->ended && log_over(&c->reader, c->cursor)) {
                end_of_log(c);
            }
            give_up(c);
            return false;
        }
        icount = skein_icount(c);
        if (positioned(r, &position) && position != icount) {
            skein_diverged(c, r->kind, position, icount, "icount of a %s event",
                           kind_name(r->kind));
        }
        c->stop = UNKNOWN;
        if (!due(c, r)) {
            return false;
        }
    }
}

bool skein_replay_gate(CPUState *cpu, TranslationBlock **last_tb)
{
    SkeinCPU *c = cpu->skein;

    if (cpu->cflags_next_tb != -1 && (cpu->cflags_next_tb & CF_NOIRQ)) {
        return false;
    }
    if (c->in_kernel && !c->halted && cpu->skein_left > 0 &&
        (skein_vm.system_scope || !skein_user_mode(c))) {
        qatomic_set(&cpu->neg.icount_decr.u16.high, 0);
        return qatomic_read(&cpu->exit_request) ? (cpu->exception_index = EXCP_INTERRUPT, true)
                                                : false;
    }
    qatomic_set(&cpu->neg.icount_decr.u16.high, 0);
    *last_tb = NULL;
    if (pump(c)) {
        return false;
    }
    cpu->exception_index = EXCP_INTERRUPT;
    return true;
}

static bool had_it_last(SkeinCPU *c)
{
    return skein_vm.released_shard == c->id && skein_vm.released_tick == c->tick;
}

/* Whose slice follows what was released last; NULL: a device's was, or nobody's is known yet. */
static SkeinCPU *successor(void)
{
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        SkeinCPU *c = &skein_vm.cpus[i];
        uint64_t cursor = c->cursor;
        const struct skein_record *r = c->ended ? NULL : peek_at(&c->reader, &cursor);

        if (!r) {
            continue;
        }
        if (r->kind == SKEIN_TOKEN ? edge_met(r) : r->kind == SKEIN_END || had_it_last(c)) {
            return c;
        }
    }
    return NULL;
}

static bool all_over(void)
{
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        SkeinCPU *c = &skein_vm.cpus[i];

        if (!c->ended && !log_over(&c->reader, c->cursor)) {
            return false;
        }
    }
    return true;
}

static void check_end(void)
{
    uint64_t cursor = skein_vm.device_cursor;
    const struct skein_record *r;
    const uint64_t *p;

    if (skein_vm.session->truncated) {
        finish(SKEIN_VERDICT_INCOMPLETE);
    }
    while (!(r = peek_at(&skein_vm.device_reader, &cursor))) {
        if (log_over(&skein_vm.device_reader, cursor)) {
            skein_diverged(NULL, SKEIN_END, SKEIN_END, 0, "the device shard has no end");
        }
        wait_for_feeder();
    }
    if (r->kind != SKEIN_END) {
        skein_diverged(NULL, r->kind, SKEIN_END, r->kind, "a device event is left over");
    }
    skein_vm.device_tick++;
    skein_vm.session->events_done++;
    p = (const void *)(r + 1);
    if (p[2] != skein_vm.console_bytes) {
        skein_diverged(NULL, SKEIN_END, p[2], skein_vm.console_bytes, "bytes of console output");
    }
    if (p[3] != skein_vm.console_hash) {
        skein_diverged(NULL, SKEIN_END, p[3], skein_vm.console_hash, "hash of console output");
    }
    if (p[4] != skein_digest_ram()) {
        skein_diverged(NULL, SKEIN_END, p[4], skein_digest_ram(), "hash of kernel-visible RAM");
    }
    skein_vm.session->end = r->arg;
    finish(SKEIN_VERDICT_SAME);
}

static void run_slice(SkeinCPU *c)
{
    CPUState *cpu = c->cpu;

    while (!c->ended) {
        int r;

        current_cpu = cpu;
        if (cpu->halted) {
            /* The log wakes it, at the gate. */
            c->halted = true;
            cpu->halted = 0;
        }
        cpu->exit_request = 0;
        bql_unlock();
        r = tcg_cpu_exec(cpu);
        if (r == EXCP_ATOMIC) {
            cpu_exec_step_atomic(cpu);
        }
        bql_lock();
        process_queued_cpu_work(cpu);
        if (r == EXCP_INTERRUPT && had_it_last(c)) {
            return;
        }
    }
}

void skein_replay_run(void)
{
    skein_vm.released_shard = SKEIN_SHARD_NONE;
    for (;;) {
        SkeinCPU *c = successor();

        if (c) {
            run_slice(c);
        } else if (!device_step()) {
            if (all_over()) {
                check_end();
            }
            bql_unlock();
            wait_for_feeder();
            bql_lock();
        }
    }
}
