/*
 * Where a vCPU's execution loop meets the token: kernel mode is entered, left, preempted and waited
 * for at these points, all of them between two instructions.
 */
#include "accel/tcg/skein/chaos.h"

#include "hw/i386/apic_internal.h"
#include "exec/cputlb.h"
#include "accel/tcg/internal-common.h"
#include "tcg/helper-tcg.h"

/* The kernel goes on here, with the token: what happened meanwhile becomes events. */
static void kernel_resumed(SkeinCPU *c)
{
    uint64_t icount = skein_icount(c);

    skein_pages_sync(c);
    if (c->woke) {
        c->woke = false;
        skein_log_interrupt(c, SKEIN_INTR_WAKE, 0);
    }
    if (c->polluted) {
        skein_tlb_reset(c);
        skein_log(c, SKEIN_TLB_FLUSH, 0, 0, &icount, sizeof(icount));
    }
}

static bool gate_kernel(SkeinCPU *c)
{
    bool slept = false;
    bool woke = c->woke;

    if (!skein_vm.system_scope && skein_user_mode(c)) {
        skein_kernel_exit(c);
        skein_token_release_to_user(c);
        return false;
    }
    if (!c->held) {
        slept = skein_token_acquire(c);
        kernel_resumed(c);
    } else if (skein_token_wanted() && (c->paused || skein_token_overdue())) {
        skein_log_mark(c);
        slept = skein_token_yield(c);
        kernel_resumed(c);
    } else if (skein_chaos_due(c)) {
        skein_log_mark(c);
        skein_chaos_give_way(c);
        kernel_resumed(c);
        slept = true;
    } else if (skein_log_mark_due(c)) {
        skein_log_mark(c);
    }
    /* The interrupt that ended HLT comes before the next instruction. */
    slept = (!woke && skein_chaos_delays(c)) || slept;
    c->paused = false;
    return slept;
}

/* User mode: the token is held for one instruction whose page walk needs it. */
static bool gate_walk(SkeinCPU *c)
{
    bool slept = false;

    if (c->walk == SKEIN_WALK_WANTED) {
        slept = skein_token_acquire(c);
        c->walk = SKEIN_WALK_READY;
        c->cpu->cflags_next_tb =
            curr_cflags(c->cpu) | CF_NO_GOTO_TB | CF_NO_GOTO_PTR | CF_NOIRQ | 1;
    } else if (c->held) {
        c->walk = SKEIN_WALK_NONE;
        skein_token_release(c);
    }
    return slept;
}

bool skein_gate(CPUState *cpu)
{
    SkeinCPU *c = cpu->skein;
    bool slept;

    if (c->entry_pending) {
        skein_chaos_enter(c);
        slept = skein_token_acquire(c);
        c->walk = SKEIN_WALK_NONE;
        skein_entry_append(c);
        return slept;
    }
    return c->in_kernel ? gate_kernel(c) : gate_walk(c);
}

bool skein_before_interrupt(CPUState *cpu)
{
    return skein_token_acquire(cpu->skein);
}

void skein_settle(CPUState *cpu)
{
    SkeinCPU *c = cpu->skein;

    if (c->in_kernel) {
        return;
    }
    if (c->walk == SKEIN_WALK_READY) {
        c->walk = SKEIN_WALK_RUNNING;
    } else if (c->held) {
        skein_token_release(c);
    }
}

/*
 * The kernel's own exception: its delivery counts like an instruction, so that a position tells
 * before it from after it.
 */
static bool kernel_exception(SkeinCPU *c)
{
    c->cpu->skein_left--;
    return false;
}

bool skein_exception(CPUState *cpu)
{
    SkeinCPU *c = cpu->skein;
    CPUX86State *env = skein_env(c);
    bool user = !skein_vm.system_scope && skein_user_mode(c);

    if (skein_replaying) {
        if (user) {
            /* A single-step trap right after the return to user mode: its ENTRY is in the log. */
            cpu->exception_index = -1;
            return true;
        }
        return kernel_exception(c);
    }
    c->fill_took = false;
    if (c->entry_pending) {
        skein_gate(cpu);
    }
    if (c->in_kernel && !user) {
        return kernel_exception(c);
    }
    if (c->in_kernel) {
        skein_kernel_exit(c);
    } else {
        skein_chaos_enter(c);
    }
    skein_token_acquire(c);
    c->walk = SKEIN_WALK_NONE;
    skein_entry_capture(
        c,
        skein_entry_arg(SKEIN_ENTRY_EXCEPTION | (env->exception_is_int ? SKEIN_ENTRY_IS_INT : 0),
                        cpu->exception_index),
        env->error_code, env->exception_next_eip);
    skein_entry_append(c);
    return false;
}

void skein_woke(CPUState *cpu)
{
    cpu->skein->woke = true;
}

void skein_leave(CPUState *cpu)
{
    SkeinCPU *c = cpu->skein;

    if (skein_replaying || !c->held) {
        return;
    }
    if (c->in_kernel) {
        if (!skein_vm.system_scope && skein_user_mode(c)) {
            skein_kernel_exit(c);
        } else {
            skein_log_mark(c);
        }
    }
    skein_token_release(c);
}

void skein_atomic_begin(CPUState *cpu)
{
    SkeinCPU *c = cpu->skein;

    if (!skein_replaying) {
        bool had = c->held;

        skein_token_acquire(c);
        if (c->in_kernel && !had) {
            kernel_resumed(c);
        }
        /* A vCPU that must stop may wait for the big QEMU lock, and its owner for the token. */
        skein_token_lend(c);
    }
}

void skein_atomic_alone(CPUState *cpu)
{
    if (!skein_replaying) {
        skein_token_unlend(cpu->skein);
    }
}

void skein_watchpoint(CPUState *cpu)
{
    cpu->skein->watch_hit = true;
    /* To the gate after this instruction, which stands alone in its block. */
    qatomic_set(&cpu->neg.icount_decr.u16.high, -1);
}

bool skein_watchpoint_due(CPUState *cpu)
{
    SkeinCPU *c = cpu->skein;

    if (!c->watch_hit) {
        return false;
    }
    c->watch_hit = false;
    cpu->exception_index = EXCP_DEBUG;
    return true;
}

bool skein_budget_spent(CPUState *cpu, TranslationBlock *tb)
{
    SkeinCPU *c = cpu->skein;
    int64_t left = cpu->skein_left;

    if (!c || left >= tb->icount) {
        return false;
    }
    /* The next block ends exactly at the position; at 0 the gate is there already. */
    if (left > 0) {
        cpu->cflags_next_tb = (tb->cflags & ~(CF_COUNT_MASK | CF_SKEIN_LARGE)) | left;
    }
    return true;
}

void skein_syscall(CPUX86State *env, uint32_t type, int insn_len)
{
    SkeinCPU *c = skein_of(env);

    if (c && !c->in_kernel && !skein_replaying) {
        /* Nothing here touches memory: the event can wait for the token, until the gate. */
        skein_entry_capture(c, skein_entry_arg(type, 0), 0, insn_len);
        c->entry_pending = true;
    }
}

/* A SIPI counts only for a vCPU that waits for one. */
static uint32_t effective(CPUX86State *env, uint32_t type, int *vector)
{
    APICCommonState *apic = APIC_COMMON(env_archcpu(env)->apic_state);

    if (type == SKEIN_INTR_SIPI) {
        *vector = apic->sipi_vector;
        if (!apic->wait_for_sipi) {
            return SKEIN_INTR_WAKE;
        }
    }
    return type;
}

static uint32_t entry_type(uint32_t type)
{
    switch (type) {
    case SKEIN_INTR_NMI:
        return SKEIN_ENTRY_NMI;
    case SKEIN_INTR_MCE:
        return SKEIN_ENTRY_MCE;
    case SKEIN_INTR_INIT:
        return SKEIN_ENTRY_INIT;
    default:
        return SKEIN_ENTRY_INTERRUPT;
    }
}

void skein_interrupt(CPUX86State *env, uint32_t type, int vector)
{
    SkeinCPU *c = skein_of(env);

    if (!c || skein_replaying) {
        return;
    }
    g_assert(c->held);
    if (!c->in_kernel) {
        skein_entry_capture(c, skein_entry_arg(entry_type(type), vector), 0, 0);
        skein_entry_append(c);
        return;
    }
    type = effective(env, type, &vector);
    skein_log_interrupt(c, type, vector);
}

void skein_pause(CPUX86State *env)
{
    SkeinCPU *c = skein_of(env);

    if (c && c->in_kernel) {
        c->paused = true;
        skein_chaos_paused(c);
        cpu_loop_exit_noexc(c->cpu);
    }
}

void skein_user_token(SkeinCPU *c, uintptr_t ra)
{
    if (!c->held && !skein_replaying) {
        c->walk = SKEIN_WALK_WANTED;
        cpu_loop_exit_restore(c->cpu, ra);
    }
}

/* Holds the token for a user-mode access, or leaves to wait for it and repeat the instruction. */
void skein_fill_token(SkeinCPU *c)
{
    if (c->held) {
        return;
    }
    if (!skein_token_try(c)) {
        skein_user_token(c, c->fill_ra);
    }
    c->fill_took = true;
}

static bool user_walk(SkeinCPU *c)
{
    return c && !c->in_kernel && !skein_replaying;
}

/* A walk reaches its tables through fills of their own, which it nests: they translate nothing. */
static bool is_nested_fill(int mmu_idx)
{
    return mmu_idx == MMU_PHYS_IDX || mmu_idx == MMU_NESTED_IDX;
}

void skein_walk_begin(CPUX86State *env, MMUAccessType access, int mmu_idx, uintptr_t ra)
{
    SkeinCPU *c = skein_of(env);

    if (user_walk(c) && !is_nested_fill(mmu_idx)) {
        c->fill_ra = ra;
        c->fill_stores = access == MMU_DATA_STORE;
        c->fill_shared = NULL;
        if (!is_mmu_index_user(mmu_idx)) {
            /* A descriptor load: it uses what the kernel's accesses share. */
            c->polluted = true;
        }
    }
}

void skein_walk_end(CPUX86State *env, int mmu_idx)
{
    SkeinCPU *c = skein_of(env);

    if (!user_walk(c) || is_nested_fill(mmu_idx)) {
        return;
    }
    if (c->fill_took) {
        c->fill_took = false;
        skein_token_release(c);
    }
    if (c->fill_shared) {
        /* Pairs with begin_to_cover(): it sees the new entry, or this sees that it began. */
        smp_mb();
        if (!skein_page_shared(c->fill_shared)) {
            tlb_flush_by_mmuidx(c->cpu, SKEIN_USER_IDXMAP);
            skein_user_token(c, c->fill_ra);
        }
    }
}

bool skein_walk_bits_begin(CPUX86State *env, bool fetch)
{
    SkeinCPU *c = skein_of(env);

    if (user_walk(c)) {
        skein_fill_token(c);
    }
    return skein_replaying && c->in_kernel && fetch;
}

void skein_walk_bits_end(CPUX86State *env, void *pte, uint32_t value, bool fetch)
{
    SkeinCPU *c = skein_of(env);
    bool user = user_walk(c);

    if (!skein_replaying && (user || fetch)) {
        uint64_t p[2] = {user ? 0 : skein_icount(c), qemu_ram_addr_from_host(pte)};

        skein_log_bytes(c, SKEIN_MEM, user ? SKEIN_F_USER : 0, sizeof(value), p, sizeof(p), &value,
                        sizeof(value));
    }
}

int skein_fetch_idx(CPUX86State *env, int mmu_idx)
{
    SkeinCPU *c = skein_of(env);

    return c && c->in_kernel ? mmu_idx + SKEIN_FETCH_IDX_OFFSET : mmu_idx;
}
