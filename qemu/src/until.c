/*
 * A replay that ends at a checkpoint: where the shards and vCPUs stand as it says, everything that
 * it says is compared.
 */
#include "accel/tcg/skein/replay.h"
#include "accel/tcg/skein/section.h"

#include "qapi/error.h"

static struct {
    bool on;
    uint32_t shards_left; /* that have events to come */
    struct skein_cut_head cut;
    uint64_t ticks[SKEIN_SESSION_MAX_SHARDS];
    struct skein_vcpu_head vcpu[SKEIN_MAX_VCPUS];
} until;

static bool load_vcpu(FILE *f, const struct skein_section *s, uint32_t i)
{
    struct skein_vcpu_head *head = &until.vcpu[i];

    return i < skein_vm.cpu_count && s->bytes >= sizeof(*head) &&
           skein_section_get(f, head, sizeof(*head)) &&
           fseeko(f, s->bytes - sizeof(*head), SEEK_CUR) == 0;
}

static bool load(FILE *f)
{
    char magic[sizeof(SKEIN_STATE_MAGIC)] = "", name[256];
    struct skein_section s;
    uint32_t vcpus = 0;
    bool cut = false, ok = true;

    if (!skein_section_get(f, magic, strlen(SKEIN_STATE_MAGIC)) ||
        strcmp(magic, SKEIN_STATE_MAGIC)) {
        return false;
    }
    while (ok && skein_section_next(f, &s, name) && s.type != SKEIN_SECTION_END) {
        if (s.type == SKEIN_SECTION_CUT) {
            ok = cut = skein_cut_read(f, &s, &until.cut, until.ticks);
        } else if (s.type == SKEIN_SECTION_VCPU) {
            ok = load_vcpu(f, &s, vcpus++);
        } else {
            ok = fseeko(f, s.bytes, SEEK_CUR) == 0;
        }
    }
    return ok && cut && vcpus == skein_vm.cpu_count;
}

static uint64_t tick_of(uint32_t shard)
{
    return shard < skein_vm.cpu_count ? skein_vm.cpus[shard].tick : skein_vm.device_tick;
}

static uint64_t until_next(SkeinCPU *c)
{
    uint64_t icount = until.vcpu[c->id].icount;

    return icount > skein_icount(c) ? icount : SKEIN_NEVER;
}

static bool until_at(SkeinCPU *c)
{
    skein_until_check();
    return false;
}

bool skein_until_begin(const char *path, Error **errp)
{
    static const struct skein_observer observer = {until_next, until_at};
    FILE *f = fopen(path, "rb");
    bool ok = f && load(f);

    if (f) {
        fclose(f);
    }
    if (!ok) {
        error_setg(errp, "%s is not a checkpoint of this machine", path);
        return false;
    }
    for (uint32_t i = 0; i <= skein_vm.cpu_count; i++) {
        if (tick_of(i) > until.ticks[i]) {
            error_setg(errp, "checkpoint %" PRIu64 " is before the start", until.cut.number);
            return false;
        }
        until.shards_left += tick_of(i) < until.ticks[i];
    }
    until.on = true;
    skein_observe(&observer);
    return true;
}

void skein_until_consumed(SkeinCPU *c, uint32_t shard, uint64_t tick)
{
    if (!until.on) {
        return;
    }
    if (tick == until.ticks[shard]) {
        until.shards_left--;
    } else if (tick > until.ticks[shard]) {
        skein_diverged(c, SKEIN_MARK, until.ticks[shard], tick, "events before checkpoint %" PRIu64,
                       until.cut.number);
    }
}

static bool reached(void)
{
    if (!until.on || until.shards_left) {
        return false;
    }
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        if (skein_icount(&skein_vm.cpus[i]) != until.vcpu[i].icount) {
            return false;
        }
    }
    return true;
}

static void differs(SkeinCPU *c, uint64_t expected, uint64_t got, const char *what)
{
    if (expected != got) {
        skein_diverged(c, SKEIN_MARK, expected, got, "%s at checkpoint %" PRIu64, what,
                       until.cut.number);
    }
}

void skein_until_check(void)
{
    if (!reached()) {
        return;
    }
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        SkeinCPU *c = &skein_vm.cpus[i];

        differs(c, until.vcpu[i].in_kernel, c->in_kernel, "kernel mode");
        differs(c, until.vcpu[i].digest, skein_digest_slice(c), "digest");
    }
    differs(NULL, until.cut.slices, skein_vm.slices_before + skein_vm.session->slices, "slices");
    differs(NULL, until.cut.console_bytes, skein_vm.console_bytes, "bytes of console output");
    differs(NULL, until.cut.console_hash, skein_vm.console_hash, "hash of console output");
    differs(NULL, until.cut.ram_digest, skein_changes_digest_all(), "digest of kernel-visible RAM");
    skein_replay_finish(SKEIN_VERDICT_SAME);
}
