#include <errno.h>
#include <string.h>

#include "pipeline/block_encoder_private.h"
#include "pipeline/block_shape_table.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NO_SHAPE 1

static inline int put(struct skein_encoder_shard *s, size_t offset, uint64_t value) {
    return skein_column_put((void *)((char *)&s->columns + offset), &s->capacity[offset / 8],
                            value);
}

static int put_bytes(struct skein_encoder_shard *s, size_t offset, const void *bytes, size_t n) {
    return skein_column_put_bytes((void *)((char *)&s->columns + offset), &s->capacity[offset / 8],
                                  bytes, n);
}

static int add_slots(struct skein_encoder_shard *s, uint64_t mask, const uint8_t *tail) {
    int rc = 0;

    for (; mask != 0 && rc == 0; mask &= mask - 1, tail += 8) {
        const int i = __builtin_ctzll(mask);
        uint64_t value;
        memcpy(&value, tail, 8);
        rc = skein_column_put((void *)&s->slot[i].n_value, &s->slot_capacity[i],
                              value - s->series.slot[i]);
        s->series.slot[i] = value;
    }
    return rc;
}

static int add_tail(struct skein_encoder_shard *s, const struct skein_shape *shape,
                    const uint64_t *words, const uint8_t *tail, size_t bytes) {
    int rc = 0;

    switch (shape->tail) {
    case SKEIN_TAIL_BYTES:
        return put_bytes(s, shape->tail_column, tail, bytes);
    case SKEIN_TAIL_SLOTS:
        return add_slots(s, words[SKEIN_ENTRY_MASK_WORD], tail);
    default:
        for (size_t i = 0; i < bytes && rc == 0; i += 8) {
            uint64_t word;
            memcpy(&word, tail + i, 8);
            rc = put(s, shape->tail_column, word);
        }
        return rc;
    }
}

/* `shape` is a constant for each caller: what remains is a few stores. */
static ALWAYS_INLINE int add_shaped(struct skein_block_encoder *e, struct skein_encoder_shard *s,
                                    const struct skein_shape *shape,
                                    const struct skein_record *rec) {
    const struct skein_coding_context ctx = {
        .series = &s->series,
        .clock = e->info.clock_after,
        .shard_count = e->shard_count,
        .arg = rec->arg,
        .flags = rec->flags,
    };
    const uint8_t *payload = (const uint8_t *)(rec + 1);
    uint64_t words[SKEIN_SHAPE_WORDS];
    size_t tail_bytes = 0;
    int rc;

    if (shape->tail == SKEIN_TAIL_NONE ? rec->size_bytes != sizeof(*rec) + 8u * shape->word_count
                                       : !skein_shape_match(rec, &tail_bytes)) {
        return NO_SHAPE;
    }
    rc = put(s, shape->arg_column, rec->arg);
    for (uint8_t i = 0; i < shape->word_count && rc == 0; i++) {
        memcpy(&words[i], payload + 8u * i, 8);
        rc =
            put(s, shape->word[i].column, skein_word_encode(&ctx, shape->word[i].coding, words[i]));
    }
    if (rc == 0 && shape->tail != SKEIN_TAIL_NONE) {
        rc = add_tail(s, shape, words, payload + 8u * shape->word_count, tail_bytes);
    }
    return rc;
}

#define ADD_SHAPED(k)                                                                              \
    case k:                                                                                        \
        return add_shaped(e, s, &skein_shapes[k], rec)

/* NO_SHAPE: the record has not the shape of its kind. */
static int add_known(struct skein_block_encoder *e, struct skein_encoder_shard *s,
                     const struct skein_record *rec) {
    switch (rec->kind) {
        ADD_SHAPED(SKEIN_TOKEN);
        ADD_SHAPED(SKEIN_ENTRY);
        ADD_SHAPED(SKEIN_INTERRUPT);
        ADD_SHAPED(SKEIN_VALUE);
        ADD_SHAPED(SKEIN_USER_READ);
        ADD_SHAPED(SKEIN_MEM);
        ADD_SHAPED(SKEIN_FPU);
        ADD_SHAPED(SKEIN_DIGEST);
        ADD_SHAPED(SKEIN_PAGE_DIRTY);
        ADD_SHAPED(SKEIN_PAGE_CLEAN);
        ADD_SHAPED(SKEIN_TLB_FLUSH);
        ADD_SHAPED(SKEIN_MARK);
        ADD_SHAPED(SKEIN_END);
    default:
        return NO_SHAPE;
    }
}

static int add_raw(struct skein_encoder_shard *s, const struct skein_record *rec) {
    int rc = put(s, offsetof(Skein__ShardColumns, n_raw_size), rec->size_bytes);

    return rc != 0 ? rc : put_bytes(s, offsetof(Skein__ShardColumns, raw), rec, rec->size_bytes);
}

/* The columns that every event has. */
static inline int add_kind(struct skein_encoder_shard *s, uint8_t kind, uint8_t flags) {
    ProtobufCBinaryData *kinds = &s->columns.kind, *all_flags = &s->columns.flags;
    const size_t n = kinds->len;

    if (n == s->kind_capacity) {
        size_t capacity = n;
        if (skein_column_reserve((void **)&all_flags->data, &capacity, n + 1, 1) != 0 ||
            skein_column_reserve((void **)&kinds->data, &s->kind_capacity, n + 1, 1) != 0) {
            return -ENOMEM;
        }
    }
    kinds->data[n] = kind;
    all_flags->data[n] = flags;
    kinds->len = n + 1;
    all_flags->len = n + 1;
    s->any_flags |= flags != 0;
    return 0;
}

static int begin_run(struct skein_block_encoder *e, uint32_t shard) {
    if (skein_column_put(&e->run_shard, &e->run_capacity[0], shard) != 0) {
        return -ENOMEM;
    }
    return skein_column_put(&e->run_events, &e->run_capacity[1], 0);
}

static inline bool in_run(const struct skein_block_encoder *e, uint32_t shard) {
    const size_t n = e->run_shard.count;

    return n != 0 && ((const uint64_t *)e->run_shard.data)[n - 1] == shard;
}

int skein_block_encoder_add(struct skein_block_encoder *e, uint32_t shard,
                            const struct skein_record *rec) {
    struct skein_encoder_shard *s = &e->shards[shard];
    uint8_t kind = rec->kind;
    int rc;

    if (!in_run(e, shard) && begin_run(e, shard) != 0) {
        return -ENOMEM;
    }
    rc = add_known(e, s, rec);
    if (rc == NO_SHAPE) {
        kind |= SKEIN_KIND_RAW;
        rc = add_raw(s, rec);
    }
    if (rc != 0 || add_kind(s, kind, rec->flags) != 0) {
        return -ENOMEM;
    }
    ((uint64_t *)e->run_events.data)[e->run_events.count - 1]++;
    e->tokens += rec->kind == SKEIN_TOKEN;
    e->info.events++;
    e->info.raw_bytes += rec->size_bytes;
    e->info.clock_after[shard]++;
    return 0;
}
