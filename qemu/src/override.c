/*
 * Events that are read otherwise than they are logged: one that the finder suspects, or has found.
 */
#include "accel/tcg/skein/finder.h"

#include "qapi/error.h"

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

static struct skein_finding *finding; /* to be applied */

bool skein_override_load(const char *path, Error **errp)
{
    const struct skein_record *right;
    gsize bytes = 0;
    char *file = NULL;

    if (!g_file_get_contents(path, &file, &bytes, NULL) || bytes != sizeof(*finding) ||
        ((struct skein_finding *)file)->magic != SKEIN_FINDING_MAGIC) {
        g_free(file);
        error_setg(errp, "%s is no finding of this version", path);
        return false;
    }
    finding = (struct skein_finding *)file;
    right = (const void *)finding->right;
    if (finding->outcome != SKEIN_FINDING_EVENT || finding->shard > skein_vm.device_shard ||
        right->size_bytes < sizeof(*right) || right->size_bytes > sizeof(finding->right) ||
        right->size_bytes % 8 || right->kind >= SKEIN_KIND_COUNT) {
        error_setg(errp, "%s names no event", path);
        return false;
    }
    return true;
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
        } else if (++tick == finding->tick) {
            skein_override(reader, cursor, (const void *)finding->right);
            return true;
        }
    }
}

void skein_override_due(SkeinCPU *c)
{
    bool placed;

    if (!finding || c->id != finding->divergence.vcpu || c->tick < finding->good_tick) {
        return;
    }
    if (finding->shard == skein_vm.device_shard) {
        placed = place(&skein_vm.device_reader, skein_vm.device_cursor, skein_vm.device_tick);
    } else {
        SkeinCPU *of = &skein_vm.cpus[finding->shard];

        placed = place(&of->reader, of->cursor, of->tick);
    }
    finding = NULL;
    if (!placed) {
        skein_diverged(c, SKEIN_PAD, 0, 0, "the event to be corrected is not there");
    }
}
