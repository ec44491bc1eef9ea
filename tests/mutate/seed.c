#include "tests/mutate/seed.h"

#include <stdio.h>

/* How far an event moves. */
#define MOVE_MAX 300u

enum class {
    VALUE_WORD,     /* a bit of a VALUE */
    USER_READ_BYTE, /* a byte of a USER_READ */
    ENTRY_SLOT,     /* a bit of a register at an ENTRY */
    ENTRY_FIXED,    /* a bit of its error code or next instruction */
    FPU_WORD,       /* a bit of an FPU image */
    MEM_BYTE,       /* a byte of a MEM */
    INTERRUPT_PLACE,
    INTERRUPT_VECTOR,
    TOKEN_PLACE,
    DIGEST_VALUE, /* a bit of the digest of a DIGEST, INTERRUPT or TOKEN */
    CLASS_COUNT,
};

uint64_t seed_next(struct seeded *s) {
    uint64_t z = s->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void seed_begin(struct seeded *s, uint64_t seed) {
    *s = (struct seeded){.state = seed};
    s->class = (unsigned)(seed_next(s) % CLASS_COUNT);
}

bool seed_wants(const struct seeded *s, const struct skein_event *e, uint32_t vcpu_count) {
    const struct skein_record *r = e->record;
    if (e->shard >= vcpu_count)
        return false;
    switch ((enum class)s->class) {
    case VALUE_WORD:
        return r->kind == SKEIN_VALUE;
    case USER_READ_BYTE:
        return r->kind == SKEIN_USER_READ;
    case ENTRY_SLOT:
        return r->kind == SKEIN_ENTRY && ((const struct skein_entry_payload *)(r + 1))->mask != 0;
    case ENTRY_FIXED:
        return r->kind == SKEIN_ENTRY;
    case FPU_WORD:
        return r->kind == SKEIN_FPU && r->arg != 0;
    case MEM_BYTE:
        return r->kind == SKEIN_MEM;
    case INTERRUPT_PLACE:
    case INTERRUPT_VECTOR:
        return r->kind == SKEIN_INTERRUPT && (r->arg & 0xff) == SKEIN_INTR_HARD;
    case TOKEN_PLACE:
        return r->kind == SKEIN_TOKEN && (r->flags & SKEIN_F_AT_IO) == 0 && e->tick > 1;
    case DIGEST_VALUE:
        return r->kind == SKEIN_DIGEST || r->kind == SKEIN_INTERRUPT ||
               (r->kind == SKEIN_TOKEN && e->tick > 1);
    case CLASS_COUNT:
        break;
    }
    return false;
}

static void flip_bit(struct seeded *s, uint64_t *words, uint64_t word, unsigned bits) {
    unsigned bit = (unsigned)(seed_next(s) % bits);
    words[word] ^= UINT64_C(1) << bit;
    snprintf(s->what, sizeof(s->what), "bit %u of word %u", bit, (unsigned)word);
}

static void change_byte(struct seeded *s, uint8_t *bytes, uint64_t count) {
    uint64_t at = seed_next(s) % count;
    uint8_t by = (uint8_t)(1 + seed_next(s) % 255);
    bytes[at] ^= by;
    snprintf(s->what, sizeof(s->what), "byte %u xor 0x%x", (unsigned)at, by);
}

/* Elsewhere, but behind the stop in front of it: else the log contradicts itself. */
static void move(struct seeded *s, uint64_t *icount, uint64_t low_icount) {
    uint64_t by = 1 + seed_next(s) % MOVE_MAX;
    bool back = seed_next(s) % 2 != 0 && *icount > low_icount + by;
    *icount = back ? *icount - by : *icount + by;
    s->moved_to = *icount;
    snprintf(s->what, sizeof(s->what), "%u instructions %s", (unsigned)by,
             back ? "earlier" : "later");
}

static uint64_t digest_word(const struct skein_record *r) {
    return r->kind == SKEIN_TOKEN ? 2 : 1;
}

void seed_change(struct seeded *s, struct skein_record *r, uint64_t low_icount) {
    uint64_t *words = (void *)(r + 1);
    uint64_t count = (r->size_bytes - sizeof(*r)) / 8;
    switch ((enum class)s->class) {
    case VALUE_WORD:
        /* Bits that the access does not have are not asked for by anybody. */
        flip_bit(s, words, 0, (r->arg >> 8 & 0xff) < 8 ? 8 * (r->arg >> 8 & 0xff) : 64);
        break;
    case USER_READ_BYTE:
        change_byte(s, (uint8_t *)(words + 1), r->arg);
        break;
    case ENTRY_SLOT:
        flip_bit(s, words, 4 + seed_next(s) % (count - 4), 64);
        break;
    case ENTRY_FIXED:
        flip_bit(s, words, 1 + seed_next(s) % 2, 32);
        break;
    case FPU_WORD:
        flip_bit(s, words, 2 + seed_next(s) % r->arg, 64);
        break;
    case MEM_BYTE:
        change_byte(s, (uint8_t *)(words + 2), r->arg);
        break;
    case INTERRUPT_PLACE:
        move(s, &words[0], low_icount);
        break;
    case INTERRUPT_VECTOR:
        r->arg ^= UINT32_C(1) << (8 + seed_next(s) % 8);
        snprintf(s->what, sizeof(s->what), "another vector");
        break;
    case TOKEN_PLACE:
        move(s, &words[1], low_icount);
        break;
    case DIGEST_VALUE:
        flip_bit(s, words, digest_word(r), 64);
        break;
    case CLASS_COUNT:
        break;
    }
}
