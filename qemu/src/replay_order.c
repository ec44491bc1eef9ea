/*
 * The order of slices: whoever's next one follows the tick at which the token was given up last.
 */
#include "accel/tcg/skein/replay_debug.h"

#include "accel/tcg/tcg-accel-ops.h"
#include "hw/core/cpu.h"

bool skein_replay_edge_met(const struct skein_record *r)
{
    const struct skein_token_payload *p = (const void *)(r + 1);

    return r->arg == skein_vm.released_shard && p->edge_tick == skein_vm.released_tick;
}

void skein_replay_give_up(SkeinCPU *c)
{
    skein_vm.released_shard = c->id;
    skein_vm.released_tick = c->tick;
}

/* One event of the device threads, if it is its turn. */
static bool device_step(void)
{
    uint64_t cursor = skein_vm.device_cursor;
    const struct skein_record *r = skein_replay_peek_at(&skein_vm.device_reader, &cursor);

    if (!r || r->kind == SKEIN_END ||
        (r->kind == SKEIN_TOKEN ? !skein_replay_edge_met(r)
                                : skein_vm.released_shard != skein_vm.device_shard)) {
        return false;
    }
    if (r->kind == SKEIN_MEM) {
        skein_replay_mem(r);
    } else if (r->kind == SKEIN_PAGE_DIRTY && skein_pages_cover(skein_first_word(r), 1)) {
        skein_page_mark_dirty(skein_first_word(r));
    } else if (r->kind != SKEIN_TOKEN) {
        skein_diverged(NULL, r->kind, SKEIN_MEM, r->kind, "the device shard has a %s event",
                       skein_replay_kind_name(r->kind));
    } else {
        skein_vm.session->slices++;
    }
    skein_vm.device_cursor = cursor;
    skein_vm.device_tick++;
    skein_vm.session->events_done++;
    skein_trace_event(skein_vm.device_shard, skein_vm.device_tick, r);
    if (!skein_in_child()) {
        skein_shard_release(&skein_vm.device_reader, cursor, 1);
    }
    skein_vm.released_shard = skein_vm.device_shard;
    skein_vm.released_tick = skein_vm.device_tick;
    skein_until_consumed(NULL, skein_vm.device_shard, skein_vm.device_tick);
    return true;
}

static bool had_it_last(SkeinCPU *c)
{
    return skein_vm.released_shard == c->id && skein_vm.released_tick == c->tick;
}

/*
 * The token was with it last, and the next event of its log is none that ends the slice here: there
 * are instructions or events left. A checkpoint may stand in the middle of a slice.
 */
static bool goes_on(SkeinCPU *c, const struct skein_record *r)
{
    uint64_t position;

    return had_it_last(c) && !((r->kind == SKEIN_TOKEN || r->kind == SKEIN_END) &&
                               skein_record_is_stop(r, &position) && position == skein_icount(c));
}

/* Whose slice follows what was released last; NULL: a device's does, or nobody's is known yet. */
static SkeinCPU *successor(void)
{
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        SkeinCPU *c = &skein_vm.cpus[i];
        const struct skein_record *r = c->ended ? NULL : skein_replay_peek(c);

        if (r && (goes_on(c, r) || (r->kind == SKEIN_TOKEN && skein_replay_edge_met(r)))) {
            return c;
        }
    }
    return NULL;
}

/*
 * The end of a vCPU's log is no slice, whatever happened since its last one: it comes when nobody
 * can go on.
 */
static bool end_one(void)
{
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        SkeinCPU *c = &skein_vm.cpus[i];
        const struct skein_record *r = c->ended ? NULL : skein_replay_peek(c);

        if (r && r->kind == SKEIN_END) {
            skein_replay_end(c, r);
            return true;
        }
    }
    return false;
}

static bool next_known(struct skein_shard_reader *r, uint64_t cursor)
{
    return skein_replay_log_closed(r) || skein_replay_peek_at(r, &cursor);
}

/*
 * Every shard's next event is known: when nobody can go on then, nobody ever will. Ask before
 * looking for who can, not after.
 */
static bool all_known(void)
{
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        SkeinCPU *c = &skein_vm.cpus[i];

        if (!c->ended && !next_known(&c->reader, c->cursor)) {
            return false;
        }
    }
    return next_known(&skein_vm.device_reader, skein_vm.device_cursor);
}

static bool all_over(void)
{
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        SkeinCPU *c = &skein_vm.cpus[i];

        if (!c->ended && skein_replay_peek(c)) {
            return false;
        }
    }
    return true;
}

/* Does the vCPU's log name, further on, the edge that nobody follows now? */
static bool follows_later(SkeinCPU *c)
{
    uint64_t cursor = c->cursor;
    const struct skein_record *r;

    while ((r = skein_replay_peek_at(&c->reader, &cursor))) {
        if (r->kind == SKEIN_TOKEN && skein_replay_edge_met(r)) {
            return true;
        }
    }
    return false;
}

/* Whom to report when no slice follows: whose slices are out of order, else the first that waits.
 */
static SkeinCPU *out_of_order(void)
{
    SkeinCPU *first = NULL;

    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        SkeinCPU *c = &skein_vm.cpus[i];

        if (!c->ended && follows_later(c)) {
            return c;
        }
        if (!first && !c->ended && skein_replay_peek(c)) {
            first = c;
        }
    }
    return first;
}

/* Nobody's slice follows what was released last. */
static G_NORETURN void nothing_follows(void)
{
    SkeinCPU *c = out_of_order();
    const struct skein_record *r = c ? skein_replay_peek(c) : NULL;

    if (skein_vm.session->truncated) {
        skein_replay_finish(SKEIN_VERDICT_INCOMPLETE);
    }
    if (!r || r->kind != SKEIN_TOKEN) {
        skein_diverged(c, r ? r->kind : SKEIN_END, SKEIN_TOKEN, r ? r->kind : 0,
                       "no slice follows tick %" PRIu64 " of shard %" PRIu32,
                       skein_vm.released_tick, skein_vm.released_shard);
    }
    skein_diverged(c, SKEIN_TOKEN, ((const struct skein_token_payload *)(r + 1))->edge_tick,
                   skein_vm.released_tick,
                   "the slice follows shard %" PRIu32 ", the token was with shard %" PRIu32, r->arg,
                   skein_vm.released_shard);
}

void skein_replay_devices(const struct skein_record *token)
{
    while (!skein_replay_edge_met(token)) {
        bool known = all_known();

        if (!device_step()) {
            if (known) {
                nothing_follows();
            }
            skein_replay_wait_for_feeder();
        }
    }
}

/* The vCPU has had its last instruction of this slice: it gave the token up. */
static bool slice_over(SkeinCPU *c, int r)
{
    return c->ended || (r == EXCP_INTERRUPT && had_it_last(c));
}

static void run_slice(SkeinCPU *c)
{
    CPUState *cpu = c->cpu;
    int r = 0;

    skein_vm.running = c;
    while (!slice_over(c, r)) {
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
        if (r == EXCP_YIELD) {
            return;
        }
    }
    skein_vm.running = NULL;
}

/* Nobody can go on, and every next event is known: the log is over, or out of order. */
static void nobody_goes_on(void)
{
    if (end_one()) {
        return;
    }
    if (all_over()) {
        skein_replay_check_end();
    }
    nothing_follows();
}

void skein_replay_go_on(void)
{
    bool known = all_known();
    SkeinCPU *c = skein_vm.running ? skein_vm.running : successor();

    skein_until_check();
    if (c) {
        run_slice(c);
    } else if (device_step()) {
        return;
    } else if (known) {
        nobody_goes_on();
    } else {
        bql_unlock();
        skein_replay_wait_for_feeder();
        bql_lock();
    }
}

void skein_replay_run(void)
{
    if (skein_debugging()) {
        skein_debug_obey();
    }
    for (;;) {
        skein_replay_go_on();
    }
}
