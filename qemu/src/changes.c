/*
 * Which pages of RAM changed since the last checkpoint, by QEMU's own bitmap of dirty pages, and
 * the digest of all RAM that the kernel sees: a sum over its pages, so that it follows from what
 * changed.
 */
#include "accel/tcg/skein/section.h"

#include "exec/ram_addr.h"
#include "exec/target_page.h"
#include "hw/boards.h"

/* What each page of the machine's RAM adds to the digest, and their sum; NULL: not asked for. */
static uint64_t *page_sums;
static uint64_t total;

static RAMBlock *machine_ram(void)
{
    return MACHINE(qdev_get_machine())->ram->ram_block;
}

static uint64_t page_sum(RAMBlock *block, ram_addr_t at)
{
    return skein_page_dirty(block->offset + at) ? 0 : skein_digest_page(at, block->host + at);
}

uint64_t skein_changes_digest_all(void)
{
    RAMBlock *block = machine_ram();
    uint64_t sum = 0;

    for (ram_addr_t at = 0; at < block->used_length; at += TARGET_PAGE_SIZE) {
        sum += page_sum(block, at);
    }
    return sum;
}

uint64_t skein_changes_digest(void)
{
    return total;
}

static void update(RAMBlock *block, ram_addr_t at)
{
    uint64_t *sum = &page_sums[at >> TARGET_PAGE_BITS];

    total -= *sum;
    *sum = page_sum(block, at);
    total += *sum;
}

void skein_changes_watch(bool digest)
{
    RAMBlock *block;

    RAMBLOCK_FOREACH(block) {
        cpu_physical_memory_test_and_clear_dirty(block->offset, block->used_length,
                                                 DIRTY_MEMORY_MIGRATION);
    }
    g_free(page_sums);
    page_sums = NULL;
    total = 0;
    if (digest) {
        block = machine_ram();
        page_sums = g_new0(uint64_t, block->used_length >> TARGET_PAGE_BITS);
        for (ram_addr_t at = 0; at < block->used_length; at += TARGET_PAGE_SIZE) {
            update(block, at);
        }
    }
}

void skein_changes_note(ram_addr_t ram, uint64_t bytes)
{
    cpu_physical_memory_set_dirty_range(ram, bytes, 1 << DIRTY_MEMORY_MIGRATION);
}

void skein_changes_take(void (*page)(RAMBlock *block, ram_addr_t at, void *opaque), void *opaque)
{
    RAMBlock *ram = machine_ram(), *block;

    RAMBLOCK_FOREACH(block) {
        g_autofree DirtyBitmapSnapshot *changed = cpu_physical_memory_snapshot_and_clear_dirty(
            block->mr, 0, block->used_length, DIRTY_MEMORY_MIGRATION);

        for (ram_addr_t at = 0; at < block->used_length; at += TARGET_PAGE_SIZE) {
            if (cpu_physical_memory_snapshot_get_dirty(changed, block->offset + at,
                                                       TARGET_PAGE_SIZE)) {
                if (page_sums && block == ram) {
                    update(block, at);
                }
                page(block, at, opaque);
            }
        }
    }
}
