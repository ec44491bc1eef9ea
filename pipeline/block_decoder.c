#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "pipeline/block.h"
#include "pipeline/block_shape.h"
#include "pipeline/proto_budget.h"
#include "pipeline/shard_layout.h"
#include "pipeline/tsc_grid.h"
#include "proto/skein.pb-c.h"

/*
 * What columns may take, packed or in memory: about 4 bytes for each byte of a record when every
 * value is a run of its own, and the fixed part of SKEIN_MAX_SHARDS shards.
 */
#define COLUMNS_PER_BYTE 8u
#define COLUMNS_MIN_BYTES (1u << 20)

#define CURSOR_COUNT (sizeof(Skein__ShardColumns) / 8)

/* How far the columns of one shard are decoded. A cursor's index is its column's offset / 8. */
struct shard_cursor {
    const Skein__ShardColumns *columns;
    size_t next[CURSOR_COUNT];
    const Skein__SlotColumn *slot[SKEIN_SLOT_COUNT];
    size_t slot_next[SKEIN_SLOT_COUNT];
    struct skein_series series;
    size_t events_next;
};

struct decoder {
    const struct skein_block_info *info;
    struct skein_block *block;
    uint64_t clock[SKEIN_MAX_SHARDS];
    uint32_t event;
    size_t offset;
    uint32_t slices;
    struct shard_cursor *shards;
};

static const struct skein_column *column_at(const struct shard_cursor *s, size_t offset) {
    return (const void *)((const char *)s->columns + offset);
}

/* The next integer of a column that may be absent. False: it is present and too short. */
static bool take(struct shard_cursor *s, size_t offset, uint64_t *value) {
    const struct skein_column *column = column_at(s, offset);
    size_t *next = &s->next[offset / 8];

    if (column->count == 0) {
        *value = 0;
        return true;
    }
    if (*next >= column->count) {
        return false;
    }
    *value = ((const uint64_t *)column->data)[(*next)++];
    return true;
}

static bool take_bytes(struct shard_cursor *s, size_t offset, size_t n, uint8_t *to) {
    const struct skein_column *column = column_at(s, offset);
    size_t *next = &s->next[offset / 8];

    if (n > column->count - *next) {
        return false;
    }
    if (n != 0) {
        memcpy(to, (const uint8_t *)column->data + *next, n);
    }
    *next += n;
    return true;
}

static bool take_slots(struct shard_cursor *s, uint64_t mask, uint8_t *to) {
    for (; mask != 0; mask &= mask - 1, to += 8) {
        const int i = __builtin_ctzll(mask);
        const Skein__SlotColumn *column = s->slot[i];
        if (column == NULL || s->slot_next[i] >= column->n_value) {
            return false;
        }
        s->series.slot[i] += (uint64_t)column->value[s->slot_next[i]++];
        memcpy(to, &s->series.slot[i], 8);
    }
    return true;
}

static bool take_tail(struct shard_cursor *s, const struct skein_shape *shape,
                      const uint64_t *words, size_t bytes, uint8_t *to) {
    switch (shape->tail) {
    case SKEIN_TAIL_BYTES:
        return take_bytes(s, shape->tail_column, bytes, to);
    case SKEIN_TAIL_SLOTS:
        return take_slots(s, words[SKEIN_ENTRY_MASK_WORD], to);
    default:
        for (size_t i = 0; i < bytes; i += 8) {
            uint64_t word;
            if (column_at(s, shape->tail_column)->count == 0 ||
                !take(s, shape->tail_column, &word)) {
                return false;
            }
            memcpy(to + i, &word, 8);
        }
        return true;
    }
}

/* Writes a whole record at `to`, which has `room` bytes; its size, or 0 when the columns are bad.
 */
static size_t decode_shaped(struct decoder *d, struct shard_cursor *s, uint8_t kind, uint8_t flags,
                            uint8_t *to, size_t room) {
    const struct skein_shape *shape = skein_shape_of(kind);
    struct skein_coding_context ctx = {
        .series = &s->series,
        .clock = d->clock,
        .shard_count = d->block->shard_count,
        .flags = flags,
    };
    uint64_t words[SKEIN_SHAPE_WORDS] = {0}, value;
    size_t tail, size;

    if (shape == NULL || !take(s, shape->arg_column, &value) || value > UINT32_MAX) {
        return 0;
    }
    ctx.arg = (uint32_t)value;
    for (uint8_t i = 0; i < shape->word_count; i++) {
        if (!take(s, shape->word[i].column, &value)) {
            return 0;
        }
        words[i] = skein_word_decode(&ctx, shape->word[i].coding, value);
    }
    if (!skein_shape_tail_bytes(shape, ctx.arg, words, &tail)) {
        return 0;
    }
    size = sizeof(struct skein_record) + 8u * shape->word_count + ((tail + 7) & ~(size_t)7);
    if (size > room || size > SKEIN_RECORD_LIMIT_BYTES) {
        return 0;
    }
    const struct skein_record rec = {(uint16_t)size, kind, flags, ctx.arg};
    memset(to + size - 8, 0, 8);
    memcpy(to, &rec, sizeof(rec));
    to += sizeof(rec);
    memcpy(to, words, 8u * shape->word_count);
    if (shape->tail != SKEIN_TAIL_NONE &&
        !take_tail(s, shape, words, tail, to + 8u * shape->word_count)) {
        return 0;
    }
    return size;
}

static size_t decode_raw(struct shard_cursor *s, uint8_t *to, size_t room) {
    struct skein_record rec;
    uint64_t size;

    if (!take(s, offsetof(Skein__ShardColumns, n_raw_size), &size) || size < sizeof(rec) ||
        size % 8 != 0 || size > SKEIN_RECORD_LIMIT_BYTES || size > room ||
        !take_bytes(s, offsetof(Skein__ShardColumns, raw), size, to)) {
        return 0;
    }
    memcpy(&rec, to, sizeof(rec));
    return rec.size_bytes == size && rec.kind != SKEIN_PAD && rec.kind < SKEIN_KIND_COUNT ? size
                                                                                          : 0;
}

static bool decode_event(struct decoder *d, uint32_t shard) {
    struct shard_cursor *s = &d->shards[shard];
    struct skein_block *b = d->block;
    const size_t room = d->info->raw_bytes - d->offset, at = s->events_next;
    uint8_t kind, flags;
    size_t size;

    if (s->columns == NULL || at >= s->columns->kind.len || d->event == d->info->events) {
        return false;
    }
    kind = s->columns->kind.data[at];
    flags = at < s->columns->flags.len ? s->columns->flags.data[at] : 0;
    if ((kind & SKEIN_KIND_RAW) != 0) {
        size = decode_raw(s, b->records + d->offset, room);
    } else {
        size = decode_shaped(d, s, kind, flags, b->records + d->offset, room);
    }
    if (size == 0) {
        return false;
    }
    d->slices += (kind & ~SKEIN_KIND_RAW) == SKEIN_TOKEN;
    b->events[d->event++] = (struct skein_block_event){(uint32_t)d->offset, d->slices, shard};
    d->offset += size;
    s->events_next++;
    d->clock[shard]++;
    return true;
}

/* Takes the counters off their grid. */
static bool unpack_counters(const Skein__ShardColumns *c) {
    const struct skein_tsc_values values = {
        .count = c->n_value < c->n_value_arg ? c->n_value : c->n_value_arg,
        .arg = c->value_arg,
        .value = c->value,
    };
    const struct skein_tsc_grid grid = {c->tsc_step, c->tsc_shift, c->tsc_phase};
    const struct skein_tsc_columns columns = {
        .count = c->tsc_low.len,
        .low = c->tsc_low.data,
        .rest_count = c->n_tsc_rest,
        .rest = c->tsc_rest,
    };

    return c->tsc_step == 0 || skein_tsc_grid_unpack(&values, grid, &columns);
}

static bool prepare_shards(struct decoder *d, const Skein__Block *msg) {
    for (size_t i = 0; i < msg->n_shards; i++) {
        const Skein__ShardColumns *c = msg->shards[i];
        if (c->shard >= d->block->shard_count || d->shards[c->shard].columns != NULL ||
            (c->flags.len != 0 && c->flags.len != c->kind.len) || !unpack_counters(c)) {
            return false;
        }
        d->shards[c->shard].columns = c;
        for (size_t k = 0; k < c->n_entry_slots; k++) {
            if (c->entry_slots[k]->slot >= SKEIN_SLOT_COUNT) {
                return false;
            }
            d->shards[c->shard].slot[c->entry_slots[k]->slot] = c->entry_slots[k];
        }
    }
    return msg->n_run_shard == msg->n_run_events;
}

static bool decode_events(struct decoder *d, const Skein__Block *msg) {
    if (!prepare_shards(d, msg)) {
        return false;
    }
    for (size_t i = 0; i < msg->n_run_shard; i++) {
        if (msg->run_shard[i] >= d->block->shard_count) {
            return false;
        }
        for (uint64_t k = 0; k < msg->run_events[i]; k++) {
            if (!decode_event(d, (uint32_t)msg->run_shard[i])) {
                return false;
            }
        }
    }
    return d->event == d->info->events && d->offset == d->info->raw_bytes &&
           memcmp(d->clock, d->info->clock_after, d->block->shard_count * 8u) == 0;
}

static void index_by_shard(struct skein_block *b) {
    uint32_t at[SKEIN_MAX_SHARDS];
    uint64_t sum = 0;

    for (uint32_t i = 0; i < b->shard_count; i++) {
        b->shard_start[i] = (uint32_t)sum;
        at[i] = (uint32_t)sum;
        sum += b->info.clock_after[i] - b->info.clock[i];
    }
    b->shard_start[b->shard_count] = (uint32_t)sum;
    for (uint32_t e = 0; e < b->info.events; e++) {
        b->by_shard[at[b->events[e].shard]++] = e;
    }
}

static uint64_t columns_max(const struct skein_block_info *info) {
    return COLUMNS_MIN_BYTES + COLUMNS_PER_BYTE * info->raw_bytes;
}

static bool info_valid(const struct skein_block_info *info, uint32_t shard_count) {
    return shard_count != 0 && shard_count <= SKEIN_MAX_SHARDS && info->raw_bytes != 0 &&
           info->raw_bytes <= SKEIN_BLOCK_RAW_MAX && info->packed_bytes <= columns_max(info) &&
           info->events <= info->raw_bytes / sizeof(struct skein_record);
}

static Skein__Block *unpack(const uint8_t *data, size_t data_bytes,
                            const struct skein_block_info *info) {
    const size_t packed_bytes = info->packed_bytes;
    uint8_t *packed = malloc(packed_bytes + 1);
    struct skein_proto_budget budget;
    Skein__Block *msg = NULL;

    /* The room for one byte more tells a frame that is longer than the header said. */
    if (packed != NULL &&
        ZSTD_decompress(packed, packed_bytes + 1, data, data_bytes) == packed_bytes) {
        skein_proto_budget_init(&budget, columns_max(info));
        msg = skein__block__unpack(&budget.allocator, packed_bytes, packed);
    }
    free(packed);
    return msg;
}

static struct skein_block *block_alloc(const struct skein_block_info *info, uint32_t shard_count) {
    struct skein_block *b = calloc(1, sizeof(*b));

    if (b == NULL) {
        return NULL;
    }
    b->info = *info;
    b->shard_count = shard_count;
    b->records = malloc(info->raw_bytes);
    b->events = malloc(info->events * sizeof(*b->events) + 1);
    b->by_shard = malloc(info->events * sizeof(*b->by_shard) + 1);
    if (b->records == NULL || b->events == NULL || b->by_shard == NULL) {
        skein_block_free(b);
        return NULL;
    }
    return b;
}

int skein_block_decode(const uint8_t *data, size_t data_bytes, const struct skein_block_info *info,
                       uint32_t shard_count, struct skein_block **out, struct skein_error *err) {
    struct decoder d = {.info = info};
    Skein__Block *msg;
    int rc = -ENOMEM;

    if (!info_valid(info, shard_count)) {
        return skein_error_set(err, -EBADMSG, "a block header holds impossible sizes");
    }
    msg = unpack(data, data_bytes, info);
    if (msg == NULL) {
        return skein_error_set(err, -EBADMSG, "a block cannot be unpacked");
    }
    d.block = block_alloc(info, shard_count);
    d.shards = calloc(shard_count, sizeof(*d.shards));
    memcpy(d.clock, info->clock, sizeof(d.clock));
    if (d.block == NULL || d.shards == NULL) {
        skein_error_set(err, rc, "out of memory");
    } else if (!decode_events(&d, msg)) {
        rc = skein_error_set(err, -EBADMSG, "a block's columns do not fit together");
    } else {
        index_by_shard(d.block);
        *out = d.block;
        d.block = NULL;
        rc = 0;
    }
    skein_block_free(d.block);
    free(d.shards);
    skein__block__free_unpacked(msg, NULL);
    return rc;
}

void skein_block_free(struct skein_block *b) {
    if (b == NULL) {
        return;
    }
    free(b->records);
    free(b->events);
    free(b->by_shard);
    free(b);
}
