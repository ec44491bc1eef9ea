#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "pipeline/block.h"
#include "pipeline/block_column.h"
#include "pipeline/block_shape.h"
#include "pipeline/tsc_grid.h"
#include "proto/skein.pb-c.h"

#define DEFAULT_LEVEL 3 /* 1 takes a fifth less time, and 10 % more room */

/* Columns by their offset in the message, in units of 8 bytes: where capacities are kept. */
#define CAPACITY_COUNT (sizeof(Skein__ShardColumns) / 8)

struct shard_state {
    Skein__ShardColumns columns;
    size_t capacity[CAPACITY_COUNT];
    Skein__SlotColumn slot[SKEIN_SLOT_COUNT];
    size_t slot_capacity[SKEIN_SLOT_COUNT];
    Skein__SlotColumn *slot_list[SKEIN_SLOT_COUNT];
    struct skein_series series;
    size_t kind_capacity; /* of the columns kind and flags */
    size_t low_capacity;
    bool any_flags;
};

struct skein_block_encoder {
    uint32_t shard_count;
    int level;
    ZSTD_CCtx *zstd;
    struct skein_block_info info;
    uint64_t tokens; /* in this block */
    struct skein_tsc_finder counters;
    struct skein_column run_shard, run_events;
    size_t run_capacity[2];
    uint8_t *packed;
    size_t packed_capacity;
    uint8_t *compressed;
    size_t compressed_capacity;
    Skein__ShardColumns *shard_list[SKEIN_MAX_SHARDS];
    struct shard_state shards[];
};

static inline int put(struct shard_state *s, size_t offset, uint64_t value) {
    return skein_column_put((void *)((char *)&s->columns + offset), &s->capacity[offset / 8],
                            value);
}

static int put_bytes(struct shard_state *s, size_t offset, const void *bytes, size_t n) {
    return skein_column_put_bytes((void *)((char *)&s->columns + offset), &s->capacity[offset / 8],
                                  bytes, n);
}

static int add_slots(struct shard_state *s, uint64_t mask, const uint8_t *tail) {
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

static int add_tail(struct shard_state *s, const struct skein_shape *shape, const uint64_t *words,
                    const uint8_t *tail, size_t bytes) {
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

static int add_shaped(struct skein_block_encoder *e, struct shard_state *s,
                      const struct skein_shape *shape, const struct skein_record *rec,
                      size_t tail_bytes) {
    const struct skein_coding_context ctx = {
        .series = &s->series,
        .clock = e->info.clock_after,
        .shard_count = e->shard_count,
        .arg = rec->arg,
        .flags = rec->flags,
    };
    const uint8_t *payload = (const uint8_t *)(rec + 1);
    uint64_t words[SKEIN_SHAPE_WORDS];
    int rc = put(s, shape->arg_column, rec->arg);

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

static int add_raw(struct shard_state *s, const struct skein_record *rec) {
    int rc = put(s, offsetof(Skein__ShardColumns, n_raw_size), rec->size_bytes);

    return rc != 0 ? rc : put_bytes(s, offsetof(Skein__ShardColumns, raw), rec, rec->size_bytes);
}

/* The columns that every event has. */
static inline int add_kind(struct shard_state *s, uint8_t kind, uint8_t flags) {
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
    struct shard_state *s = &e->shards[shard];
    uint8_t kind = rec->kind;
    size_t tail_bytes;
    int rc;

    if (!in_run(e, shard) && begin_run(e, shard) != 0) {
        return -ENOMEM;
    }
    if (skein_shape_match(rec, &tail_bytes)) {
        rc = add_shaped(e, s, skein_shape_of(kind), rec, tail_bytes);
    } else {
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

const struct skein_block_info *skein_block_encoder_info(const struct skein_block_encoder *e) {
    return &e->info;
}

/* The value of an all-zero column is its absence. */
static void drop_zeros(struct skein_column *column) {
    const uint64_t *v = column->data;

    for (size_t i = 0; i < column->count; i++) {
        if (v[i] != 0) {
            return;
        }
    }
    column->count = 0;
}

/* Puts the counters on their grid, where there is one. */
static int pack_counters(struct skein_block_encoder *e, struct shard_state *s) {
    Skein__ShardColumns *c = &s->columns;
    const struct skein_tsc_values values = {c->n_value, c->value_arg, c->value};
    const struct skein_tsc_grid grid = skein_tsc_grid_find(&e->counters, &values);
    size_t *capacity = &s->capacity[offsetof(Skein__ShardColumns, n_tsc_rest) / 8];
    struct skein_tsc_columns columns;

    c->n_tsc_rest = 0;
    c->tsc_low.len = 0;
    c->tsc_step = grid.step;
    c->tsc_shift = grid.shift;
    c->tsc_phase = grid.phase;
    if (grid.step == 0) {
        return 0;
    }
    if (skein_column_reserve((void **)&c->tsc_rest, capacity, values.count, 8) != 0 ||
        skein_column_reserve((void **)&c->tsc_low.data, &s->low_capacity, values.count, 1) != 0) {
        return -ENOMEM;
    }
    columns = (struct skein_tsc_columns){.low = c->tsc_low.data, .rest = c->tsc_rest};
    skein_tsc_grid_pack(&values, grid, &columns);
    c->tsc_low.len = columns.count;
    c->n_tsc_rest = columns.rest_count;
    return 0;
}

static void prepare_shard(struct shard_state *s) {
    Skein__ShardColumns *c = &s->columns;

    for (unsigned kind = 1; kind < SKEIN_KIND_COUNT; kind++) {
        const struct skein_shape *shape = skein_shape_of((uint8_t)kind);
        drop_zeros((void *)((char *)c + shape->arg_column));
        for (uint8_t i = 0; i < shape->word_count; i++) {
            drop_zeros((void *)((char *)c + shape->word[i].column));
        }
    }
    if (!s->any_flags) {
        c->flags.len = 0;
    }
    c->n_entry_slots = 0;
    c->entry_slots = s->slot_list;
    for (uint32_t i = 0; i < SKEIN_SLOT_COUNT; i++) {
        if (s->slot[i].n_value != 0) {
            s->slot_list[c->n_entry_slots++] = &s->slot[i];
        }
    }
}

/* Empties the columns; their memory is used again. */
static void reset_shard(struct shard_state *s) {
    Skein__ShardColumns *c = &s->columns;

    for (unsigned kind = 1; kind < SKEIN_KIND_COUNT; kind++) {
        const struct skein_shape *shape = skein_shape_of((uint8_t)kind);
        ((struct skein_column *)(void *)((char *)c + shape->arg_column))->count = 0;
        for (uint8_t i = 0; i < shape->word_count; i++) {
            ((struct skein_column *)(void *)((char *)c + shape->word[i].column))->count = 0;
        }
        if (shape->tail_column != 0) {
            ((struct skein_column *)(void *)((char *)c + shape->tail_column))->count = 0;
        }
    }
    c->kind.len = 0;
    c->flags.len = 0;
    c->n_raw_size = 0;
    c->raw.len = 0;
    for (uint32_t i = 0; i < SKEIN_SLOT_COUNT; i++) {
        s->slot[i].n_value = 0;
    }
    memset(&s->series, 0, sizeof(s->series));
    s->any_flags = false;
}

static int pack_and_compress(struct skein_block_encoder *e, size_t *out_bytes) {
    Skein__Block msg = SKEIN__BLOCK__INIT;
    size_t n;

    msg.n_run_shard = e->run_shard.count;
    msg.run_shard = e->run_shard.data;
    msg.n_run_events = e->run_events.count;
    msg.run_events = e->run_events.data;
    msg.shards = e->shard_list;
    for (uint32_t i = 0; i < e->shard_count; i++) {
        if (e->shards[i].columns.kind.len != 0) {
            prepare_shard(&e->shards[i]);
            /* Only now: counters on their grid may all be zeros, and must still be there. */
            if (pack_counters(e, &e->shards[i]) != 0) {
                return -ENOMEM;
            }
            e->shard_list[msg.n_shards++] = &e->shards[i].columns;
        }
    }
    e->info.packed_bytes = skein__block__get_packed_size(&msg);
    n = ZSTD_compressBound(e->info.packed_bytes);
    if (skein_column_reserve((void **)&e->packed, &e->packed_capacity, e->info.packed_bytes, 1) !=
            0 ||
        skein_column_reserve((void **)&e->compressed, &e->compressed_capacity, n, 1) != 0) {
        return -ENOMEM;
    }
    skein__block__pack(&msg, e->packed);
    n = ZSTD_compressCCtx(e->zstd, e->compressed, e->compressed_capacity, e->packed,
                          e->info.packed_bytes, e->level);
    if (ZSTD_isError(n)) {
        return -ENOMEM;
    }
    *out_bytes = n;
    return 0;
}

int skein_block_encoder_finish(struct skein_block_encoder *e, struct skein_block_info *info,
                               const uint8_t **data, size_t *data_bytes) {
    int rc = pack_and_compress(e, data_bytes);

    if (rc != 0) {
        return rc;
    }
    *info = e->info;
    *data = e->compressed;
    for (uint32_t i = 0; i < e->shard_count; i++) {
        reset_shard(&e->shards[i]);
    }
    e->run_shard.count = 0;
    e->run_events.count = 0;
    skein_block_encoder_seek(e, info->clock_after, info->slices + e->tokens);
    e->tokens = 0;
    return 0;
}

void skein_block_encoder_seek(struct skein_block_encoder *e, const uint64_t *clock,
                              uint64_t slices) {
    const struct skein_block_info next = {.slices = slices};

    e->info = next;
    memcpy(e->info.clock, clock, e->shard_count * sizeof(*clock));
    memcpy(e->info.clock_after, clock, e->shard_count * sizeof(*clock));
}

int skein_block_encoder_create(uint32_t shard_count, int level, struct skein_block_encoder **out) {
    struct skein_block_encoder *e;

    if (shard_count == 0 || shard_count > SKEIN_MAX_SHARDS) {
        return -EINVAL;
    }
    e = calloc(1, sizeof(*e) + shard_count * sizeof(e->shards[0]));
    if (e == NULL) {
        return -ENOMEM;
    }
    e->shard_count = shard_count;
    e->level = level != 0 ? level : DEFAULT_LEVEL;
    e->zstd = ZSTD_createCCtx();
    if (e->zstd == NULL) {
        free(e);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < shard_count; i++) {
        skein__shard_columns__init(&e->shards[i].columns);
        e->shards[i].columns.shard = i;
        for (uint32_t k = 0; k < SKEIN_SLOT_COUNT; k++) {
            skein__slot_column__init(&e->shards[i].slot[k]);
            e->shards[i].slot[k].slot = k;
        }
    }
    *out = e;
    return 0;
}

static void free_shard(struct shard_state *s) {
    for (size_t i = 0; i < CAPACITY_COUNT; i++) {
        if (s->capacity[i] != 0) {
            free(((struct skein_column *)(void *)((char *)&s->columns + 8 * i))->data);
        }
    }
    for (uint32_t i = 0; i < SKEIN_SLOT_COUNT; i++) {
        free(s->slot[i].value);
    }
    free(s->columns.kind.data);
    free(s->columns.flags.data);
    free(s->columns.tsc_low.data);
}

void skein_block_encoder_free(struct skein_block_encoder *e) {
    if (e == NULL) {
        return;
    }
    for (uint32_t i = 0; i < e->shard_count; i++) {
        free_shard(&e->shards[i]);
    }
    free(e->run_shard.data);
    free(e->run_events.data);
    free(e->packed);
    free(e->compressed);
    ZSTD_freeCCtx(e->zstd);
    free(e);
}
