#include "tests/pipeline/events.h"

#include <stdlib.h>
#include <string.h>

static uint64_t next_icount(struct random *rng, uint64_t *icount) {
    *icount += random_below(rng, 5000);
    return *icount;
}

/* One bit in four is set. */
static uint64_t sparse_word(struct random *rng) {
    const uint64_t word = random_next(rng);

    return word & random_next(rng);
}

/* Small, address-like, or any 64 bits. */
static uint64_t any_word(struct random *rng) {
    switch (random_below(rng, 3)) {
    case 0:
        return random_below(rng, 300);
    case 1:
        return 0xffff888000000000ull + random_below(rng, 1 << 30);
    default:
        return random_next(rng);
    }
}

static size_t put_words(struct any_record *rec, const uint64_t *words, size_t n) {
    memcpy(rec->payload, words, n * 8);
    return n * 8;
}

static size_t put_bytes(struct random *rng, struct any_record *rec, size_t at) {
    const size_t len = random_below(rng, random_below(rng, 50) == 0 ? SKEIN_RECORD_MAX_BYTES : 64);

    rec->header.arg = (uint32_t)len;
    for (size_t i = 0; i < len; i++) {
        rec->payload[at + i] = (uint8_t)random_next(rng);
    }
    return at + len;
}

static size_t make_entry(struct random *rng, uint64_t icount, struct any_record *rec) {
    uint64_t words[4 + SKEIN_SLOT_COUNT];
    size_t n = 4;

    words[0] = icount;
    words[1] = random_below(rng, 8);
    words[2] = any_word(rng);
    words[3] = sparse_word(rng) & ((1ull << SKEIN_SLOT_COUNT) - 1);
    for (int i = 0; i < SKEIN_SLOT_COUNT; i++) {
        if (words[3] >> i & 1) {
            words[n++] = any_word(rng);
        }
    }
    rec->header.arg = skein_entry_arg(SKEIN_ENTRY_EXCEPTION, 14);
    return put_words(rec, words, n);
}

static size_t make_fpu(struct random *rng, struct any_record *rec) {
    uint64_t words[2 + 128] = {random_next(rng), sparse_word(rng)};
    const int n = __builtin_popcountll(words[0]) + __builtin_popcountll(words[1]);

    for (int i = 0; i < n; i++) {
        words[2 + i] = any_word(rng);
    }
    rec->header.arg = (uint32_t)n;
    return put_words(rec, words, 2 + (size_t)n);
}

static size_t make_payload(struct random *rng, uint8_t kind, uint64_t *icount,
                           struct any_record *rec) {
    uint64_t words[5] = {next_icount(rng, icount), any_word(rng), any_word(rng), any_word(rng),
                         any_word(rng)};

    switch (kind) {
    case SKEIN_TOKEN:
        rec->header.arg = (uint32_t)random_below(rng, 4);
        words[1] = words[0];
        words[0] = random_below(rng, 100000);
        return put_words(rec, words, 3);
    case SKEIN_ENTRY:
        return make_entry(rng, words[0], rec);
    case SKEIN_VALUE:
        rec->header.arg = skein_value_arg(1 + (uint32_t)random_below(rng, 7), 4, words[1]);
        return put_words(rec, words + 2, 1);
    case SKEIN_USER_READ:
        put_words(rec, words + 1, 1);
        return put_bytes(rng, rec, 8);
    case SKEIN_MEM:
        rec->header.flags = (uint8_t)random_below(rng, 2);
        put_words(rec, words, 2);
        return put_bytes(rng, rec, 16);
    case SKEIN_FPU:
        return make_fpu(rng, rec);
    case SKEIN_PAGE_DIRTY:
    case SKEIN_PAGE_CLEAN:
        words[0] = words[1] & ~4095ull;
        rec->header.arg = (uint32_t)random_below(rng, 2);
        return put_words(rec, words, 1);
    case SKEIN_INTERRUPT:
    case SKEIN_DIGEST:
        return put_words(rec, words, 2);
    case SKEIN_END:
        rec->header.arg = SKEIN_END_SHUTDOWN;
        words[2] = 0; /* the guest says nothing on its console */
        return put_words(rec, words, 5);
    default:
        return put_words(rec, words, 1);
    }
}

static void seal_record(struct any_record *rec, size_t used) {
    const size_t padded = (used + 7) & ~(size_t)7;

    memset(rec->payload + used, 0, padded - used);
    rec->header.size_bytes = (uint16_t)(sizeof(rec->header) + padded);
}

void events_make(struct random *rng, uint8_t kind, uint64_t *icount, struct any_record *rec) {
    rec->header = (struct skein_record){.kind = kind};
    seal_record(rec, make_payload(rng, kind, icount, rec));
}

void events_make_odd(struct random *rng, struct any_record *rec) {
    const size_t bytes = 8 * random_below(rng, 12);

    rec->header = (struct skein_record){
        .kind = (uint8_t)(1 + random_below(rng, SKEIN_KIND_COUNT - 1)),
        .flags = (uint8_t)random_next(rng),
        .arg = (uint32_t)random_below(rng, 40),
    };
    for (size_t i = 0; i < bytes; i++) {
        rec->payload[i] = (uint8_t)random_next(rng);
    }
    seal_record(rec, bytes);
}

static void history_add(struct history *h, uint32_t shard, const struct any_record *rec) {
    h->events[h->count++] = (struct history_event){shard, h->bytes};
    memcpy(h->records + h->bytes, rec, rec->header.size_bytes);
    h->bytes += rec->header.size_bytes;
}

static void add_token(struct random *rng, struct history *h, uint32_t shard, uint32_t from,
                      uint64_t edge_tick, uint64_t *icount) {
    struct any_record rec;

    events_make(rng, SKEIN_TOKEN, icount, &rec);
    rec.header.arg = from;
    memcpy(rec.payload, &edge_tick, 8);
    history_add(h, shard, &rec);
}

struct history history_make(uint64_t seed, uint32_t shard_count, size_t count, int ends) {
    struct random rng = {seed};
    struct history h = {.shard_count = shard_count};
    uint64_t ticks[SKEIN_MAX_SHARDS] = {0}, icount[SKEIN_MAX_SHARDS] = {0};
    uint32_t holder = SKEIN_SHARD_NONE;
    struct any_record rec;

    h.events = calloc(count + 2 * shard_count + 300, sizeof(*h.events));
    h.records = malloc((count + 2 * shard_count + 300) * sizeof(rec) / 8);
    while (h.count < count && h.bytes < (count * sizeof(rec)) / 16) {
        const uint32_t shard = (uint32_t)random_below(&rng, shard_count);
        if (shard != holder) {
            add_token(&rng, &h, shard, holder, holder == SKEIN_SHARD_NONE ? 0 : ticks[holder],
                      &icount[shard]);
            ticks[shard]++;
            holder = shard;
        }
        for (uint64_t n = random_below(&rng, 20); n != 0; n--) {
            const uint8_t kind = (uint8_t)(2 + random_below(&rng, SKEIN_KIND_COUNT - 3));
            events_make(&rng, kind, &icount[shard], &rec);
            history_add(&h, shard, &rec);
            ticks[shard]++;
        }
    }
    for (uint32_t shard = 0; ends && shard < shard_count; shard++) {
        events_make(&rng, SKEIN_END, &icount[shard], &rec);
        history_add(&h, shard, &rec);
    }
    return h;
}

void history_free(struct history *h) {
    free(h->events);
    free(h->records);
}
