/*
 * The hypotheses on what is wrong in the log, the likely ones and the cheap ones first.
 */
#include "accel/tcg/skein/finder.h"

/* Events whose place is looked for, nearest to the difference. */
#define SCANS_MAX 8
/* Words of one event whose bits are tried. */
#define WORDS_MAX 136
/* By how much a position may be wrong that no digest stands at. */
#define SHIFT_MAX 64

struct skein_hypothesis skein_guess_word(SkeinCPU *c, const struct skein_suspect *s, size_t word,
                                         uint64_t value, enum skein_finding_way way)
{
    struct skein_hypothesis h = {.shard = c->id,
                                 .tick = s->tick,
                                 .end = s->end,
                                 .way = way,
                                 .recorded = s->record,
                                 .right = skein_finder_copy(s->record)};

    if (word == 0) {
        h.right->arg = value >> 32;
    } else {
        ((uint64_t *)h.right)[word] = value;
    }
    return h;
}

static uint64_t word_of(const struct skein_record *r, size_t word)
{
    return word ? ((const uint64_t *)r)[word] : r->kind | (uint64_t)r->arg << 32;
}

/* What was compared, if it stands in the event as it is: the event alone may be wrong. */
static bool guess_field(SkeinCPU *c, const struct skein_suspect *s,
                        const struct skein_divergence *d)
{
    for (size_t k = 0; k < MIN(s->record->size_bytes / 8, 6); k++) {
        uint64_t value = k ? word_of(s->record, k) : s->record->arg;
        struct skein_hypothesis h;

        if (value != d->expected) {
            continue;
        }
        h = skein_guess_word(c, s, k, k ? d->got : d->got << 32, SKEIN_WAY_FIELD);
        if (!skein_finder_try(&h)) {
            return false;
        }
    }
    return true;
}

static bool has_place(const struct skein_record *r)
{
    return (r->kind == SKEIN_TOKEN && !(r->flags & SKEIN_F_AT_IO)) || r->kind == SKEIN_INTERRUPT;
}

static bool guess_place(SkeinCPU *c, const struct skein_suspect *s)
{
    struct skein_hypothesis h =
        skein_guess_word(c, s, 1, word_of(s->record, 1), SKEIN_WAY_POSITION);

    h.scan = true;
    return skein_finder_try(&h);
}

/* Which word is a position that no digest vouches for; 0: none. */
static size_t position_word(const struct skein_record *r)
{
    switch (r->kind) {
    case SKEIN_MARK:
    case SKEIN_TLB_FLUSH:
    case SKEIN_ENTRY:
        return 1;
    case SKEIN_MEM:
        return r->flags & SKEIN_F_USER ? 0 : 1;
    case SKEIN_TOKEN:
        return r->flags & SKEIN_F_AT_IO ? 2 : 0;
    default:
        return 0;
    }
}

static bool guess_shift(SkeinCPU *c, const struct skein_suspect *s)
{
    size_t k = position_word(s->record);

    for (int64_t by = 1; k && by <= SHIFT_MAX; by = by < 0 ? 1 - by : -by) {
        struct skein_hypothesis h =
            skein_guess_word(c, s, k, word_of(s->record, k) + by, SKEIN_WAY_POSITION);

        if (!skein_finder_try(&h)) {
            return false;
        }
    }
    return true;
}

/* The next event of a vCPU as far as the child came is a slice that nothing precedes: it may follow
 * what was released last. */
static bool guess_edge(const struct skein_trial *t, uint32_t shard, uint64_t cursor, uint64_t tick)
{
    struct skein_shard_reader *reader = skein_finder_reader(shard);
    uint64_t wanted = shard == t->divergence.vcpu ? t->divergence.tick : tick + 1;
    const struct skein_record *r;
    struct skein_token_payload *p;

    while ((r = skein_replay_peek_at(reader, &cursor)) && ++tick < wanted) {
    }
    if (r && r->kind == SKEIN_TOKEN) {
        struct skein_hypothesis h = {.shard = shard,
                                     .tick = tick,
                                     .end = cursor,
                                     .way = SKEIN_WAY_EDGE,
                                     .recorded = r,
                                     .right = skein_finder_copy(r)};

        h.right->arg = t->released_shard;
        p = (void *)(h.right + 1);
        p->edge_tick = t->released_tick;
        return skein_finder_try(&h);
    }
    return true;
}

static bool guess_edges(const struct skein_trial *t)
{
    bool more = true;

    for (uint32_t i = 0; i < skein_vm.cpu_count && more; i++) {
        SkeinCPU *c = &skein_vm.cpus[i];

        more = guess_edge(t, i, c->cursor, c->tick);
    }
    return more &&
           guess_edge(t, skein_vm.device_shard, skein_vm.device_cursor, skein_vm.device_tick);
}

/* May another value of the word be tried? Sizes must stay what they are. */
static bool is_free(const struct skein_record *r, size_t word)
{
    if (word == 0) {
        return r->kind == SKEIN_ENTRY || r->kind == SKEIN_INTERRUPT || r->kind == SKEIN_PAGE_CLEAN;
    }
    if (r->kind == SKEIN_ENTRY) {
        return word != 4; /* mask */
    }
    return r->kind != SKEIN_FPU || word > 2;
}

static bool guess_bits(SkeinCPU *c, const struct skein_suspect *s)
{
    for (size_t k = 0; k < MIN(s->record->size_bytes / 8, WORDS_MAX); k++) {
        for (unsigned bit = k ? 0 : 32; is_free(s->record, k) && bit < 64; bit++) {
            struct skein_hypothesis h =
                skein_guess_word(c, s, k, word_of(s->record, k) ^ 1ull << bit, SKEIN_WAY_TRIED);

            if (!skein_finder_try(&h)) {
                return false;
            }
        }
    }
    return true;
}

/* Nearly all that user mode has in a register is a number or an address; neither looks like this.
 */
static bool is_odd(uint64_t value)
{
    return sextract64(value, 0, 48) != (int64_t)value;
}

/* A bit that makes an address, or a small number, of what is none. */
static bool guess_odd_bit(SkeinCPU *c, const struct skein_suspect *s)
{
    for (size_t k = 1; k < MIN(s->record->size_bytes / 8, WORDS_MAX); k++) {
        uint64_t value = word_of(s->record, k);

        for (unsigned bit = 47; is_free(s->record, k) && is_odd(value) && bit < 64; bit++) {
            uint64_t other = value ^ 1ull << bit;
            struct skein_hypothesis h;

            if (is_odd(other)) {
                continue;
            }
            h = skein_guess_word(c, s, k, other, SKEIN_WAY_TRIED);
            if (!skein_finder_try(&h)) {
                return false;
            }
        }
    }
    return true;
}

static bool guess_bytes(SkeinCPU *c, const struct skein_suspect *s)
{
    for (size_t k = 1; k < MIN(s->record->size_bytes / 8, WORDS_MAX); k++) {
        for (unsigned i = 0; is_free(s->record, k) && i < 8 * 256; i++) {
            struct skein_hypothesis h = skein_guess_word(
                c, s, k, word_of(s->record, k) ^ (uint64_t)(i & 0xff) << i / 256 * 8,
                SKEIN_WAY_TRIED);

            if (ctpop32(i & 0xff) > 1 && !skein_finder_try(&h)) {
                return false;
            }
        }
    }
    return true;
}

/* A page walk sets bits of the entry that is there. */
static bool guess_walk(SkeinCPU *c, const struct skein_suspect *s)
{
    static const uint32_t bits[] = {PG_ACCESSED_MASK, PG_DIRTY_MASK,
                                    PG_ACCESSED_MASK | PG_DIRTY_MASK};
    const uint64_t *payload = (const void *)(s->record + 1);

    if (s->record->kind != SKEIN_MEM || s->record->arg != sizeof(uint32_t) ||
        !skein_pages_cover(payload[1], sizeof(uint32_t))) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
        struct skein_hypothesis h =
            skein_guess_word(c, s, 3, word_of(s->record, 3), SKEIN_WAY_TRIED);

        h.walk = bits[i];
        if (!skein_finder_try(&h)) {
            return false;
        }
    }
    return true;
}

/* Where there was nothing something is now. */
static bool guess_no_byte(SkeinCPU *c, const struct skein_suspect *s)
{
    for (size_t k = 1; k < MIN(s->record->size_bytes / 8, WORDS_MAX); k++) {
        uint64_t value = word_of(s->record, k);

        for (unsigned byte = 0; is_free(s->record, k) && byte < 8; byte++) {
            uint64_t without = value & ~(0xffull << 8 * byte);
            struct skein_hypothesis h;

            if (without == value) {
                continue;
            }
            h = skein_guess_word(c, s, k, without, SKEIN_WAY_TRIED);
            if (!skein_finder_try(&h)) {
                return false;
            }
        }
    }
    return true;
}

static bool is_time(const struct skein_record *r)
{
    return r->kind == SKEIN_VALUE && r->arg == skein_value_arg(SKEIN_VALUE_TSC, 8, 0);
}

/* Time goes on: a bit that puts a time stamp between those around it. */
static bool guess_time(SkeinCPU *c, uint64_t before, const struct skein_suspect *s, uint64_t after)
{
    uint64_t value = word_of(s->record, 1);
    bool odd = value < before || value > after;

    for (unsigned bit = 0; odd && bit < 64; bit++) {
        uint64_t other = value ^ 1ull << bit;
        struct skein_hypothesis h;

        if (other < before || other > after) {
            continue;
        }
        h = skein_guess_word(c, s, 1, other, SKEIN_WAY_TRIED);
        if (!skein_finder_try(&h)) {
            return false;
        }
    }
    return true;
}

static bool guess_times(SkeinCPU *c, const struct skein_suspect *s, size_t count)
{
    const struct skein_suspect *before = NULL, *at = NULL;

    for (size_t i = 0; i < count; i++) {
        if (!is_time(s[i].record)) {
            continue;
        }
        if (before && !guess_time(c, word_of(before->record, 1), at, word_of(s[i].record, 1))) {
            return false;
        }
        before = at;
        at = &s[i];
    }
    return true;
}

static bool for_each(SkeinCPU *c, const struct skein_suspect *s, size_t count,
                     bool (*guess)(SkeinCPU *c, const struct skein_suspect *s))
{
    while (count-- > 0) {
        if (!guess(c, &s[count])) {
            return false;
        }
    }
    return true;
}

static bool guess_vector(SkeinCPU *c, const struct skein_suspect *s)
{
    for (unsigned bit = 40; s->record->kind == SKEIN_INTERRUPT && bit < 48; bit++) {
        struct skein_hypothesis h =
            skein_guess_word(c, s, 0, word_of(s->record, 0) ^ 1ull << bit, SKEIN_WAY_TRIED);

        if (!skein_finder_try(&h)) {
            return false;
        }
    }
    return true;
}

/* The nearest event first, with all that is likely to be wrong of it. */
static bool guess_all(SkeinCPU *c, const struct skein_suspect *s)
{
    return guess_shift(c, s) && guess_no_byte(c, s) && guess_bits(c, s);
}

static bool guess_places(SkeinCPU *c, const struct skein_suspect *s, size_t count)
{
    unsigned tried = 0;

    while (count-- > 0 && tried < SCANS_MAX) {
        if (has_place(s[count].record)) {
            tried++;
            if (!guess_place(c, &s[count])) {
                return false;
            }
        }
    }
    return true;
}

/* Events behind the difference that may have led to it: the next stop, looked ahead for. */
static size_t up_to_next_stop(const struct skein_suspect *s, size_t count, uint64_t wrong)
{
    size_t n = 0;
    uint64_t icount;

    while (n < count && s[n].tick <= wrong) {
        n++;
    }
    while (n < count && !skein_record_is_stop(s[n].record, &icount)) {
        n++;
    }
    return MIN(n + 1, count);
}

/* A digest that is right elsewhere is not the one that is wrong. Where the vCPUs do not meet for a
 * while, a hand-off in a wrong place makes no digest wrong but its own. */
static bool guess_its_place(SkeinCPU *c, const struct skein_suspect *s,
                            const struct skein_divergence *d)
{
    (void)d;
    return !has_place(s->record) || guess_place(c, s);
}

static bool at_difference(SkeinCPU *c, const struct skein_suspect *s, size_t count,
                          const struct skein_divergence *d,
                          bool (*guess)(SkeinCPU *c, const struct skein_suspect *s,
                                        const struct skein_divergence *d))
{
    for (size_t i = 0; i < count; i++) {
        if (s[i].tick + 1 >= d->tick && !guess(c, &s[i], d)) {
            return false;
        }
    }
    return true;
}

void skein_finder_guess(SkeinCPU *c, const struct skein_suspect *s, size_t count,
                        const struct skein_trial *t)
{
    const struct skein_divergence *d = &t->divergence;
    size_t n = up_to_next_stop(s, count, d->tick);

    if (!at_difference(c, s, n, d, guess_its_place) || !at_difference(c, s, n, d, guess_field)) {
        return;
    }
    if (guess_places(c, s, n) && guess_edges(t) && for_each(c, s, n, guess_walk) &&
        for_each(c, s, n, guess_vector) && guess_times(c, s, n) && skein_solve_try(t) &&
        for_each(c, s, n, guess_odd_bit) && for_each(c, s, n, guess_all)) {
        for_each(c, s, n, guess_bytes);
    }
}
