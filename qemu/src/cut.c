/*
 * What a checkpoint holds beside the machine: where every shard, and each vCPU's recording or
 * replay, stood. The same state whether it was recorded or replayed up to there.
 */
#include "accel/tcg/skein/section.h"

#include "exec/target_page.h"
#include "qapi/error.h"

enum vcpu_flags {
    FPU_PENDING = 1,
    WATCH_HIT = 2,
    ENDED = 4,
    RUNNING = 8, /* its slice was under way */
};

struct vcpu_state {
    struct skein_vcpu_head head;
    uint64_t chain; /* digest over exits and device writes */
    uint64_t inputs;
    uint64_t exits;
    uint64_t slices;
    uint64_t io_ordinal;
    uint64_t flags;
    uint64_t user[SKEIN_SLOT_COUNT];
    uint64_t fpu[SKEIN_FPU_WORDS];
    uint64_t run_va;
    uint32_t run_len;
    uint32_t run_pos; /* the run's bytes follow */
};

struct page_state {
    uint32_t index;
    uint16_t covered;
    uint16_t reserved;
};

static uint64_t tick_of(SkeinCPU *c)
{
    return skein_replaying ? c->tick : c->writer.tick;
}

static void put_cut(FILE *f, uint64_t number, uint64_t ram_digest)
{
    uint32_t vcpus = skein_vm.cpu_count;
    struct skein_cut_head head = {
        .number = number,
        .shards = vcpus + 1,
        .released_shard = skein_vm.released_shard,
        .released_tick = skein_vm.released_tick,
        .slices = skein_vm.slices_before + skein_vm.session->slices,
        .console_bytes = skein_vm.console_bytes,
        .console_hash = skein_vm.console_hash,
        .ram_digest = ram_digest,
        .uart_lcr = skein_vm.uart_lcr,
        .uart_mcr = skein_vm.uart_mcr,
    };
    uint64_t ticks[SKEIN_SESSION_MAX_SHARDS];

    if (!skein_replaying) {
        skein_token_last(&head.released_shard, &head.released_tick);
    }
    for (uint32_t i = 0; i < vcpus; i++) {
        ticks[i] = tick_of(&skein_vm.cpus[i]);
    }
    ticks[vcpus] = skein_replaying ? skein_vm.device_tick : skein_vm.device_writer.tick;
    skein_section_put(f, SKEIN_SECTION_CUT, "", &head, sizeof(head), ticks,
                      (vcpus + 1) * sizeof(ticks[0]));
}

static void put_vcpu(FILE *f, SkeinCPU *c)
{
    struct vcpu_state v = {
        .head = {skein_icount(c), skein_digest_slice(c), c->in_kernel},
        .chain = c->digest,
        .inputs = c->inputs,
        .exits = c->exits,
        .slices = c->slices,
        .io_ordinal = c->io_ordinal,
        .flags = (c->fpu_pending ? FPU_PENDING : 0) | (c->watch_hit ? WATCH_HIT : 0) |
                 (c->ended ? ENDED : 0) | (skein_vm.running == c ? RUNNING : 0),
        .run_va = c->run_va,
        .run_len = c->run_len,
        .run_pos = c->run_pos,
    };

    memcpy(v.user, c->user, sizeof(v.user));
    memcpy(v.fpu, c->fpu, sizeof(v.fpu));
    skein_section_put(f, SKEIN_SECTION_VCPU, "", &v, sizeof(v), c->run, c->run_len);
}

static void put_pages(FILE *f)
{
    g_autofree struct page_state *list = g_new(struct page_state, skein_vm.page_count);
    size_t n = 0;

    for (uint64_t i = 0; i < skein_vm.page_count; i++) {
        if (skein_vm.pages[i].dirty) {
            list[n++] = (struct page_state){.index = i, .covered = skein_vm.pages[i].covered};
        }
    }
    skein_section_put(f, SKEIN_SECTION_PAGES, "", NULL, 0, list, n * sizeof(*list));
}

void skein_cut_save(FILE *f, uint64_t number, uint64_t ram_digest)
{
    put_cut(f, number, ram_digest);
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        put_vcpu(f, &skein_vm.cpus[i]);
    }
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        skein_tlb_save(f, &skein_vm.cpus[i]);
    }
    put_pages(f);
}

bool skein_cut_read(FILE *f, const struct skein_section *s, struct skein_cut_head *head,
                    uint64_t ticks[SKEIN_SESSION_MAX_SHARDS])
{
    uint64_t bytes = (skein_vm.cpu_count + 1) * sizeof(ticks[0]);

    return s->bytes == sizeof(*head) + bytes && skein_section_get(f, head, sizeof(*head)) &&
           head->shards == skein_vm.cpu_count + 1 && skein_section_get(f, ticks, bytes);
}

static bool load_cut(FILE *f, const struct skein_section *s)
{
    uint64_t ticks[SKEIN_SESSION_MAX_SHARDS];
    struct skein_cut_head head;

    if (!skein_cut_read(f, s, &head, ticks)) {
        return false;
    }
    skein_vm.released_shard = head.released_shard;
    skein_vm.released_tick = head.released_tick;
    skein_vm.slices_before = head.slices - skein_vm.session->slices;
    skein_vm.console_bytes = head.console_bytes;
    skein_vm.console_hash = head.console_hash;
    skein_vm.uart_lcr = head.uart_lcr;
    skein_vm.uart_mcr = head.uart_mcr;
    skein_vm.running = NULL;
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        skein_vm.cpus[i].tick = ticks[i];
    }
    skein_vm.device_tick = ticks[skein_vm.cpu_count];
    return true;
}

static void apply_vcpu(SkeinCPU *c, const struct vcpu_state *v)
{
    c->limit = v->head.icount;
    c->cpu->skein_left = 0;
    c->stop = UINT64_MAX;
    c->in_kernel = v->head.in_kernel;
    c->digest = v->chain;
    c->inputs = v->inputs;
    c->exits = v->exits;
    c->slices = v->slices;
    c->io_ordinal = v->io_ordinal;
    c->fpu_pending = v->flags & FPU_PENDING;
    c->watch_hit = v->flags & WATCH_HIT;
    c->ended = v->flags & ENDED;
    c->in_io = false;
    c->halted = c->cpu->halted;
    c->cpu->halted = 0;
    if (v->flags & RUNNING) {
        skein_vm.running = c;
    }
    memcpy(c->user, v->user, sizeof(c->user));
    memcpy(c->fpu, v->fpu, sizeof(c->fpu));
    c->run_va = v->run_va;
    c->run_len = v->run_len;
    c->run_pos = v->run_pos;
    if (c->in_kernel) {
        tcg_cflags_set(c->cpu, CF_SKEIN);
    } else {
        c->cpu->tcg_cflags &= ~CF_SKEIN;
    }
}

static bool load_vcpu(FILE *f, const struct skein_section *s, SkeinCPU *c)
{
    struct vcpu_state v;

    if (s->bytes < sizeof(v) || !skein_section_get(f, &v, sizeof(v)) ||
        v.run_len > sizeof(c->run) || v.run_pos > v.run_len || s->bytes != sizeof(v) + v.run_len ||
        !skein_section_get(f, c->run, v.run_len)) {
        return false;
    }
    apply_vcpu(c, &v);
    return true;
}

static bool load_pages(FILE *f, const struct skein_section *s)
{
    size_t n = s->bytes / sizeof(struct page_state);

    memset(skein_vm.pages, 0, skein_vm.page_count * sizeof(*skein_vm.pages));
    for (size_t i = 0; i < n; i++) {
        struct page_state p;

        if (!skein_section_get(f, &p, sizeof(p)) || p.index >= skein_vm.page_count) {
            return false;
        }
        skein_vm.pages[p.index] = (SkeinPage){.dirty = true, .covered = p.covered};
    }
    skein_vm.pages_generation++;
    return true;
}

bool skein_cut_load(FILE *f, const struct skein_section *s, uint32_t *vcpu, uint32_t *tlb,
                    Error **errp)
{
    bool ok = false;

    switch (s->type) {
    case SKEIN_SECTION_CUT:
        ok = load_cut(f, s);
        break;
    case SKEIN_SECTION_VCPU:
        ok = *vcpu < skein_vm.cpu_count && load_vcpu(f, s, &skein_vm.cpus[(*vcpu)++]);
        break;
    case SKEIN_SECTION_TLB:
        ok = *tlb < skein_vm.cpu_count && skein_tlb_load(f, &skein_vm.cpus[(*tlb)++], s->bytes);
        break;
    case SKEIN_SECTION_PAGES:
        ok = load_pages(f, s);
        break;
    }
    if (!ok) {
        error_setg(errp, "the checkpoint is damaged");
    }
    return ok;
}
