/*
 * What the digests say about an event's content, without executing anything.
 *
 * All words that come into the kernel are chained, and a link of the chain can be undone: when the
 * value of the whole chain at a digest is known, each word has exactly one value under which the
 * others are right as they are. For all words but the wrong one it is noise, since 64 bits of
 * digest stand behind it; for the wrong one it is near what was recorded. This holds where the
 * registers that are in the digest do not depend on the word, and where the word itself is one of
 * them.
 */
#include "accel/tcg/skein/finder.h"

#define CANDIDATES_MAX 64u
#define DEPTH_MAX 3u
/* A register that is this close to a recorded word came from it. */
#define NEAR 64
/* Smaller numbers are everywhere. */
#define SMALL 4096

struct word {
    uint64_t value;
    uint64_t origin; /* what of it is found in registers: the value, or what it is added to */
    uint64_t before; /* the chain in front of it */
    uint32_t suspect;
    uint32_t index; /* in its event; 0: the header */
};

struct candidate {
    unsigned cost;
    size_t word;
    uint64_t value;
};

static struct {
    SkeinCPU *c;
    const struct skein_suspect *s;
    uint64_t digest; /* at the bracket's start */
    uint64_t first;  /* tick there */
    GArray *words;
    struct candidate candidates[CANDIDATES_MAX];
    size_t candidate_count;
} solve;

static uint64_t unmix(uint64_t out)
{
    uint64_t inverse = 1, x = out;

    for (int i = 0; i < 6; i++) {
        inverse *= 2 - 0x9e3779b97f4a7c15ull * inverse;
    }
    x = out ^ x >> 29;
    x = out ^ x >> 29;
    return x * inverse;
}

static struct word *word_at(size_t i)
{
    return &g_array_index(solve.words, struct word, i);
}

static bool is_input(const struct skein_record *r)
{
    return r->kind != SKEIN_TOKEN && r->kind != SKEIN_DIGEST && r->kind != SKEIN_MARK &&
           r->kind != SKEIN_END;
}

/*
 * SYSCALL leaves the address behind it in RCX: next_ip of its ENTRY is a length, which is added to
 * where user mode was.
 */
static uint64_t origin_of(const struct skein_record *r, uint32_t k, uint64_t value)
{
    const struct skein_entry_payload *e = (const void *)(r + 1);
    const uint64_t rip = 1ull << SKEIN_SLOT_RIP;

    if (r->kind == SKEIN_ENTRY && (r->arg & 0xff) == SKEIN_ENTRY_SYSCALL &&
        k == 1 + offsetof(struct skein_entry_payload, next_ip) / 8 && (e->mask & rip)) {
        return value + e->slot[ctpop64(e->mask & (rip - 1))];
    }
    return value;
}

void skein_solve_begin(SkeinCPU *c, const struct skein_suspect *s, size_t count)
{
    uint64_t chain = c->inputs;

    solve.c = c;
    solve.s = s;
    solve.digest = c->digest;
    solve.first = c->tick;
    solve.words = g_array_new(false, false, sizeof(struct word));
    for (size_t i = 0; i < count; i++) {
        const struct skein_record *r = s[i].record;
        const uint64_t *payload = (const void *)r;

        for (uint32_t k = 0; is_input(r) && k < r->size_bytes / 8; k++) {
            struct word w = {.value = k ? payload[k] : r->kind | (uint64_t)r->arg << 32,
                             .before = chain,
                             .origin = origin_of(r, k, k ? payload[k] : 0),
                             .suspect = i,
                             .index = k};

            g_array_append_val(solve.words, w);
            chain = skein_mix(chain, w.value);
        }
    }
}

/* Words of events consumed up to that tick. */
static size_t words_until(uint64_t tick)
{
    size_t n = solve.words->len;

    while (n > 0 && solve.s[word_at(n - 1)->suspect].tick > tick) {
        n--;
    }
    return n;
}

/* The chain of inputs with which the digest would have been right. */
static uint64_t wanted_inputs(const struct skein_trial *t)
{
    uint64_t h = t->divergence.expected;

    for (uint32_t i = t->value_count; i-- > 0;) {
        h = unmix(h) ^ t->values[i];
    }
    return unmix(h) ^ t->digest;
}

/* Within any 4 bytes, or few bits: what an accident does, and noise does not. */
static bool is_near(uint64_t a, uint64_t b, unsigned *cost)
{
    uint64_t diff = a ^ b;

    *cost = ctpop64(diff);
    return diff && (diff >> (ctz64(diff) & ~7) <= UINT32_MAX || *cost <= 8);
}

static int by_cost(const void *a, const void *b)
{
    return (int)((const struct candidate *)a)->cost - (int)((const struct candidate *)b)->cost;
}

static void add_candidate(size_t word, uint64_t value, unsigned cost)
{
    if (solve.candidate_count < CANDIDATES_MAX) {
        solve.candidates[solve.candidate_count++] = (struct candidate){cost, word, value};
    }
}

static bool try_candidates(void)
{
    bool more = true;

    qsort(solve.candidates, solve.candidate_count, sizeof(solve.candidates[0]), by_cost);
    for (size_t i = 0; i < solve.candidate_count && more; i++) {
        const struct word *w = word_at(solve.candidates[i].word);
        struct skein_hypothesis h = skein_guess_word(solve.c, &solve.s[w->suspect], w->index,
                                                     solve.candidates[i].value, SKEIN_WAY_SOLVED);

        more = skein_finder_try(&h);
    }
    solve.candidate_count = 0;
    return more;
}

/* Words that reach the digest by the chain of inputs alone. */
static void solve_inputs(const struct skein_trial *t)
{
    uint64_t after = wanted_inputs(t);

    for (size_t n = words_until(t->tick); n-- > 0;) {
        const struct word *w = word_at(n);
        uint64_t value = unmix(after) ^ w->before;
        unsigned cost;

        if (is_near(value, w->value, &cost)) {
            add_candidate(n, value, cost);
        }
        after = unmix(after) ^ w->value;
    }
}

/* The slot of user state that a word of an ENTRY fills; -1: none. */
static int slot_of(const struct word *w)
{
    const struct skein_record *r = solve.s[w->suspect].record;
    const struct skein_entry_payload *e = (const void *)(r + 1);
    uint64_t mask = e->mask;
    const uint32_t fixed = 1 + offsetof(struct skein_entry_payload, slot) / 8;

    if (r->kind != SKEIN_ENTRY || w->index < fixed) {
        return -1;
    }
    for (uint32_t i = fixed; i < w->index; i++) {
        mask &= mask - 1;
    }
    return mask ? ctz64(mask) : -1;
}

static bool comes_from(uint64_t value, int value_slot, const struct word *w, int slot)
{
    int64_t distance = value - w->origin;

    if (slot >= 0 && value_slot == slot) {
        return distance == 0;
    }
    return (int64_t)w->origin > SMALL && distance >= -NEAR && distance <= NEAR;
}

/* The digest when the word, and what came from it, had another value. */
static uint64_t digest_with(const struct skein_trial *t, size_t word, size_t words, uint64_t value,
                            const uint8_t *marked, size_t first_note, uint64_t digest)
{
    const struct word *w = word_at(word);
    uint64_t delta = value - w->value;
    uint64_t inputs = skein_mix(w->before, value);
    uint64_t h;

    for (size_t i = word + 1; i < words; i++) {
        inputs = skein_mix(inputs, word_at(i)->value);
    }
    for (size_t i = first_note; i < t->note_count; i++) {
        digest = skein_mix(digest, t->notes[i].value + (marked[i] ? delta : 0));
    }
    h = skein_mix(digest, inputs);
    for (size_t i = 0; i < t->value_count; i++) {
        h = skein_mix(h, t->values[i] + (marked[t->note_count + i] ? delta : 0));
    }
    return h;
}

/* Marks what came from the word; false: nothing did. */
static bool mark(const struct skein_trial *t, const struct word *w, uint8_t *marked,
                 size_t *first_note, uint64_t *digest)
{
    uint64_t since = solve.s[w->suspect].tick - solve.first;
    int slot = slot_of(w);
    bool any = false;

    *digest = solve.digest;
    *first_note = 0;
    for (size_t i = 0; i < t->note_count; i++) {
        const struct skein_note *n = &t->notes[i];

        marked[i] = n->tick >= since && comes_from(n->value, n->slot, w, slot);
        any |= marked[i];
        if (!any) {
            *digest = skein_mix(*digest, n->value);
            *first_note = i + 1;
        }
    }
    for (size_t i = 0; i < t->value_count; i++) {
        marked[t->note_count + i] = comes_from(t->values[i], -1, w, -1);
        any |= marked[t->note_count + i];
    }
    return any;
}

static void solve_word(const struct skein_trial *t, size_t word, size_t words, uint8_t *marked)
{
    const struct word *w = word_at(word);
    size_t first_note;
    uint64_t digest;

    if (!mark(t, w, marked, &first_note, &digest)) {
        return;
    }
    for (unsigned byte = 0; byte < 8; byte++) {
        for (uint64_t x = 1; x < 256; x++) {
            uint64_t value = w->value ^ x << 8 * byte;

            if (digest_with(t, word, words, value, marked, first_note, digest) ==
                t->divergence.expected) {
                add_candidate(word, value, ctpop64(x));
            }
        }
    }
}

/* Words that are in the digest themselves as well: registers that come back, what is printed. */
static void solve_registers(const struct skein_trial *t)
{
    size_t words = words_until(t->tick);
    uint8_t *marked = g_malloc0(t->note_count + SKEIN_DIGEST_VALUES);

    for (size_t n = words; n-- > 0 && solve.candidate_count == 0;) {
        solve_word(t, n, words, marked);
    }
    g_free(marked);
}

static bool is_solvable(const struct skein_trial *t)
{
    return t->value_count <= SKEIN_DIGEST_VALUES;
}

bool skein_solve_try(const struct skein_trial *t)
{
    if (!is_solvable(t)) {
        return true;
    }
    solve_inputs(t);
    if (!try_candidates()) {
        return false;
    }
    if (t->note_count < SKEIN_FINDER_NOTES) {
        solve_registers(t);
    }
    return try_candidates();
}

/* The word that the hypothesis has changed. */
static bool changed_word(const struct skein_hypothesis *h, size_t *word, uint64_t *now)
{
    for (size_t i = 0; i < solve.words->len; i++) {
        const struct word *w = word_at(i);

        if (solve.s[w->suspect].tick == h->tick && w->index > 0 &&
            w->index < h->right->size_bytes / 8) {
            *now = ((const uint64_t *)h->right)[w->index];
            *word = i;
            if (*now != w->value) {
                return true;
            }
        }
    }
    return false;
}

bool skein_solve_again(const struct skein_hypothesis *h, const struct skein_trial *t,
                       struct skein_hypothesis *better)
{
    uint64_t after, now, value;
    size_t word;
    unsigned cost;

    if (!is_solvable(t) || h->shard != solve.c->id || h->depth >= DEPTH_MAX || t->tick < h->tick ||
        !changed_word(h, &word, &now)) {
        return false;
    }
    after = wanted_inputs(t);
    for (size_t n = words_until(t->tick); n-- > word + 1;) {
        after = unmix(after) ^ word_at(n)->value;
    }
    value = unmix(after) ^ word_at(word)->before;
    if (value == now || !is_near(value, word_at(word)->value, &cost)) {
        return false;
    }
    *better = skein_guess_word(solve.c, &solve.s[word_at(word)->suspect], word_at(word)->index,
                               value, SKEIN_WAY_SOLVED);
    better->depth = h->depth + 1;
    return true;
}
