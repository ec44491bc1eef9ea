/*
 * The log as the replayer reads it: one sequence of events per vCPU, published by the feeder a few
 * megabytes ahead.
 */
#include "accel/tcg/skein/replay_debug.h"

#include "pipeline/shard_layout.h"

/* Room is given back to the feeder in batches: it costs a shared cache line. */
#define RELEASE_EVERY 256
#define POLL_US 50

const char *skein_replay_kind_name(uint8_t kind)
{
    const char *name = skein_kind_name(kind);

    return name ? name : "nothing";
}

const struct skein_record *skein_replay_peek_at(struct skein_shard_reader *r, uint64_t *cursor)
{
    bool bad = false;
    const struct skein_record *rec = skein_shard_peek(r, cursor, &bad);

    if (bad) {
        skein_diverged(NULL, SKEIN_PAD, 0, 0, "the session's shared memory is damaged");
    }
    return skein_override_read(r, *cursor, rec);
}

const struct skein_record *skein_replay_peek(SkeinCPU *c)
{
    uint64_t cursor = c->cursor;

    return skein_replay_peek_at(&c->reader, &cursor);
}

bool skein_replay_log_closed(struct skein_shard_reader *r)
{
    return qatomic_load_acquire(&r->mem->closed);
}

bool skein_replay_log_over(struct skein_shard_reader *r, uint64_t cursor)
{
    return skein_replay_log_closed(r) && !skein_replay_peek_at(r, &cursor);
}

void skein_replay_wait_for_feeder(void)
{
    skein_child_finish(SKEIN_VERDICT_NONE);
    if (skein_peer_gone()) {
        _exit(2);
    }
    g_usleep(POLL_US);
}

const struct skein_record *skein_replay_await(SkeinCPU *c)
{
    for (;;) {
        const struct skein_record *r = skein_replay_peek(c);

        if (r || skein_replay_log_over(&c->reader, c->cursor)) {
            return r;
        }
        skein_replay_wait_for_feeder();
    }
}

void skein_replay_consume(SkeinCPU *c)
{
    const struct skein_record *r;

    if (c->unreleased >= RELEASE_EVERY && !skein_in_child()) {
        skein_shard_release(&c->reader, c->cursor, c->unreleased);
        c->unreleased = 0;
    }
    r = skein_replay_peek_at(&c->reader, &c->cursor);
    c->tick++;
    c->unreleased++;
    skein_vm.session->events_done++;
    skein_trace_event(c->id, c->tick, r);
    skein_child_consumed(c);
    skein_digest_input(c, r->kind, r->arg, r + 1, r->size_bytes - sizeof(*r), NULL, 0);
    skein_until_consumed(c, c->id, c->tick);
    skein_debug_consumed(c);
}

static void go_on_at(struct skein_shard_reader *r, uint64_t *cursor, uint64_t from)
{
    if (skein_shard_skip(r, from)) {
        skein_diverged(NULL, SKEIN_PAD, 0, 0, "the session's shared memory is damaged");
    }
    *cursor = from;
}

void skein_replay_seek(void)
{
    struct skein_session_header *h = skein_vm.session;
    uint64_t request = h->seek + 1;

    h->events_done = 0;
    for (uint32_t i = 0; i <= skein_vm.cpu_count; i++) {
        h->seek_tick[i] = i < skein_vm.cpu_count ? skein_vm.cpus[i].tick : skein_vm.device_tick;
        h->events_done += h->seek_tick[i];
    }
    qatomic_store_release(&h->seek, request);
    while (qatomic_load_acquire(&h->seek_done) != request) {
        skein_replay_wait_for_feeder();
    }
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        SkeinCPU *c = &skein_vm.cpus[i];

        go_on_at(&c->reader, &c->cursor, h->seek_from[i]);
        c->unreleased = 0;
    }
    go_on_at(&skein_vm.device_reader, &skein_vm.device_cursor, h->seek_from[skein_vm.device_shard]);
}

void skein_replay_run_used_up(SkeinCPU *c, uint8_t kind)
{
    if (c->run_pos != c->run_len) {
        skein_diverged(c, kind, c->run_len, c->run_pos, "bytes used of a read from user memory");
    }
}

void skein_replay_log_ended(SkeinCPU *c, uint8_t kind)
{
    if (skein_vm.session->truncated) {
        skein_replay_finish(SKEIN_VERDICT_INCOMPLETE);
    }
    skein_diverged(c, kind, 0, kind, "the vCPU needs a %s event, the log has no more",
                   skein_replay_kind_name(kind));
}

const struct skein_record *skein_replay_next(SkeinCPU *c, uint8_t kind)
{
    const struct skein_record *r = skein_replay_await(c);

    skein_replay_run_used_up(c, kind);
    if (!r) {
        skein_replay_log_ended(c, kind);
    }
    if (r->kind != kind) {
        skein_diverged(c, r->kind, r->kind, kind, "the log has a %s event, the vCPU needs %s",
                       skein_replay_kind_name(r->kind), skein_replay_kind_name(kind));
    }
    skein_replay_consume(c);
    return r;
}

bool skein_replay_find_stop(SkeinCPU *c, bool *full)
{
    uint64_t cursor = c->cursor, icount;
    const struct skein_record *r;

    *full = false;
    while ((r = skein_replay_peek_at(&c->reader, &cursor))) {
        if (skein_record_is_stop(r, &icount)) {
            c->stop = icount;
            return true;
        }
        if (cursor - c->cursor > skein_vm.session->ring_bytes / 2) {
            *full = true;
            return false;
        }
    }
    return false;
}
