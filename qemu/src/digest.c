/*
 * Digests: what a replay must reproduce. A vCPU's digest is chained over its kernel exits, its
 * device writes and its inputs, so that one value vouches for everything before it. The inputs are
 * in it although the log is their only source: one that was changed on the way is found at the next
 * digest, even when what it did to the kernel shows much later.
 */
#include "accel/tcg/skein/state.h"

#include "exec/target_page.h"
#include "hw/boards.h"
#include "qemu/cutils.h"

static uint64_t mix_words(uint64_t h, const uint8_t *bytes, size_t len)
{
    uint64_t word;

    for (; len >= sizeof(word); bytes += sizeof(word), len -= sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        h = skein_mix(h, word);
    }
    if (len) {
        word = 0;
        memcpy(&word, bytes, len);
        h = skein_mix(h, word);
    }
    return h;
}

/* An event's payload, in two pieces while it is recorded; the first is whole words. */
void skein_digest_input(SkeinCPU *c, uint8_t kind, uint32_t arg, const void *fixed,
                        size_t fixed_len, const void *bytes, size_t len)
{
    uint64_t h;

    switch (kind) {
    case SKEIN_TOKEN:
    case SKEIN_DIGEST:
    case SKEIN_MARK:
    case SKEIN_END:
        return;
    }
    h = skein_mix(c->inputs, kind | (uint64_t)arg << 32);
    c->inputs = mix_words(mix_words(h, fixed, fixed_len), bytes, len);
}

uint64_t skein_digest_chain(SkeinCPU *c)
{
    return skein_mix(c->digest, c->inputs);
}

void skein_digest_values(SkeinCPU *c, uint64_t value[SKEIN_DIGEST_VALUES])
{
    CPUX86State *env = skein_env(c);
    unsigned n = 0;

    for (int i = 0; i < CPU_NB_REGS; i++) {
        value[n++] = env->regs[i];
    }
    value[n++] = env->eip;
    value[n++] = cpu_compute_eflags(env);
    value[n++] = env->cr[3];
    value[n++] = env->segs[R_CS].selector;
    value[n++] = env->segs[R_FS].base;
    value[n++] = env->segs[R_GS].base;
    value[n++] = skein_icount(c);
    g_assert(n == SKEIN_DIGEST_VALUES);
}

/* The vCPU's registers at a point between two instructions, with its chain so far. */
uint64_t skein_digest_here(SkeinCPU *c)
{
    uint64_t value[SKEIN_DIGEST_VALUES];
    uint64_t h = skein_digest_chain(c);

    skein_digest_values(c, value);
    for (unsigned i = 0; i < SKEIN_DIGEST_VALUES; i++) {
        h = skein_mix(h, value[i]);
    }
    return h;
}

/* What vouches for a slice that ended: the registers count only where they stand still. */
uint64_t skein_digest_slice(SkeinCPU *c)
{
    return c->in_kernel && !c->in_io ? skein_digest_here(c) : skein_digest_chain(c);
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

uint64_t skein_digest_page(ram_addr_t at, const void *host)
{
    return buffer_is_zero(host, TARGET_PAGE_SIZE) ? 0 : hash_page(at, host);
}

/* All RAM that only the kernel has written: pages that user mode wrote are not reproduced. */
uint64_t skein_digest_ram(void)
{
    MachineState *machine = MACHINE(qdev_get_machine());
    RAMBlock *block = machine->ram->ram_block;
    uint64_t h = 0;

    for (ram_addr_t at = 0; at < block->used_length; at += TARGET_PAGE_SIZE) {
        if (!skein_page_dirty(block->offset + at)) {
            h = skein_mix(h, skein_digest_page(at, block->host + at));
        }
    }
    return h;
}
