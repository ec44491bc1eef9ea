/*
 * gdb's breakpoints and watchpoints. They change nothing of the replay: a watched access is seen
 * on its way, never undone and done again, since what it has read from the log is used up; the TLB
 * keeps its entries, since it is part of what is replayed.
 */
#include "accel/tcg/skein/replay_debug.h"

#include "exec/breakpoint.h"
#include "exec/cputlb.h"
#include "exec/target_page.h"

/* Only the last ones matter. */
#define MAX_NOTED 65536u

static struct {
    enum skein_points mode;
    bool watched;
    struct skein_hit watch; /* STOP: the first one */
    GArray *noted;          /* NOTE: struct skein_hit, in order */
} points;

static bool on_page(const CPUWatchpoint *wp, vaddr page)
{
    return page <= wp->vaddr + wp->len - 1 && page + TARGET_PAGE_SIZE - 1 >= wp->vaddr;
}

static int watched_on(CPUState *cpu, vaddr page)
{
    CPUWatchpoint *wp;
    int flags = 0;

    QTAILQ_FOREACH(wp, &cpu->watchpoints, entry)
    {
        if ((wp->flags & BP_GDB) && on_page(wp, page)) {
            flags |= wp->flags;
        }
    }
    return flags;
}

static void flag_entry(CPUState *cpu, CPUTLBEntry *te, CPUTLBEntryFull *full)
{
    int flags;

    if (te->addr_read == -1 && te->addr_write == -1) {
        return;
    }
    flags =
        watched_on(cpu, (te->addr_read == -1 ? te->addr_write : te->addr_read) & TARGET_PAGE_MASK);
    if ((flags & BP_MEM_READ) && te->addr_read != -1) {
        te->addr_read |= TLB_FORCE_SLOW;
        full->slow_flags[MMU_DATA_LOAD] |= TLB_WATCHPOINT;
    }
    if ((flags & BP_MEM_WRITE) && te->addr_write != -1) {
        te->addr_write |= TLB_FORCE_SLOW;
        full->slow_flags[MMU_DATA_STORE] |= TLB_WATCHPOINT;
    }
}

/* Entries made from now on are flagged when they are made. A flag too many costs time only. */
static void flag_tlb(CPUState *cpu)
{
    CPUTLB *tlb = &cpu->neg.tlb;

    for (int idx = 0; idx < NB_MMU_MODES; idx++) {
        size_t n = tlb->f[idx].mask / sizeof(CPUTLBEntry) + 1;

        for (size_t i = 0; i < n; i++) {
            flag_entry(cpu, &tlb->f[idx].table[i], &tlb->d[idx].fulltlb[i]);
        }
        for (size_t i = 0; i < CPU_VTLB_SIZE; i++) {
            flag_entry(cpu, &tlb->d[idx].vtable[i], &tlb->d[idx].vfulltlb[i]);
        }
    }
}

void skein_points_begin(enum skein_points mode)
{
    points.mode = mode;
    points.watched = false;
    if (!points.noted) {
        points.noted = g_array_new(false, false, sizeof(struct skein_hit));
    }
    g_array_set_size(points.noted, 0);
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        CPUState *cpu = skein_vm.cpus[i].cpu;

        if (mode != SKEIN_POINTS_OFF && !QTAILQ_EMPTY(&cpu->watchpoints)) {
            flag_tlb(cpu);
        }
    }
}

const struct skein_hit *skein_points_watched(void)
{
    return points.watched ? &points.watch : NULL;
}

static void note(const struct skein_hit *hit)
{
    if (points.noted->len == MAX_NOTED) {
        g_array_remove_range(points.noted, 0, MAX_NOTED / 2);
    }
    g_array_append_val(points.noted, *hit);
}

bool skein_points_last(uint64_t position, struct skein_hit *hit)
{
    for (unsigned i = points.noted->len; i > 0; i--) {
        *hit = g_array_index(points.noted, struct skein_hit, i - 1);
        if (hit->at < position) {
            return true;
        }
    }
    return false;
}

bool skein_points_break(SkeinCPU *c)
{
    if (points.mode == SKEIN_POINTS_NOTE) {
        note(&(struct skein_hit){.at = skein_replay_icount(), .c = c});
    }
    return points.mode == SKEIN_POINTS_STOP;
}

/* The position of the access under way. ra: as for cpu_restore_state(). */
static uint64_t position_of(SkeinCPU *c, uintptr_t ra)
{
    CPUX86State *env = skein_env(c);
    int64_t left = c->cpu->skein_left;
    target_ulong eip = env->eip;
    uint32_t cc_op = env->cc_op;
    uint64_t position;

    if (ra && cpu_restore_state(c->cpu, ra)) {
        /* The block goes on with what it knows; this only asked. */
        position = skein_replay_icount();
        env->eip = eip;
        env->cc_op = cc_op;
        c->cpu->skein_left = left;
        return position;
    }
    /* By no instruction: an interrupt or exception is delivered, after the one before. */
    position = skein_replay_icount();
    return position ? position - 1 : 0;
}

void skein_watch(CPUState *cpu, const CPUWatchpoint *wp, uintptr_t ra)
{
    SkeinCPU *c = cpu->skein;
    struct skein_hit hit;

    if (points.mode == SKEIN_POINTS_OFF || points.watched) {
        return;
    }
    hit = (struct skein_hit){position_of(c, ra), c, wp->vaddr, wp->flags & BP_MEM_ACCESS};
    if (points.mode == SKEIN_POINTS_NOTE) {
        note(&hit);
        return;
    }
    points.watch = hit;
    points.watched = true;
    skein_debug_leave(c);
}

void skein_points_report(const struct skein_hit *hit)
{
    CPUState *cpu = hit->c->cpu;
    CPUWatchpoint *wp;

    QTAILQ_FOREACH(wp, &cpu->watchpoints, entry)
    {
        if ((wp->flags & BP_GDB) && wp->vaddr == hit->watched &&
            (wp->flags & BP_MEM_ACCESS) == hit->flags) {
            cpu->watchpoint_hit = wp;
            return;
        }
    }
}
