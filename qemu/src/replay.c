/*
 * Replay of one vCPU. It executes up to the next event that stands at an icount; events in program
 * order are met by the instructions themselves. The first difference ends it.
 */
#include "accel/tcg/skein/replay.h"

#include "exec/cputlb.h"
#include "hw/core/cpu.h"

bool skein_replaying;

static const struct skein_observer *observers[8];

void skein_observe(const struct skein_observer *observer)
{
    size_t i = 0;

    while (observers[i]) {
        i++;
    }
    g_assert(i < ARRAY_SIZE(observers) - 1);
    observers[i] = observer;
}

static bool observed(SkeinCPU *c)
{
    bool stop = false;

    for (size_t i = 0; observers[i]; i++) {
        stop |= observers[i]->at(c);
    }
    return stop;
}

static uint64_t observed_next(SkeinCPU *c)
{
    uint64_t next = SKEIN_NEVER;

    for (size_t i = 0; observers[i]; i++) {
        next = MIN(next, observers[i]->next(c));
    }
    g_assert(next > skein_icount(c));
    return next;
}

uint64_t skein_replay_icount(void)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        sum += skein_icount(&skein_vm.cpus[i]);
    }
    return sum;
}

/* Nothing is left for this vCPU: right for a recording that was cut off, for no other. */
static void end_of_log(SkeinCPU *c)
{
    if (!skein_vm.session->truncated) {
        skein_replay_log_ended(c, SKEIN_END);
    }
    skein_replay_give_up(c);
    c->ended = true;
    c->cpu->skein_left = 0;
    c->limit = 0;
}

static void set_limit(SkeinCPU *c, uint64_t limit)
{
    c->cpu->skein_left = limit - skein_icount(c);
    c->limit = limit;
}

/* How far the vCPU may run before its next event is due; its icount: it is now. */
static uint64_t free_until(SkeinCPU *c)
{
    uint64_t icount = skein_icount(c);
    bool full;

    while (c->stop == SKEIN_STOP_UNKNOWN && !skein_replay_find_stop(c, &full)) {
        if (full) {
            /* Events in program order remain before any stop: an instruction more is safe. */
            return icount + 1;
        }
        if (skein_replay_log_over(&c->reader, c->cursor)) {
            end_of_log(c);
            return 0;
        }
        skein_replay_wait_for_feeder();
    }
    if (c->stop < icount) {
        skein_diverged(c, SKEIN_MARK, c->stop, icount, "icount of the next event is in the past");
    }
    return c->stop;
}

void skein_replay_mem(const struct skein_record *r)
{
    const uint64_t *p = (const void *)(r + 1);
    ram_addr_t ram = p[1];

    if (!skein_pages_cover(ram, r->arg)) {
        skein_diverged(NULL, SKEIN_MEM, 0, ram, "RAM offset of a change by a device");
    }
    memcpy(qemu_map_ram_ptr(NULL, ram), p + 2, r->arg);
    tb_invalidate_phys_range(ram, ram + r->arg - 1);
    skein_changes_note(ram, r->arg);
}

static void check_slice(SkeinCPU *c, const struct skein_record *r)
{
    const struct skein_token_payload *p = (const void *)(r + 1);
    uint64_t digest = skein_digest_slice(c);

    skein_replay_run_used_up(c, SKEIN_TOKEN);
    if (p->digest != digest) {
        skein_diverged(c, SKEIN_TOKEN, p->digest, digest, "digest at the end of a slice");
    }
}

/* Its digest was compared. */
static void begin_slice(SkeinCPU *c)
{
    skein_replay_consume(c);
    if (!c->in_io) {
        skein_replay_good(c);
    }
    c->stop = SKEIN_STOP_UNKNOWN;
    c->slices++;
    skein_vm.session->slices++;
    skein_pages_sync(c);
}

static bool at_this_io(SkeinCPU *c, const struct skein_record *r)
{
    uint64_t position = r->kind == SKEIN_TOKEN
                            ? ((const struct skein_token_payload *)(r + 1))->position
                            : skein_first_word(r);

    return (r->kind == SKEIN_TOKEN || r->kind == SKEIN_MEM) && (r->flags & SKEIN_F_AT_IO) &&
           position == c->io_ordinal;
}

/* What devices did while this vCPU stood at its I/O access. */
void skein_replay_io(SkeinCPU *c)
{
    const struct skein_record *r;

    while ((r = skein_replay_await(c)) && at_this_io(c, r)) {
        skein_replay_run_used_up(c, r->kind);
        if (r->kind == SKEIN_MEM) {
            skein_replay_mem(r);
            skein_replay_consume(c);
            continue;
        }
        check_slice(c, r);
        skein_replay_give_up(c);
        skein_replay_devices(r);
        begin_slice(c);
    }
}

static void check_end(SkeinCPU *c, const struct skein_record *r)
{
    const uint64_t *p = (const void *)(r + 1);
    uint64_t digest = skein_digest_slice(c);

    skein_replay_run_used_up(c, SKEIN_END);
    if (p[0] != skein_icount(c)) {
        skein_diverged(c, SKEIN_END, p[0], skein_icount(c), "icount of a %s event",
                       skein_replay_kind_name(SKEIN_END));
    }
    if (p[1] != digest) {
        skein_diverged(c, SKEIN_END, p[1], digest, "digest at the end of the recording");
    }
}

void skein_replay_end(SkeinCPU *c, const struct skein_record *r)
{
    check_end(c, r);
    skein_replay_consume(c);
    skein_replay_good(c);
    c->ended = true;
}

void skein_replay_good(SkeinCPU *c)
{
    c->good_tick = c->tick;
    c->good_icount = skein_icount(c);
    skein_child_good(c);
}

/* An event that says where the vCPU stands, and its digest there. */
static void check_digest(SkeinCPU *c, const struct skein_record *r, const char *what)
{
    uint64_t expected = ((const uint64_t *)(r + 1))[1];
    uint64_t digest = skein_digest_here(c);

    if (expected != digest) {
        skein_diverged(c, r->kind, expected, digest, "%s", what);
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
        if (!skein_replay_edge_met(r)) {
            skein_replay_give_up(c);
            return false;
        }
        begin_slice(c);
        return true;
    case SKEIN_ENTRY:
        if (kernel) {
            break;
        }
        skein_replay_consume(c);
        skein_entry_apply(c, r);
        return true;
    case SKEIN_INTERRUPT:
        if (!kernel) {
            break;
        }
        check_digest(c, r, "digest at an interrupt");
        /* It vouches for what came before the interrupt. */
        skein_replay_good(c);
        skein_replay_consume(c);
        skein_child_good(c);
        skein_interrupt_apply(c, r->arg);
        return true;
    case SKEIN_MEM:
        if (r->flags & SKEIN_F_AT_IO) {
            break;
        }
        skein_replay_mem(r);
        skein_replay_consume(c);
        return true;
    case SKEIN_PAGE_DIRTY:
        if (kernel || !skein_pages_cover(skein_first_word(r), 1)) {
            break;
        }
        skein_page_mark_dirty(skein_first_word(r));
        skein_replay_consume(c);
        return true;
    case SKEIN_TLB_FLUSH:
        skein_tlb_reset(c);
        skein_replay_consume(c);
        return true;
    case SKEIN_MARK:
        skein_replay_run_used_up(c, SKEIN_MARK);
        skein_replay_consume(c);
        return true;
    case SKEIN_DIGEST:
        if (!skein_vm.system_scope) {
            break;
        }
        check_digest(c, r, "digest of the vCPU");
        skein_replay_consume(c);
        skein_replay_good(c);
        return true;
    case SKEIN_END:
        check_end(c, r);
        skein_child_met_end(c);
        skein_replay_give_up(c);
        return false;
    }
    skein_diverged(c, r->kind, r->kind, 0, "the log has a %s event, the vCPU is in %s mode%s",
                   skein_replay_kind_name(r->kind), kernel ? "kernel" : "user",
                   c->halted ? ", halted" : "");
}

/*
 * Runs events until the vCPU can execute. False: it cannot, for now. *stopped: it could, but an
 * observer wants it to stand still.
 */
static bool pump(SkeinCPU *c, bool *stopped)
{
    for (;;) {
        const struct skein_record *r;
        uint64_t icount, position;

        if (c->in_kernel && !skein_vm.system_scope && skein_user_mode(c)) {
            skein_kernel_exit(c);
            c->stop = SKEIN_STOP_UNKNOWN;
        }
        skein_until_check();
        skein_finder_stop(c);
        if (c->in_kernel && !c->halted) {
            uint64_t limit = free_until(c);

            if (limit > skein_icount(c)) {
                /* With #DB due, what happens next is no instruction. */
                *stopped = !c->watch_hit && observed(c);
                set_limit(c, MIN(limit, observed_next(c)));
                return true;
            }
        }
        r = c->ended ? NULL : skein_vm.finding ? skein_replay_await(c) : skein_replay_peek(c);
        if (!r) {
            /* It may be far away, behind slices of other vCPUs. */
            if (!c->ended && skein_replay_log_over(&c->reader, c->cursor)) {
                end_of_log(c);
            }
            skein_replay_give_up(c);
            return false;
        }
        icount = skein_icount(c);
        if (skein_record_is_stop(r, &position) && position != icount) {
            skein_diverged(c, r->kind, position, icount, "icount of a %s event",
                           skein_replay_kind_name(r->kind));
        }
        c->stop = SKEIN_STOP_UNKNOWN;
        if (!due(c, r)) {
            return false;
        }
    }
}

bool skein_replay_gate(CPUState *cpu, TranslationBlock **last_tb)
{
    SkeinCPU *c = cpu->skein;
    bool stopped = false;

    if (cpu->cflags_next_tb != -1 && (cpu->cflags_next_tb & CF_NOIRQ)) {
        return false;
    }
    qatomic_set(&cpu->neg.icount_decr.u16.high, 0);
    if (!c->in_kernel || c->halted || cpu->skein_left <= 0 ||
        (!skein_vm.system_scope && skein_user_mode(c))) {
        *last_tb = NULL;
        if (!pump(c, &stopped)) {
            cpu->exception_index = EXCP_INTERRUPT;
            return true;
        }
        if (stopped) {
            cpu->exception_index = EXCP_YIELD;
            return true;
        }
    } else if (qatomic_read(&cpu->exit_request)) {
        cpu->exception_index = EXCP_INTERRUPT;
        return true;
    }
    return skein_watchpoint_due(cpu);
}
