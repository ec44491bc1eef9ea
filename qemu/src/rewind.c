/*
 * Checkpoints in memory: a replay goes back by returning to one and replaying from there.
 *
 * Each holds the machine's state and those pages of RAM that changed since the one before; the
 * first one holds all. Every page has its versions in a chain, so that going back costs what has
 * changed since, and forgetting a checkpoint moves its pages to the next.
 */
#include "accel/tcg/skein/replay.h"
#include "accel/tcg/skein/section.h"

#include "exec/target_page.h"
#include "exec/tb-flush.h"
#include "hw/core/cpu.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"

enum content { ZEROS, BYTES, VOID /* user mode's: nobody asks for it */ };

struct version {
    SkeinCheckpoint *of;
    RAMBlock *block;
    ram_addr_t at;
    struct version *older;
    struct version *newer;
    QTAILQ_ENTRY(version) in_checkpoint;
    enum content content;
    uint8_t bytes[]; /* BYTES: a page */
};

struct SkeinCheckpoint {
    uint64_t icount;
    char *state;
    size_t state_bytes;
    QTAILQ_HEAD(, version) versions;
    QTAILQ_ENTRY(SkeinCheckpoint) entry;
};

static QTAILQ_HEAD(, SkeinCheckpoint) checkpoints = QTAILQ_HEAD_INITIALIZER(checkpoints);
static struct version **latest; /* by page of RAM; each has one after the first checkpoint */
static uint64_t memory;

uint64_t skein_checkpoint_bytes(void)
{
    return memory;
}

uint64_t skein_checkpoint_icount(const SkeinCheckpoint *cp)
{
    return cp->icount;
}

SkeinCheckpoint *skein_checkpoint_first(void)
{
    return QTAILQ_FIRST(&checkpoints);
}

SkeinCheckpoint *skein_checkpoint_last(void)
{
    return QTAILQ_LAST(&checkpoints);
}

SkeinCheckpoint *skein_checkpoint_before(const SkeinCheckpoint *cp)
{
    return QTAILQ_PREV(cp, entry);
}

static struct version **latest_of(RAMBlock *block, ram_addr_t at)
{
    return &latest[(block->offset + at) >> TARGET_PAGE_BITS];
}

static size_t size_of(enum content content)
{
    return sizeof(struct version) + (content == BYTES ? TARGET_PAGE_SIZE : 0);
}

static enum content content_of(RAMBlock *block, ram_addr_t at)
{
    if (!skein_page_reaches_kernel(block->offset + at)) {
        return VOID;
    }
    return buffer_is_zero(block->host + at, TARGET_PAGE_SIZE) ? ZEROS : BYTES;
}

static void keep_page(RAMBlock *block, ram_addr_t at, void *opaque)
{
    SkeinCheckpoint *cp = opaque;
    struct version **top = latest_of(block, at);
    enum content content = content_of(block, at);
    struct version *v = g_malloc0(size_of(content));

    v->of = cp;
    v->block = block;
    v->at = at;
    v->content = content;
    v->older = *top;
    if (content == BYTES) {
        memcpy(v->bytes, block->host + at, TARGET_PAGE_SIZE);
    }
    if (*top) {
        (*top)->newer = v;
    }
    *top = v;
    QTAILQ_INSERT_TAIL(&cp->versions, v, in_checkpoint);
    memory += size_of(content);
}

static void keep_all(SkeinCheckpoint *cp)
{
    RAMBlock *block;

    g_free(latest);
    latest = g_new0(struct version *, skein_vm.page_count);
    skein_changes_watch(false);
    RAMBLOCK_FOREACH(block) {
        for (ram_addr_t at = 0; at < block->used_length; at += TARGET_PAGE_SIZE) {
            keep_page(block, at, cp);
        }
    }
}

SkeinCheckpoint *skein_checkpoint_take(void)
{
    SkeinCheckpoint *cp = g_new0(SkeinCheckpoint, 1);
    FILE *f = open_memstream(&cp->state, &cp->state_bytes);

    QTAILQ_INIT(&cp->versions);
    cp->icount = skein_replay_icount();
    skein_machine_save(f);
    skein_cut_save(f, 0, 0);
    fclose(f);
    memory += cp->state_bytes;
    if (QTAILQ_EMPTY(&checkpoints)) {
        keep_all(cp);
    } else {
        skein_changes_take(keep_page, cp);
    }
    QTAILQ_INSERT_TAIL(&checkpoints, cp, entry);
    return cp;
}

static void forget_version(struct version *v)
{
    QTAILQ_REMOVE(&v->of->versions, v, in_checkpoint);
    if (v->older) {
        v->older->newer = v->newer;
    }
    if (v->newer) {
        v->newer->older = v->older;
    } else {
        *latest_of(v->block, v->at) = v->older;
    }
    memory -= size_of(v->content);
    g_free(v);
}

static void forget_checkpoint(SkeinCheckpoint *cp)
{
    QTAILQ_REMOVE(&checkpoints, cp, entry);
    memory -= cp->state_bytes;
    free(cp->state);
    g_free(cp);
}

void skein_checkpoint_drop(SkeinCheckpoint *cp)
{
    SkeinCheckpoint *next = QTAILQ_NEXT(cp, entry);
    struct version *v, *following;

    g_assert(next && cp != QTAILQ_FIRST(&checkpoints));
    QTAILQ_FOREACH_SAFE(v, &cp->versions, in_checkpoint, following)
    {
        if (v->newer && v->newer->of == next) {
            forget_version(v);
        } else {
            QTAILQ_REMOVE(&cp->versions, v, in_checkpoint);
            QTAILQ_INSERT_TAIL(&next->versions, v, in_checkpoint);
            v->of = next;
        }
    }
    forget_checkpoint(cp);
}

static void restore_page(RAMBlock *block, ram_addr_t at, void *opaque)
{
    const struct version *v = *latest_of(block, at);

    if (v->content == VOID) {
        return;
    }
    if (v->content == ZEROS) {
        memset(block->host + at, 0, TARGET_PAGE_SIZE);
    } else {
        memcpy(block->host + at, v->bytes, TARGET_PAGE_SIZE);
    }
    tb_invalidate_phys_range(block->offset + at, block->offset + at + TARGET_PAGE_SIZE - 1);
}

/* What is later than the checkpoint is forgotten, and its pages are as they were before. */
static void undo_later(SkeinCheckpoint *cp)
{
    SkeinCheckpoint *later;

    while ((later = QTAILQ_LAST(&checkpoints)) != cp) {
        struct version *v, *following;

        QTAILQ_FOREACH_SAFE(v, &later->versions, in_checkpoint, following)
        {
            RAMBlock *block = v->block;
            ram_addr_t at = v->at;

            forget_version(v);
            restore_page(block, at, NULL);
        }
        forget_checkpoint(later);
    }
    skein_changes_take(restore_page, NULL);
}

static void load_sections(SkeinCheckpoint *cp)
{
    FILE *f = fmemopen(cp->state, cp->state_bytes, "rb");
    CPUState *cpu = first_cpu;
    uint32_t vcpu = 0, tlb = 0;
    struct skein_section s;
    char name[256];
    bool ok = true;

    while (ok && skein_section_next(f, &s, name)) {
        ok = s.type == SKEIN_SECTION_CPU || s.type == SKEIN_SECTION_DEV
                 ? skein_machine_load(f, &s, name, &cpu, &error_abort)
                 : skein_cut_load(f, &s, &vcpu, &tlb, &error_abort);
    }
    g_assert(ok);
    fclose(f);
}

/* Nothing of what was about to be executed remains. */
static void reset_cpu(SkeinCPU *c)
{
    CPUState *cpu = c->cpu;

    cpu->exception_index = -1;
    cpu->cflags_next_tb = -1;
    cpu->watchpoint_hit = NULL;
    qatomic_set(&cpu->neg.icount_decr.u16.high, 0);
    tcg_flush_jmp_cache(cpu);
    skein_pages_sync(c);
}

void skein_checkpoint_return(SkeinCheckpoint *cp)
{
    undo_later(cp);
    load_sections(cp);
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        reset_cpu(&skein_vm.cpus[i]);
    }
    skein_replay_seek();
}
