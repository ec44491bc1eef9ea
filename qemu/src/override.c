/*
 * Events that are read otherwise than they are logged: one that the finder suspects, or has found.
 */
#include "accel/tcg/skein/finder.h"

static struct {
    struct skein_shard_reader *reader;
    uint64_t end;
    const struct skein_record *record;
} override;

void skein_override(struct skein_shard_reader *reader, uint64_t end,
                    const struct skein_record *record)
{
    override.reader = reader;
    override.end = end;
    override.record = record;
}

const struct skein_record *skein_override_read(struct skein_shard_reader *reader, uint64_t end,
                                               const struct skein_record *record)
{
    return record && reader == override.reader && end == override.end ? override.record : record;
}

/* The event's place in the ring: ticks are not in it, but follow from one that is known. */
static bool place(struct skein_shard_reader *reader, uint64_t cursor, uint64_t tick)
{
    const struct skein_record *r;

    for (;;) {
        r = skein_replay_peek_at(reader, &cursor);
        if (!r && skein_replay_log_over(reader, cursor)) {
            return false;
        }
        if (!r) {
            skein_replay_wait_for_feeder();
        } else if (++tick == skein_vm.finding->tick) {
            skein_override(reader, cursor, (const void *)skein_vm.finding->right);
            return true;
        }
    }
}

void skein_override_due(SkeinCPU *c)
{
    const struct skein_finding *f = skein_vm.finding;
    bool placed;

    if (override.record || c->id != f->divergence.vcpu || c->tick < f->divergence.good_tick) {
        return;
    }
    if (f->shard == skein_vm.device_shard) {
        placed = place(&skein_vm.device_reader, skein_vm.device_cursor, skein_vm.device_tick);
    } else {
        SkeinCPU *of = &skein_vm.cpus[f->shard];

        placed = place(&of->reader, of->cursor, of->tick);
    }
    if (!placed) {
        skein_diverged(c, SKEIN_PAD, 0, 0, "the event to be corrected is not there");
    }
}
