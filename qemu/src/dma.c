/*
 * Guest RAM changed by something that is not a guest instruction: devices. It takes the token, and
 * what changed is an event. A device that acts inside a vCPU's I/O access (it runs in that vCPU's
 * thread) uses the vCPU's token; its writes stand at that access.
 */
#include "accel/tcg/skein/state.h"

#include "exec/memory.h"
#include "exec/target_page.h"

#define CHUNK_BYTES 4096u

static SkeinCPU *own_token(void)
{
    SkeinCPU *c = current_cpu ? current_cpu->skein : NULL;

    return c && c->held ? c : NULL;
}

static bool is_free(void)
{
    return skein_ignored_writes() == SKEIN_IGNORED_WRITE_FREE;
}

static void begin(void)
{
    if (skein_vm.active && !own_token() && !is_free()) {
        /* Device threads change RAM under the big QEMU lock: a vCPU may have to lend its token. */
        g_assert(bql_locked());
        skein_token_device_acquire();
    }
}

static void log_own(SkeinCPU *c, ram_addr_t ram, const uint8_t *bytes, size_t len)
{
    uint64_t p[2] = {c->in_io ? c->io_ordinal : c->in_kernel ? skein_icount(c) : 0, ram};
    uint8_t flags = c->in_io ? SKEIN_F_AT_IO : c->in_kernel ? 0 : SKEIN_F_USER;

    skein_log_bytes(c, SKEIN_MEM, flags, len, p, sizeof(p), bytes, len);
}

static void log_device(ram_addr_t ram, const uint8_t *bytes, size_t len)
{
    uint64_t p[2] = {0, ram};

    if (skein_vm.lost) {
        return;
    }
    skein_shard_append2(&skein_vm.device_writer, SKEIN_MEM, 0, len, p, sizeof(p), bytes, len);
}

/* An ignored device's DMA: like a store of user mode. */
static void give_away(SkeinCPU *c, ram_addr_t ram, hwaddr len)
{
    for (uint64_t at = ram & TARGET_PAGE_MASK; at < ram + len; at += TARGET_PAGE_SIZE) {
        if (!skein_page_give_away(at)) {
            continue;
        }
        if (c) {
            skein_log(c, SKEIN_PAGE_DIRTY, SKEIN_F_USER, 0, &at, sizeof(at));
        } else if (!skein_vm.lost) {
            skein_shard_append(&skein_vm.device_writer, SKEIN_PAGE_DIRTY, 0, 0, &at, sizeof(at));
        }
    }
}

static void log_bytes(SkeinCPU *c, ram_addr_t ram, const uint8_t *at, hwaddr len)
{
    while (len) {
        size_t chunk = MIN(len, CHUNK_BYTES);

        if (c) {
            log_own(c, ram, at, chunk);
        } else {
            log_device(ram, at, chunk);
        }
        at += chunk;
        ram += chunk;
        len -= chunk;
    }
}

static void end(ram_addr_t ram, const void *bytes, hwaddr len)
{
    SkeinCPU *c = own_token();

    if (!skein_vm.active) {
        return;
    }
    skein_changes_note(ram, len);
    if (!c && is_free()) {
        return;
    }
    /* Within the kernel's own access (to configuration space, or to another device) it is an event:
     * no page becomes user-dirty in the middle of what the kernel does. */
    if (skein_ignored_writes() && !(c && c->in_kernel)) {
        give_away(c, ram, len);
    } else {
        log_bytes(c, ram, bytes, len);
    }
    if (!c) {
        skein_token_device_release();
    }
}

void skein_dma_hook(bool on)
{
    skein_dma_begin = on ? begin : NULL;
    skein_dma_end = on ? end : NULL;
}

static bool lends(SkeinCPU *c)
{
    return c && c->held && !skein_replaying && skein_vm.active;
}

void skein_bql_wait_begin(CPUState *cpu)
{
    SkeinCPU *c = cpu->skein;

    if (lends(c)) {
        if (c->in_kernel && !c->in_io && !skein_vm.system_scope && skein_user_mode(c)) {
            skein_kernel_exit(c);
        }
        skein_token_lend(c);
    }
}

void skein_bql_wait_end(CPUState *cpu)
{
    SkeinCPU *c = cpu->skein;

    if (lends(c)) {
        skein_token_unlend(c);
    }
}
