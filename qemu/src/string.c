/*
 * The kernel's string instructions (rep movs, rep stos), by which it copies and clears: many
 * elements at once instead of one in each round of QEMU's loop. The loop is still there, and does
 * what needs more than memory: whatever is not in the TLB, or is watched, or has code. What the
 * helpers do is what that many rounds would do, so that a round more or less changes nothing that
 * the guest or a log can tell.
 */
#include "accel/tcg/skein/state.h"

#include "exec/cputlb.h"
#include "exec/helper-proto.h"
#include "exec/target_page.h"
#include "tcg/helper-tcg.h"

/* One page's memory, from an address on. */
struct place {
    uint8_t *host;
    ram_addr_t ram;
    size_t left; /* bytes of the page */
    bool seen;   /* a user-dirty page */
};

/* False: not plain memory, or not in the TLB. */
static bool find(CPUState *cpu, int mmu_idx, vaddr addr, MMUAccessType access, struct place *p)
{
    const CPUTLBDescFast *fast = &cpu->neg.tlb.f[mmu_idx];
    size_t i = (addr >> TARGET_PAGE_BITS) & (fast->mask >> CPU_TLB_ENTRY_BITS);
    const CPUTLBEntry *te = &fast->table[i];
    const CPUTLBEntryFull *full = &cpu->neg.tlb.d[mmu_idx].fulltlb[i];
    uint64_t entry = access == MMU_DATA_STORE ? qatomic_read(&te->addr_write) : te->addr_read;
    int slow = entry & TLB_FORCE_SLOW ? full->slow_flags[access] : 0;

    if ((entry & ~(uint64_t)TLB_FORCE_SLOW) != (addr & TARGET_PAGE_MASK) || (slow & ~TLB_SKEIN)) {
        return false;
    }
    p->host = (uint8_t *)(addr + te->addend);
    p->ram = addr + full->xlat_section;
    p->left = TARGET_PAGE_SIZE - (addr & ~TARGET_PAGE_MASK);
    p->seen = slow & TLB_SKEIN;
    return true;
}

/*
 * How many rounds of the loop may be skipped: it needs one for the last element, and one for that
 * after which it leaves the block, since blocks count instructions.
 */
static uint64_t rounds(CPUX86State *env, uint32_t rep_max)
{
    uint64_t left = env->regs[R_ECX];

    return left < 2 || env->df < 0 ? 0 : (left - 2) & rep_max;
}

/* Sizes that the compiler knows: no calls. */
#define FILL(type, to, value, bytes)                                                               \
    for (size_t i = 0; i < (bytes); i += sizeof(type)) {                                           \
        memcpy((to) + i, &(type){value}, sizeof(type));                                            \
    }

static void fill(uint8_t *to, uint64_t value, unsigned shift, size_t bytes)
{
    switch (shift) {
    case MO_8:
        memset(to, value, bytes);
        break;
    case MO_16:
        FILL(uint16_t, to, value, bytes)
        break;
    case MO_32:
        FILL(uint32_t, to, value, bytes)
        break;
    default:
        FILL(uint64_t, to, value, bytes)
    }
}

void helper_skein_stos(CPUX86State *env, uint32_t shift, uint32_t mmu_idx, uint32_t rep_max)
{
    CPUState *cpu = env_cpu(env);
    uint64_t count = rounds(env, rep_max);
    struct place to;
    size_t bytes;

    if (!cpu->skein || !count || !find(cpu, mmu_idx, env->regs[R_EDI], MMU_DATA_STORE, &to)) {
        return;
    }
    count = MIN(count, to.left >> shift);
    bytes = count << shift;
    if (!bytes) {
        return;
    }
    if (to.seen) {
        skein_store_begin(cpu, to.ram);
    }
    fill(to.host, env->regs[R_EAX], shift, bytes);
    if (to.seen) {
        skein_store_end(cpu, to.ram, bytes);
    }
    env->regs[R_EDI] += bytes;
    env->regs[R_ECX] -= count;
}

static void copy(CPUState *cpu, vaddr addr, unsigned size, const struct place *from,
                 const struct place *to, size_t bytes)
{
    SkeinCPU *c = cpu->skein;

    if (to->seen) {
        skein_store_begin(cpu, to->ram);
    }
    if (from->seen && c->in_kernel && skein_page_dirty(from->ram)) {
        skein_load_bytes(c, addr, size, from->host, to->host, bytes);
    } else {
        memmove(to->host, from->host, bytes);
    }
    if (to->seen) {
        skein_store_end(cpu, to->ram, bytes);
    }
}

void helper_skein_movs(CPUX86State *env, uint32_t shift, uint32_t mmu_idx, uint32_t rep_max)
{
    CPUState *cpu = env_cpu(env);
    uint64_t count = rounds(env, rep_max);
    vaddr addr = env->regs[R_ESI];
    struct place from, to;
    size_t bytes;

    if (!cpu->skein || !count || !find(cpu, mmu_idx, addr, MMU_DATA_LOAD, &from) ||
        !find(cpu, mmu_idx, env->regs[R_EDI], MMU_DATA_STORE, &to)) {
        return;
    }
    count = MIN(count, MIN(from.left, to.left) >> shift);
    if (to.host > from.host) {
        /* Later elements may be copies of earlier ones. */
        count = MIN(count, (uint64_t)(to.host - from.host) >> shift);
    }
    bytes = count << shift;
    if (!bytes) {
        return;
    }
    copy(cpu, addr, 1 << shift, &from, &to, bytes);
    env->regs[R_ESI] += bytes;
    env->regs[R_EDI] += bytes;
    env->regs[R_ECX] -= count;
}
