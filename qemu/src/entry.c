/*
 * Crossing into the kernel and back: what user mode hands over, and what the kernel hands back.
 */
#include "accel/tcg/skein/state.h"

#include "exec/helper-proto.h"
#include "tcg/helper-tcg.h"

void skein_user_capture(CPUX86State *env, uint64_t slot[SKEIN_SLOT_COUNT])
{
    for (int i = 0; i < CPU_NB_REGS; i++) {
        slot[SKEIN_SLOT_GPR + i] = env->regs[i];
    }
    slot[SKEIN_SLOT_RIP] = env->eip;
    slot[SKEIN_SLOT_RFLAGS] = cpu_compute_eflags(env);
    for (int i = 0; i < 6; i++) {
        const SegmentCache *seg = &env->segs[i];
        uint64_t *s = &slot[SKEIN_SLOT_SEG + 3 * i];

        s[0] = seg->selector | (uint64_t)seg->flags << 32;
        s[1] = seg->base;
        s[2] = seg->limit;
    }
    slot[SKEIN_SLOT_CR2] = env->cr[2];
    slot[SKEIN_SLOT_DR6] = env->dr[6];
    slot[SKEIN_SLOT_PKRU] = env->pkru;
    slot[SKEIN_SLOT_HFLAGS] = env->hflags;
}

static void user_apply(CPUX86State *env, const uint64_t slot[SKEIN_SLOT_COUNT])
{
    for (int i = 0; i < CPU_NB_REGS; i++) {
        env->regs[i] = slot[SKEIN_SLOT_GPR + i];
    }
    env->eip = slot[SKEIN_SLOT_RIP];
    cpu_load_eflags(env, slot[SKEIN_SLOT_RFLAGS],
                    ~(CC_O | CC_S | CC_Z | CC_A | CC_P | CC_C | DF_MASK));
    for (int i = 0; i < 6; i++) {
        SegmentCache *seg = &env->segs[i];
        const uint64_t *s = &slot[SKEIN_SLOT_SEG + 3 * i];

        seg->selector = (uint32_t)s[0];
        seg->flags = s[0] >> 32;
        seg->base = s[1];
        seg->limit = s[2];
    }
    env->cr[2] = slot[SKEIN_SLOT_CR2];
    env->dr[6] = slot[SKEIN_SLOT_DR6];
    if (env->pkru != (uint32_t)slot[SKEIN_SLOT_PKRU]) {
        /* What WRPKRU did in user mode; it flushed the TLB, which the ENTRY's flag repeats. */
        env->pkru = slot[SKEIN_SLOT_PKRU];
    }
    env->hflags = slot[SKEIN_SLOT_HFLAGS];
}

void skein_kernel_enter(SkeinCPU *c)
{
    c->in_kernel = true;
    c->fpu_pending = true;
    tcg_cflags_set(c->cpu, CF_SKEIN);
}

/* The kernel has returned to user mode; the vCPU still holds the token. */
void skein_kernel_exit(SkeinCPU *c)
{
    uint64_t p[2];

    if (!skein_replaying) {
        skein_log_run_close(c);
    }
    skein_user_capture(skein_env(c), c->user);
    for (int i = 0; i < SKEIN_SLOT_COUNT; i++) {
        skein_digest_add(c, i, c->user[i]);
    }
    skein_digest_add(c, -1, skein_icount(c));
    c->in_kernel = false;
    c->cpu->tcg_cflags &= ~CF_SKEIN;

    p[0] = skein_icount(c);
    p[1] = skein_digest_chain(c);
    if (c->exits++ % skein_vm.session->digest_interval == 0) {
        if (skein_replaying) {
            const struct skein_record *r = skein_replay_next(c, SKEIN_DIGEST);
            const uint64_t *got = (const void *)(r + 1);

            if (got[0] != p[0]) {
                skein_diverged(c, SKEIN_DIGEST, got[0], p[0], "icount at a kernel exit");
            }
            if (got[1] != p[1]) {
                skein_diverged(c, SKEIN_DIGEST, got[1], p[1], "digest at a kernel exit");
            }
            skein_replay_good(c);
        } else {
            skein_log(c, SKEIN_DIGEST, 0, 0, p, sizeof(p));
        }
    }
    if (skein_replaying) {
        const struct skein_record *r = skein_replay_next(c, SKEIN_MARK);
        const uint64_t *got = (const void *)(r + 1);

        if (got[0] != p[0]) {
            skein_diverged(c, SKEIN_MARK, got[0], p[0], "icount at a kernel exit");
        }
    } else {
        skein_log_mark(c);
    }
}

/* Only what user mode changed is kept; slots are packed when the event is appended. */
void skein_entry_capture(SkeinCPU *c, uint32_t arg, uint64_t error, uint64_t next_ip)
{
    skein_user_capture(skein_env(c), c->entry.slot);
    c->entry_arg = arg;
    c->entry.error = error;
    c->entry.next_ip = next_ip;
}

/* Whoever reads the log wants its number, which may be what the last one returned. */
static bool is_system_call(const SkeinCPU *c)
{
    switch (c->entry_arg & 0xff) {
    case SKEIN_ENTRY_SYSCALL:
    case SKEIN_ENTRY_SYSENTER:
        return true;
    case SKEIN_ENTRY_EXCEPTION | SKEIN_ENTRY_IS_INT:
        return c->entry_arg >> 8 == 0x80;
    default:
        return false;
    }
}

void skein_entry_append(SkeinCPU *c)
{
    uint64_t packed[SKEIN_SLOT_COUNT];
    uint64_t mask = 0;
    unsigned n = 0;
    bool reset = c->polluted;

    for (int i = 0; i < SKEIN_SLOT_COUNT; i++) {
        if (c->entry.slot[i] != c->user[i] || (i == SKEIN_SLOT_GPR && is_system_call(c))) {
            mask |= 1ull << i;
            packed[n++] = c->entry.slot[i];
        }
    }
    c->entry.icount = skein_icount(c);
    c->entry.mask = mask;
    skein_log_bytes(c, SKEIN_ENTRY, reset ? SKEIN_F_TLB_RESET : 0, c->entry_arg, &c->entry,
                    offsetof(struct skein_entry_payload, slot), packed, n * sizeof(packed[0]));
    if (reset) {
        skein_tlb_reset(c);
    }
    c->entry_pending = false;
    skein_kernel_enter(c);
    skein_pages_sync(c);
}

static void deliver(SkeinCPU *c, uint32_t arg, uint64_t error, uint64_t next_ip)
{
    CPUX86State *env = skein_env(c);
    uint32_t type = arg & 0xff;
    int vector = arg >> 8;

    switch (type & ~SKEIN_ENTRY_IS_INT) {
    case SKEIN_ENTRY_SYSCALL:
        helper_syscall(env, next_ip);
        break;
    case SKEIN_ENTRY_SYSENTER:
        helper_sysenter(env);
        break;
    case SKEIN_ENTRY_EXCEPTION:
        c->cpu->exception_index = vector;
        env->exception_is_int = !!(type & SKEIN_ENTRY_IS_INT);
        env->error_code = error;
        env->exception_next_eip = next_ip;
        x86_cpu_do_interrupt(c->cpu);
        c->cpu->exception_index = -1;
        break;
    case SKEIN_ENTRY_NMI:
        skein_interrupt_apply(c, skein_intr_arg(SKEIN_INTR_NMI, 0));
        break;
    case SKEIN_ENTRY_MCE:
        skein_interrupt_apply(c, skein_intr_arg(SKEIN_INTR_MCE, 0));
        break;
    case SKEIN_ENTRY_INIT:
        skein_interrupt_apply(c, skein_intr_arg(SKEIN_INTR_INIT, 0));
        break;
    default:
        skein_interrupt_apply(c, skein_intr_arg(SKEIN_INTR_HARD, vector));
        break;
    }
}

void skein_entry_apply(SkeinCPU *c, const struct skein_record *r)
{
    const struct skein_entry_payload *e = (const void *)(r + 1);
    uint32_t arg = r->arg;
    uint64_t error = e->error, next_ip = e->next_ip;
    const uint64_t *packed = e->slot;

    for (int i = 0; i < SKEIN_SLOT_COUNT; i++) {
        if (e->mask & 1ull << i) {
            c->user[i] = *packed++;
        }
    }
    user_apply(skein_env(c), c->user);
    if (r->flags & SKEIN_F_TLB_RESET) {
        skein_tlb_reset(c);
    }
    skein_kernel_enter(c);
    skein_pages_sync(c);
    deliver(c, arg, error, next_ip);
}

void skein_interrupt_apply(SkeinCPU *c, uint32_t arg)
{
    CPUX86State *env = skein_env(c);
    int vector = arg >> 8;

    switch (arg & 0xff) {
    case SKEIN_INTR_HARD:
        do_interrupt_x86_hardirq(env, vector, 1);
        break;
    case SKEIN_INTR_NMI:
        env->hflags2 |= HF2_NMI_MASK;
        do_interrupt_x86_hardirq(env, EXCP02_NMI, 1);
        break;
    case SKEIN_INTR_MCE:
        do_interrupt_x86_hardirq(env, EXCP12_MCHK, 0);
        break;
    case SKEIN_INTR_INIT:
        do_cpu_init(env_archcpu(env));
        c->halted = c->cpu->halted;
        c->cpu->halted = 0;
        break;
    case SKEIN_INTR_SIPI:
        cpu_x86_load_seg_cache_sipi(env_archcpu(env), vector);
        c->halted = false;
        break;
    case SKEIN_INTR_WAKE:
        c->halted = false;
        break;
    }
}
