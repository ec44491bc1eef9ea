/*
 * Chaos: seeded perturbation of what decides a race.
 *
 * Kernel code runs under the token, so two vCPUs in the kernel race at its hand-offs only, and
 * undisturbed these are few: system calls, PAUSE, long waits. Chaos adds some between any two
 * instructions: the instruction budget ends there (cpu->skein_left, which recording does not need
 * otherwise), and the vCPU gives way, for a hand-off or until the others have done some slices or
 * some time has passed. Besides, interrupts in kernel mode are left pending for some instructions,
 * and entries from user mode wait.
 *
 * How often and for how long is drawn anew for every stretch of a vCPU's kernel instructions: some
 * races need a hand-off every few hundred instructions, others a vCPU that stands still while the
 * others do much. What a vCPU draws depends on the seed and on its own past alone. What comes of it
 * depends on the host's timing too: a seed gives a distribution of executions, not one of them.
 *
 * Liveness: every wait has a bound in time, and together they take no more than a share of it; a
 * vCPU that spins (PAUSE) or stops the machine ends the waits of the others; somebody always runs.
 */
#include "accel/tcg/skein/chaos.h"

#include "accel/tcg/internal-common.h"
#include "qemu/timer.h"

/* Instructions until the next look, with nobody to give way to. */
#define ALONE_GAP 2048
/* Short waits spin, longer ones look so often. */
#define SPIN_NS 20000
#define NAP_NS 20000
/* With nobody left to give way to. */
#define ALONE_NS 100000
/* An interrupt is not held back for longer than this, whatever was drawn. */
#define DELAY_MAX_NS 500000
/* Waiting takes this part of the time at most: one in ... */
#define WAIT_SHARE 2

struct SkeinChaos {
    uint64_t random;
    /* This stretch: its end, and powers of two of what is drawn in it. */
    uint64_t stretch_end; /* icount */
    unsigned gap_bits;    /* instructions between two hand-offs */
    unsigned turn_bits;   /* turns in the kernel that the others get meanwhile */
    unsigned wait_bits;   /* nanoseconds for them */
    unsigned enter_bits;  /* entries for each one that waits */

    int64_t begin_ns;
    int64_t waited_ns;

    bool irq_seen;   /* it was drawn how long the pending interrupt waits */
    uint64_t irq_at; /* icount */
    int64_t irq_ns;
};

static struct {
    uint32_t waiting; /* vCPUs that give way now */
    uint32_t pauses;  /* executed in kernel mode, by anyone */
} all;

/* splitmix64 */
static uint64_t draw(struct SkeinChaos *x)
{
    uint64_t z = x->random += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* low <= the number < high */
static uint64_t between(struct SkeinChaos *x, uint64_t low, uint64_t high)
{
    return low + draw(x) % (high - low);
}

/* From 1 to 2 to the power of bits, each power as likely as the next. */
static uint64_t scaled(struct SkeinChaos *x, unsigned bits)
{
    uint64_t top = 1ull << between(x, 0, bits + 1);

    return between(x, (top + 1) / 2, top + 1);
}

static void draw_stretch(SkeinCPU *c)
{
    struct SkeinChaos *x = c->chaos;

    x->gap_bits = between(x, 6, 16);
    x->stretch_end = skein_icount(c) + (scaled(x, 10) << x->gap_bits);
    x->turn_bits = between(x, 0, 9);
    x->wait_bits = between(x, 14, 22);
    x->enter_bits = between(x, 2, 12);
}

static void set_distance(SkeinCPU *c, int64_t instructions)
{
    c->limit += instructions - c->cpu->skein_left;
    c->cpu->skein_left = instructions;
}

static void next_gap(SkeinCPU *c)
{
    if (skein_icount(c) >= c->chaos->stretch_end) {
        draw_stretch(c);
    }
    set_distance(c, between(c->chaos, 1, 2ull << c->chaos->gap_bits));
}

void skein_chaos_begin(uint64_t seed)
{
    if (!seed) {
        return;
    }
    memset(&all, 0, sizeof(all));
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        SkeinCPU *c = &skein_vm.cpus[i];

        c->chaos = g_new0(struct SkeinChaos, 1);
        c->chaos->random = skein_mix(seed, i + 1);
        c->chaos->begin_ns = get_clock();
        draw_stretch(c);
        next_gap(c);
    }
}

void skein_chaos_end(void)
{
    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        g_free(skein_vm.cpus[i].chaos);
        skein_vm.cpus[i].chaos = NULL;
    }
}

static uint32_t others_awake(const SkeinCPU *c)
{
    uint32_t awake = 0;

    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        awake += i != c->id && !qatomic_read(&skein_vm.cpus[i].cpu->halted);
    }
    return awake;
}

bool skein_chaos_budget_due(SkeinCPU *c)
{
    if (c->cpu->skein_left > 0) {
        return false;
    }
    next_gap(c);
    if (others_awake(c) > 0) {
        return true;
    }
    set_distance(c, c->cpu->skein_left + ALONE_GAP);
    return false;
}

static bool must_stop(const SkeinCPU *c)
{
    return qatomic_read(&c->cpu->exit_request) || c->cpu->stop;
}

/* A vCPU that has the kernel for itself goes on with its slice: what it leaves counts, too. */
static uint64_t turns_of_others(const SkeinCPU *c)
{
    uint64_t turns = qatomic_read(&skein_vm.session->slices);

    for (uint32_t i = 0; i < skein_vm.cpu_count; i++) {
        turns += i == c->id ? 0 : qatomic_read(&skein_vm.cpus[i].exits);
    }
    return turns;
}

/* Until the others have had so many turns in the kernel. */
static void wait_for_turns(SkeinCPU *c, uint64_t turns, int64_t limit_ns)
{
    const struct timespec nap = {.tv_nsec = NAP_NS};
    uint64_t until = turns_of_others(c) + turns;
    uint32_t pauses = qatomic_read(&all.pauses), patience = scaled(c->chaos, 6);
    int64_t begin = get_clock(), waited;

    while ((waited = get_clock() - begin) < limit_ns) {
        if (turns_of_others(c) >= until || must_stop(c) ||
            qatomic_read(&all.pauses) - pauses >= patience ||
            (waited > ALONE_NS && others_awake(c) < qatomic_read(&all.waiting))) {
            break;
        }
        if (waited < SPIN_NS) {
            __builtin_ia32_pause();
        } else {
            nanosleep(&nap, NULL);
        }
    }
    c->chaos->waited_ns += get_clock() - begin;
}

static bool may_wait(SkeinCPU *c)
{
    struct SkeinChaos *x = c->chaos;

    return x->waited_ns * WAIT_SHARE <= get_clock() - x->begin_ns;
}

/* The vCPU holds no token. It counts as not running meanwhile, as when it waits for the token. */
static void stand_aside(SkeinCPU *c)
{
    struct SkeinChaos *x = c->chaos;
    uint64_t turns = scaled(x, x->turn_bits), ns = 8192 + scaled(x, x->wait_bits);
    bool running = c->cpu->running;

    if (!may_wait(c)) {
        return;
    }
    if (running) {
        cpu_exec_end(c->cpu);
    }
    if (qatomic_fetch_inc(&all.waiting) < others_awake(c)) {
        wait_for_turns(c, turns, ns);
    }
    qatomic_dec(&all.waiting);
    if (running) {
        cpu_exec_start(c->cpu);
    }
}

void skein_chaos_count_pause(void)
{
    qatomic_inc(&all.pauses);
}

void skein_chaos_give_way(SkeinCPU *c)
{
    if (between(c->chaos, 0, 4) == 0) {
        skein_token_yield(c);
        return;
    }
    skein_token_release(c);
    stand_aside(c);
    skein_token_acquire(c);
}

void skein_chaos_wait_to_enter(SkeinCPU *c)
{
    if (draw(c->chaos) >> (64 - c->chaos->enter_bits) == 0) {
        stand_aside(c);
    }
}

static bool is_pending(SkeinCPU *c)
{
    uint32_t asked = qatomic_read(&c->cpu->interrupt_request);

    return asked && !(asked & ~(CPU_INTERRUPT_HARD | CPU_INTERRUPT_POLL)) &&
           (skein_env(c)->eflags & IF_MASK);
}

static void draw_delay(SkeinCPU *c)
{
    struct SkeinChaos *x = c->chaos;

    x->irq_seen = true;
    x->irq_at = skein_icount(c) + (draw(x) % 2 ? scaled(x, 14) : 0);
    x->irq_ns = get_clock() + DELAY_MAX_NS;
}

bool skein_chaos_delay(SkeinCPU *c)
{
    struct SkeinChaos *x = c->chaos;
    CPUState *cpu = c->cpu;

    if (!is_pending(c)) {
        x->irq_seen = false;
        return false;
    }
    if (!x->irq_seen) {
        draw_delay(c);
    }
    if (skein_icount(c) >= x->irq_at || get_clock() >= x->irq_ns || must_stop(c) || c->watch_hit) {
        return false;
    }
    /* The next block does not look at interrupts; whatever comes after it leaves to the gate. */
    cpu->cflags_next_tb =
        (cpu->cflags_next_tb == (uint32_t)-1 ? curr_cflags(cpu) : cpu->cflags_next_tb) | CF_NOIRQ;
    qatomic_set(&cpu->neg.icount_decr.u16.high, -1);
    return true;
}
