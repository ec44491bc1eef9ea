/*
 * Digests: what a replay must reproduce. A vCPU's digest is chained over its kernel exits and its
 * device writes, so that one value vouches for everything before it.
 */
#include "accel/tcg/skein/state.h"

#include "exec/target_page.h"
#include "hw/boards.h"
#include "qemu/cutils.h"

/* The vCPU's registers at a point between two instructions, with its chain so far. */
uint64_t skein_digest_here(SkeinCPU *c)
{
    CPUX86State *env = skein_env(c);
    uint64_t h = c->digest;

    for (int i = 0; i < CPU_NB_REGS; i++) {
        h = skein_mix(h, env->regs[i]);
    }
    h = skein_mix(h, env->eip);
    h = skein_mix(h, cpu_compute_eflags(env));
    h = skein_mix(h, env->cr[3]);
    h = skein_mix(h, env->segs[R_CS].selector);
    h = skein_mix(h, env->segs[R_FS].base);
    h = skein_mix(h, env->segs[R_GS].base);
    return skein_mix(h, skein_icount(c));
}

/* What vouches for a slice that ended: the registers count only where they stand still. */
uint64_t skein_digest_slice(SkeinCPU *c)
{
    return c->in_kernel && !c->in_io ? skein_digest_here(c) : c->digest;
}

static uint64_t hash_page(uint64_t seed, const uint64_t *word)
{
    uint64_t lane[4] = {seed, ~seed, seed + 1, seed ^ 0x5bd1e995};

    for (size_t i = 0; i < TARGET_PAGE_SIZE / sizeof(*word); i += 4) {
        for (int k = 0; k < 4; k++) {
            lane[k] = skein_mix(lane[k], word[i + k]);
        }
    }
    return skein_mix(skein_mix(lane[0], lane[1]), skein_mix(lane[2], lane[3]));
}

/* All RAM that only the kernel has written: pages that user mode wrote are not reproduced. */
uint64_t skein_digest_ram(void)
{
    MachineState *machine = MACHINE(qdev_get_machine());
    RAMBlock *block = machine->ram->ram_block;
    uint64_t h = 0;

    for (ram_addr_t at = 0; at < block->used_length; at += TARGET_PAGE_SIZE) {
        if (!skein_page_dirty(block->offset + at)) {
            const void *host = block->host + at;

            h = skein_mix(h, buffer_is_zero(host, TARGET_PAGE_SIZE) ? 0 : hash_page(at, host));
        }
    }
    return h;
}
