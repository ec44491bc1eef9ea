/*
 * How a replay ends: the same to the end, the same as far as the log goes, or at the first
 * difference.
 */
#include "accel/tcg/skein/replay_debug.h"

#include "qemu/timer.h"

void skein_replay_finish(enum skein_verdict verdict)
{
    struct skein_session_header *s = skein_vm.session;

    skein_child_finish(verdict);
    skein_trace_close();
    s->verdict = verdict;
    s->end_ns = get_clock();
    s->kernel_icount = 0;
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        s->kernel_icount += skein_icount(&skein_vm.cpus[i]);
    }
    skein_debug_over(verdict);
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
    d->good_tick = c ? c->good_tick : 0;
    d->good_icount = c ? c->good_icount : 0;
    va_start(ap, fmt);
    vsnprintf(d->what, sizeof(d->what), fmt, ap);
    va_end(ap);
    skein_replay_finish(SKEIN_VERDICT_DIVERGED);
}

static void differs(uint64_t expected, uint64_t got, const char *what)
{
    if (expected != got) {
        skein_diverged(NULL, SKEIN_END, expected, got, "%s", what);
    }
}

static const struct skein_record *device_end(void)
{
    const struct skein_record *r;
    uint64_t cursor = skein_vm.device_cursor;

    while (!(r = skein_replay_peek_at(&skein_vm.device_reader, &cursor))) {
        if (skein_replay_log_over(&skein_vm.device_reader, cursor)) {
            skein_diverged(NULL, SKEIN_END, SKEIN_END, 0, "the device shard has no end");
        }
        skein_replay_wait_for_feeder();
    }
    if (r->kind != SKEIN_END) {
        skein_diverged(NULL, r->kind, SKEIN_END, r->kind, "a device event is left over");
    }
    return r;
}

void skein_replay_check_end(void)
{
    const struct skein_record *r;
    const uint64_t *p;

    if (skein_vm.session->truncated) {
        skein_replay_finish(SKEIN_VERDICT_INCOMPLETE);
    }
    r = device_end();
    p = (const void *)(r + 1);
    differs(p[2], skein_vm.console_bytes, "bytes of console output");
    differs(p[3], skein_vm.console_hash, "hash of console output");
    differs(p[4], skein_digest_ram(), "hash of kernel-visible RAM");
    skein_vm.device_tick++;
    skein_vm.session->events_done++;
    skein_vm.session->end = r->arg;
    skein_replay_finish(SKEIN_VERDICT_SAME);
}
