/*
 * Appending events to a vCPU's shard. The token is held, so that an event's place among those of
 * the other shards is known by its slice.
 */
#include "accel/tcg/skein/state.h"

/* The replayer looks ahead for positioned events; this many bytes are never without one. */
#define MARK_EVERY_BYTES (256 * 1024)

bool skein_peer_gone(void)
{
    const struct skein_session_header *h = skein_vm.session;
    GPollFD p = {.fd = skein_vm.peer_fd, .events = G_IO_IN};

    if (qatomic_load_acquire(&h->flags) & SKEIN_SESSION_GIVEN_UP) {
        return true;
    }
    if (p.fd >= 0) {
        return g_poll(&p, 1, 0) == 1;
    }
    return kill(h->skein_pid, 0) != 0 && errno == ESRCH;
}

/*
 * Nobody drains the shards any more: what was published stays, and the log of all of them ends
 * here, since what comes later would stand on what is missing. Whoever is here holds the token, and
 * so does everybody who looks at `lost`.
 */
int skein_log_full(void *opaque)
{
    if (!skein_peer_gone()) {
        return 0;
    }
    if (!skein_vm.lost) {
        skein_vm.lost = true;
        skein_peer_lost();
    }
    return -EPIPE;
}

void skein_log_run_close(SkeinCPU *c)
{
    if (c->run_len) {
        uint64_t va = c->run_va;
        uint32_t len = c->run_len;

        c->run_len = 0;
        if (skein_vm.lost) {
            return;
        }
        skein_shard_append2(&c->writer, SKEIN_USER_READ, 0, len, &va, sizeof(va), c->run, len);
        skein_digest_input(c, SKEIN_USER_READ, len, &va, sizeof(va), c->run, len);
        c->bytes_since_mark += len;
    }
}

/* What every event that was appended is followed by. */
static void count(SkeinCPU *c, size_t bytes)
{
    c->bytes_since_mark += bytes + sizeof(struct skein_record);
    if (skein_log_mark_due(c)) {
        /* A loop in chained blocks would never come to the gate by itself. */
        qatomic_set(&c->cpu->neg.icount_decr.u16.high, -1);
    }
}

void skein_log_bytes(SkeinCPU *c, uint8_t kind, uint8_t flags, uint32_t arg, const void *fixed,
                     size_t fixed_len, const void *bytes, size_t len)
{
    g_assert(c->held);
    skein_log_run_close(c);
    if (skein_vm.lost) {
        return;
    }
    skein_shard_append2(&c->writer, kind, flags, arg, fixed, fixed_len, bytes, len);
    skein_digest_input(c, kind, arg, fixed, fixed_len, bytes, len);
    count(c, fixed_len + len);
}

void skein_log(SkeinCPU *c, uint8_t kind, uint8_t flags, uint32_t arg, const void *payload,
               size_t len)
{
    g_assert(c->held);
    skein_log_run_close(c);
    if (skein_vm.lost) {
        return;
    }
    switch (len) {
    case 8:
        skein_shard_append_words(&c->writer, kind, flags, arg, payload, 1);
        break;
    case 16:
        skein_shard_append_words(&c->writer, kind, flags, arg, payload, 2);
        break;
    case 24:
        skein_shard_append_words(&c->writer, kind, flags, arg, payload, 3);
        break;
    default:
        skein_shard_append(&c->writer, kind, flags, arg, payload, len);
        break;
    }
    skein_digest_input(c, kind, arg, payload, len, NULL, 0);
    count(c, len);
}

void skein_log_slice(SkeinCPU *c, uint32_t edge_shard, uint64_t edge_tick)
{
    struct skein_token_payload p = {
        .edge_tick = edge_tick,
        .position = c->in_io ? c->io_ordinal : skein_icount(c),
        .digest = skein_digest_slice(c),
    };

    skein_log(c, SKEIN_TOKEN, c->in_io ? SKEIN_F_AT_IO : 0, edge_shard, &p, sizeof(p));
    c->slices++;
    skein_vm.session->slices++;
    skein_vm.session->edges += edge_shard != SKEIN_SHARD_NONE;
}

void skein_log_interrupt(SkeinCPU *c, uint32_t type, uint32_t vector)
{
    uint64_t p[2];

    skein_log_run_close(c);
    p[0] = skein_icount(c);
    p[1] = skein_digest_here(c);
    skein_log(c, SKEIN_INTERRUPT, 0, skein_intr_arg(type, vector), p, sizeof(p));
}

void skein_log_mark(SkeinCPU *c)
{
    uint64_t icount = skein_icount(c);

    if (skein_vm.system_scope) {
        uint64_t p[2] = {icount, skein_digest_here(c)};

        skein_log(c, SKEIN_DIGEST, 0, 0, p, sizeof(p));
    }
    skein_log(c, SKEIN_MARK, 0, 0, &icount, sizeof(icount));
    c->bytes_since_mark = 0;
}

bool skein_log_mark_due(const SkeinCPU *c)
{
    return c->bytes_since_mark > MARK_EVERY_BYTES;
}
