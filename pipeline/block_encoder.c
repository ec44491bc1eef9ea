#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/block_encoder_private.h"
#include "pipeline/block_shape.h"

#define DEFAULT_LEVEL 3 /* 1 takes a fifth less time, and 10 % more room */

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
static int pack_counters(struct skein_block_encoder *e, struct skein_encoder_shard *s) {
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

static void prepare_shard(struct skein_encoder_shard *s) {
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
static void reset_shard(struct skein_encoder_shard *s) {
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

static void free_shard(struct skein_encoder_shard *s) {
    for (size_t i = 0; i < SKEIN_ENCODER_COLUMNS; i++) {
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
