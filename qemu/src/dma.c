/*
 * Guest RAM changed by something that is not a guest instruction: devices. It takes the token, and
 * what changed is an event. A device that acts inside a vCPU's I/O access (it runs in that vCPU's
 * thread) uses the vCPU's token; its writes stand at that access.
 */
#include "accel/tcg/skein/state.h"

#include "exec/memory.h"

#define CHUNK_BYTES 4096u

static SkeinCPU *own_token(void)
{
    SkeinCPU *c = current_cpu ? current_cpu->skein : NULL;

    return c && c->held ? c : NULL;
}

static void begin(void)
{
    if (skein_vm.active && !own_token()) {
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

static void end(ram_addr_t ram, const void *bytes, hwaddr len)
{
    SkeinCPU *c = own_token();
    const uint8_t *at = bytes;

    if (!skein_vm.active) {
        return;
    }
    skein_changes_note(ram, len);
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
