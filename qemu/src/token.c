/*
 * The kernel token: whoever executes in kernel mode, or changes memory that the kernel sees, holds
 * it. Its hand-offs are the only edges between shards.
 *
 * One word says who has it. A waiter spins for about as long as slices last, then sleeps; when it
 * has waited for long it is overdue: the owner is kicked out of its translation blocks to yield,
 * and does not take the token back before the others had it. The owner that finds the token free
 * and was the last to hold it continues its slice: no event, no system call.
 *
 * Where each vCPU has a processor of its own, an owner that leaves for user mode, and was back at
 * once the last time, is expected: others leave the free token alone for RETURN_NS, if they have
 * not waited for STINT_NS. So a busy kernel changes hands some thousand times a second, and not at
 * every system call, after which it would find its memory in another processor's cache.
 */
#include "accel/tcg/skein/state.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>

#include "qemu/timer.h"

#define FREE 0u
#define LENT 0x80000000u
/*
 * By `./dev bench record --workloads dd --vcpus 2`. Slices of a busy kernel last 5 to 10 µs when
 * nobody is expected: who waits for longer than a few of them should sleep, unless he has a
 * processor that nobody else wants: being woken takes longer than a stint.
 */
#define SPIN_NS 40000
#define SPIN_ALONE_NS 300000
#define RETURN_NS 10000
#define STINT_NS 100000
#define OVERDUE_NS 200000
#define PARK_NS 500000
/* Each look of a waiter takes the owner's cache line away: about a microsecond from look to look
 * costs it little, and the waiter less than it waits (`skein bench micro --only getpid`). */
#define PAUSES_PER_LOOK 16
#define LOOKS_PER_CLOCK 2

static struct {
    /* One cache line for what an owner writes each time that it comes and goes. */
    uint32_t word QEMU_ALIGNED(64); /* FREE, or shard + 1, or that | LENT */
    /* Written by the owner before it gives the word up, read by the next one after it took it. */
    uint32_t last_shard;
    int64_t expected_until_ns; /* the last owner; 0: it is not */
    uint64_t last_tick;
    /* Another one for what those who wait write. */
    uint32_t parked QEMU_ALIGNED(64);
    uint32_t waiting;
    uint32_t overdue;
    /* And what stays as it is. */
    int64_t spin_ns QEMU_ALIGNED(64);
    bool uncrowded; /* there are as many processors as vCPUs, or more */
} token = {.last_shard = SKEIN_SHARD_NONE};

static uint32_t processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

void skein_token_reset(void)
{
    token.uncrowded = skein_vm.cpu_count <= processors();
    token.spin_ns = token.uncrowded ? SPIN_ALONE_NS : SPIN_NS;
    token.word = FREE;
    token.last_shard = SKEIN_SHARD_NONE;
    token.last_tick = 0;
}

void skein_token_last(uint32_t *shard, uint64_t *tick)
{
    *shard = token.last_shard;
    *tick = token.last_tick;
}

bool skein_token_wanted(void)
{
    return qatomic_read(&token.waiting) != 0;
}

bool skein_token_overdue(void)
{
    return qatomic_read(&token.overdue) != 0;
}

static void futex_wait(uint32_t *word, uint32_t value)
{
    struct timespec timeout = {.tv_nsec = PARK_NS};

    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &timeout, NULL, 0);
}

static void set_word(uint32_t value)
{
    /* A full barrier: pairs with the increment of `parked` before a sleeper looks at the word. */
    qatomic_xchg(&token.word, value);
    if (qatomic_read(&token.parked)) {
        syscall(SYS_futex, &token.word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    }
}

static void kick_owner(uint32_t word)
{
    uint32_t shard = (word & ~LENT) - 1;

    if (word != FREE && shard < skein_vm.cpu_count) {
        /* Ends the chain of translation blocks; the gate does the rest. */
        qatomic_set(&skein_vm.cpus[shard].cpu->neg.icount_decr.u16.high, -1);
    }
}

/* A hint: the two that it reads may be of different owners. */
static bool another_expected(uint32_t shard)
{
    int64_t until = qatomic_read(&token.expected_until_ns);

    return until && qatomic_read(&token.last_shard) != shard && get_clock() < until;
}

/* Takes a free token, unless this shard had it last and others are due, or another is expected. */
static bool take(uint32_t shard, bool polite, int64_t waited)
{
    if (polite && qatomic_read(&token.last_shard) == shard) {
        return false;
    }
    if (waited < STINT_NS && another_expected(shard)) {
        return false;
    }
    return qatomic_read(&token.word) == FREE &&
           qatomic_cmpxchg(&token.word, FREE, shard + 1) == FREE;
}

static bool take_lent(void)
{
    uint32_t word = qatomic_read(&token.word);

    return (word & LENT) && qatomic_cmpxchg(&token.word, word, word & ~LENT) == word;
}

static void pause_a_while(void)
{
    for (int i = 0; i < PAUSES_PER_LOOK; i++) {
        __builtin_ia32_pause();
    }
}

static void wait_for(uint32_t shard, bool device, bool yielding)
{
    int64_t begin = get_clock(), waited = 0;
    bool overdue = false;

    qatomic_inc(&token.waiting);
    for (unsigned looks = 1;; looks++) {
        bool others = qatomic_read(&token.waiting) > 1;
        bool polite = others && !overdue && (yielding || skein_token_overdue());
        uint32_t word;

        if (take(shard, polite, waited) || (device && take_lent())) {
            break;
        }
        pause_a_while();
        if (looks % LOOKS_PER_CLOCK) {
            continue;
        }
        waited = get_clock() - begin;
        word = qatomic_read(&token.word);
        if (waited > OVERDUE_NS) {
            if (!overdue) {
                overdue = true;
                qatomic_inc(&token.overdue);
            }
            kick_owner(word);
        }
        if (waited > token.spin_ns && word != FREE && !(device && (word & LENT))) {
            qatomic_inc(&token.parked);
            futex_wait(&token.word, word);
            qatomic_dec(&token.parked);
        }
    }
    if (overdue) {
        qatomic_dec(&token.overdue);
    }
    qatomic_dec(&token.waiting);
    skein_vm.session->token_waits++;
    skein_vm.session->token_wait_ns += get_clock() - begin;
}

static void begin_slice(SkeinCPU *c)
{
    c->held = true;
    if (token.last_shard != c->id) {
        skein_log_slice(c, token.last_shard, token.last_tick);
        qatomic_set(&token.last_shard, c->id);
    }
}

static void note_return(SkeinCPU *c)
{
    if (c->left_ns) {
        c->returns_soon = get_clock() - c->left_ns < RETURN_NS;
        c->left_ns = 0;
    }
}

static bool acquire(SkeinCPU *c, bool yielding)
{
    bool running = c->cpu->running;

    note_return(c);
    if (!yielding && !skein_token_overdue() && take(c->id, false, 0)) {
        begin_slice(c);
        return false;
    }
    if (running) {
        cpu_exec_end(c->cpu);
    }
    wait_for(c->id, false, yielding);
    begin_slice(c);
    if (running) {
        cpu_exec_start(c->cpu);
    }
    return true;
}

bool skein_token_acquire(SkeinCPU *c)
{
    return c->held ? false : acquire(c, false);
}

bool skein_token_try(SkeinCPU *c)
{
    if (!c->held) {
        if (skein_token_overdue() || !take(c->id, false, 0)) {
            return false;
        }
        begin_slice(c);
    }
    return true;
}

static void give_up(SkeinCPU *c, uint32_t word)
{
    skein_log_run_close(c);
    skein_shard_publish(&c->writer);
    token.last_tick = c->writer.tick;
    set_word(word);
}

void skein_token_release(SkeinCPU *c)
{
    g_assert(c->held);
    c->held = false;
    qatomic_set(&token.expected_until_ns, 0);
    give_up(c, FREE);
}

void skein_token_release_to_user(SkeinCPU *c)
{
    int64_t until = 0;

    g_assert(c->held);
    c->held = false;
    if (token.uncrowded && skein_vm.cpu_count > 1) {
        c->left_ns = get_clock();
        /* Sleepers are woken only by a token that they may take. */
        until = c->returns_soon && !qatomic_read(&token.parked) ? c->left_ns + RETURN_NS : 0;
    }
    qatomic_set(&token.expected_until_ns, until);
    give_up(c, FREE);
}

bool skein_token_yield(SkeinCPU *c)
{
    skein_token_release(c);
    return acquire(c, true);
}

/* A lent token still belongs to its vCPU, which stands still: only a device thread may use it. */
void skein_token_lend(SkeinCPU *c)
{
    give_up(c, (c->id + 1) | LENT);
}

void skein_token_unlend(SkeinCPU *c)
{
    uint32_t lent = (c->id + 1) | LENT;

    /* Device threads use it under the big QEMU lock, which this thread has: it is back. */
    while (qatomic_cmpxchg(&token.word, lent, c->id + 1) != lent) {
        __builtin_ia32_pause();
    }
    begin_slice(c);
    if (c->in_kernel) {
        skein_pages_sync(c); /* an ignored device may have had it */
    }
}

/* Whose token the device threads have: 0 when it was free. */
static uint32_t borrowed_from;

void skein_token_device_acquire(void)
{
    uint32_t device = skein_vm.device_shard;
    struct skein_token_payload p;

    wait_for(device, true, false);
    borrowed_from = qatomic_read(&token.word) == device + 1 ? 0 : qatomic_read(&token.word);
    if (token.last_shard != device && !skein_vm.lost) {
        p = (struct skein_token_payload){.edge_tick = token.last_tick};
        skein_shard_append(&skein_vm.device_writer, SKEIN_TOKEN, 0, token.last_shard, &p,
                           sizeof(p));
        skein_vm.session->slices++;
        skein_vm.session->edges++;
        qatomic_set(&token.last_shard, device);
    }
}

void skein_token_device_release(void)
{
    skein_shard_publish(&skein_vm.device_writer);
    token.last_tick = skein_vm.device_writer.tick;
    set_word(borrowed_from ? borrowed_from | LENT : FREE);
}
