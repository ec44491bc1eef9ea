#include "bench/synth/events.h"

#include <stdbool.h>

#include "pipeline/event.h"

#define USER_READ_MAX 512u
#define DMA_BYTES 4096u
#define KERNEL_IP 0xffffffff81000000ull
#define LAPIC_TIMER 0xecu

struct record {
    struct skein_record header;
    uint64_t words[(SKEIN_RECORD_MAX_BYTES - sizeof(struct skein_record)) / 8];
};

/* xorshift64*: the same on every machine. */
static uint64_t next_random(struct skein_synth_machine *m) {
    m->random ^= m->random >> 12;
    m->random ^= m->random << 25;
    m->random ^= m->random >> 27;
    return m->random * 0x2545f4914f6cdd1dull;
}

static uint64_t below(struct skein_synth_machine *m, uint64_t bound) {
    return (next_random(m) >> 32) * bound >> 32;
}

static bool percent(struct skein_synth_machine *m, uint64_t chance) {
    return below(m, 100) < chance;
}

/* Small ones are frequent, as run lengths are. */
static uint64_t skewed(struct skein_synth_machine *m, uint64_t bound) {
    return 1 + below(m, 1 + below(m, bound));
}

void skein_synth_machine_init(struct skein_synth_machine *m, struct skein_log_writer *log,
                              uint32_t vcpu_count, uint64_t seed) {
    *m = (struct skein_synth_machine){
        .log = log,
        .vcpu_count = vcpu_count,
        .holder = SKEIN_SHARD_NONE,
        .random = seed * 2 + 1,
        .tsc = 1000000,
    };
    for (uint32_t i = 0; i <= vcpu_count; i++) {
        m->shard[i].user_ip = 0x401000;
        m->shard[i].user_sp = 0x7ffc4bafa000 + 0x10000ull * i;
        m->shard[i].digest = next_random(m);
    }
}

static void put(struct skein_synth_machine *m, uint32_t shard, struct record *r, uint8_t kind,
                uint32_t arg, size_t words) {
    if (m->rc != 0) {
        return;
    }
    r->header.size_bytes = (uint16_t)(sizeof(r->header) + 8 * words);
    r->header.kind = kind;
    r->header.arg = arg;
    m->rc = skein_log_writer_add(m->log, shard, &r->header, &m->err);
    m->events++;
    m->shard[shard].tick++;
}

/* Kernel code runs: the icount goes on, and so do time and the digest. */
static struct skein_synth_vcpu *run(struct skein_synth_machine *m, uint32_t shard, uint64_t most) {
    struct skein_synth_vcpu *v = &m->shard[shard];
    const uint64_t n = skewed(m, most);

    v->icount += n;
    v->digest = (v->digest ^ n) * 0x9e3779b97f4a7c15ull;
    m->tsc += n * 3 + below(m, 4096);
    return v;
}

static void put_token(struct skein_synth_machine *m, uint32_t shard) {
    const struct skein_synth_vcpu *v = &m->shard[shard];
    const uint64_t edge = m->holder != SKEIN_SHARD_NONE ? m->shard[m->holder].tick : 0;
    struct record r = {.words = {edge, v->icount, v->digest}};

    put(m, shard, &r, SKEIN_TOKEN, m->holder, 3);
    m->holder = shard;
}

static void put_tsc(struct skein_synth_machine *m, uint32_t shard) {
    run(m, shard, 400);
    struct record r = {.words = {m->tsc}};

    put(m, shard, &r, SKEIN_VALUE, skein_value_arg(SKEIN_VALUE_TSC, 8, 0), 1);
}

/* A driver that polls a device's register, or a clock. */
static void poll(struct skein_synth_machine *m, uint32_t shard) {
    const bool clock = percent(m, 60);

    for (uint64_t n = skewed(m, 30); n != 0; n--) {
        if (clock) {
            put_tsc(m, shard);
            continue;
        }
        run(m, shard, 60);
        struct record r = {.words = {percent(m, 90) ? 0x60 : below(m, 256)}};
        put(m, shard, &r, SKEIN_VALUE, skein_value_arg(SKEIN_VALUE_PORT, 1, 0x3fd), 1);
    }
}

/* The user state that differs: always RIP; RSP and some registers often; RAX with the number. */
static void enter(struct skein_synth_machine *m, uint32_t shard, uint32_t type, uint32_t vector,
                  uint64_t rax, uint64_t cr2) {
    struct skein_synth_vcpu *v = &m->shard[shard];
    uint64_t mask = 1ull << SKEIN_SLOT_RIP | 1;
    struct record r = {.words = {v->icount, cr2 != 0 ? 6 : 0}};
    size_t n = 4;

    v->user_ip += 4 * below(m, 1000) - 2000;
    for (int i = 1; i < 16; i++) {
        mask |= percent(m, 25) ? 1ull << i : 0;
    }
    mask |= cr2 != 0 ? 1ull << SKEIN_SLOT_CR2 : 0;
    for (uint64_t left = mask; left != 0; left &= left - 1) {
        const int slot = __builtin_ctzll(left);
        r.words[n++] = slot == 0                ? rax
                       : slot == SKEIN_SLOT_RIP ? v->user_ip
                       : slot == SKEIN_SLOT_CR2 ? cr2
                       : percent(m, 50)         ? below(m, 256)
                                                : v->user_sp + 8 * below(m, 64);
    }
    r.words[2] = type == SKEIN_ENTRY_SYSCALL ? 2 : 0;
    r.words[3] = mask;
    put(m, shard, &r, SKEIN_ENTRY, skein_entry_arg(type, vector), n);
}

static void leave(struct skein_synth_machine *m, uint32_t shard) {
    struct skein_synth_vcpu *v = run(m, shard, 300);
    struct record r = {.words = {v->icount, v->digest}};

    if (percent(m, 1)) {
        put(m, shard, &r, SKEIN_DIGEST, 0, 2);
    }
    put(m, shard, &r, SKEIN_MARK, 0, 1);
    m->tsc += skewed(m, 200000);
}

static void put_user_read(struct skein_synth_machine *m, uint32_t shard) {
    const uint64_t bytes = percent(m, 80) ? 8 : skewed(m, USER_READ_MAX);
    struct record r = {.words = {m->shard[shard].user_sp + 8 * below(m, 512)}};

    for (size_t i = 0; i < (bytes + 7) / 8; i++) {
        r.words[1 + i] = percent(m, 40) ? 0x6f20656874206e69 : below(m, 1 << 16);
    }
    if (bytes % 8 != 0) {
        r.words[1 + bytes / 8] &= (1ull << 8 * (bytes % 8)) - 1;
    }
    put(m, shard, &r, SKEIN_USER_READ, (uint32_t)bytes, 1 + (bytes + 7) / 8);
}

static void put_fpu(struct skein_synth_machine *m, uint32_t shard) {
    const bool changed = percent(m, 20);
    struct record r = {.words = {changed ? 0x3 : 0, 0, 0x37f, below(m, 1000)}};

    put(m, shard, &r, SKEIN_FPU, changed ? 2 : 0, changed ? 4 : 2);
}

static void system_call(struct skein_synth_machine *m, uint32_t shard) {
    /* read write close mmap futex openat ppoll nanosleep getpid sched_yield … of x86-64 */
    static const uint16_t numbers[] = {0, 0, 0, 1, 1, 3, 9, 202, 202, 202, 257, 271, 35, 39, 24};
    const uint16_t number = numbers[below(m, sizeof(numbers) / sizeof(numbers[0]))];

    enter(m, shard, SKEIN_ENTRY_SYSCALL, 0, number, 0);
    for (uint64_t n = below(m, 3); n != 0; n--) {
        run(m, shard, 500);
        put_user_read(m, shard);
    }
    if (number == 202 || number == 35) {
        put_tsc(m, shard);
        put_fpu(m, shard);
    }
    run(m, shard, 5000);
    leave(m, shard);
}

static void page_fault(struct skein_synth_machine *m, uint32_t shard) {
    const uint64_t page = below(m, 1 << 16) << 12;
    struct record dirty = {.header = {.flags = SKEIN_F_USER}, .words = {page}};
    struct record clean = {.words = {page}};

    enter(m, shard, SKEIN_ENTRY_EXCEPTION, 14, 0, 0x7f2a95000000 + page);
    run(m, shard, 4000);
    put(m, shard, &clean, SKEIN_PAGE_CLEAN, 1, 1);
    leave(m, shard);
    put(m, shard, &dirty, SKEIN_PAGE_DIRTY, 0, 1);
}

static void interrupt(struct skein_synth_machine *m, uint32_t shard) {
    const struct skein_synth_vcpu *v = run(m, shard, 2000);
    struct record r = {.words = {v->icount, v->digest}};
    const uint32_t vector = percent(m, 90) ? LAPIC_TIMER : 0x20 + (uint32_t)below(m, 16);

    put(m, shard, &r, SKEIN_INTERRUPT, skein_intr_arg(SKEIN_INTR_HARD, vector), 2);
    put_tsc(m, shard);
    run(m, shard, 3000);
    leave(m, shard);
}

static void dma(struct skein_synth_machine *m) {
    struct record r = {.words = {0, below(m, 1 << 16) << 12}};

    for (size_t i = 0; i < DMA_BYTES / 8; i++) {
        r.words[2 + i] = i % 8 < 5 ? 0x0a0d2d2d3d3d2020 : below(m, 1 << 20);
    }
    put(m, m->vcpu_count, &r, SKEIN_MEM, DMA_BYTES, 2 + DMA_BYTES / 8);
}

void skein_synth_slice(struct skein_synth_machine *m) {
    uint32_t shard = (uint32_t)below(m, m->vcpu_count);

    if (below(m, 2000) == 0) {
        shard = m->vcpu_count;
    }
    if (shard != m->holder) {
        put_token(m, shard);
    }
    if (shard == m->vcpu_count) {
        dma(m);
        return;
    }
    for (uint64_t n = skewed(m, 6); n != 0; n--) {
        const uint64_t what = below(m, 100);
        if (what < 50) {
            poll(m, shard);
        } else if (what < 88) {
            system_call(m, shard);
        } else if (what < 95) {
            interrupt(m, shard);
        } else {
            page_fault(m, shard);
        }
    }
}

void skein_synth_end(struct skein_synth_machine *m) {
    for (uint32_t shard = 0; shard <= m->vcpu_count; shard++) {
        struct record r = {.words = {m->shard[shard].icount, m->shard[shard].digest}};
        put(m, shard, &r, SKEIN_END, SKEIN_END_SHUTDOWN, 5);
    }
}

uint64_t skein_synth_icount(const struct skein_synth_machine *m) {
    uint64_t sum = 0;

    for (uint32_t shard = 0; shard < m->vcpu_count; shard++) {
        sum += m->shard[shard].icount;
    }
    return sum;
}
