#include "pipeline/block_decoder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/block_shape_table.h"
#include "pipeline/shard_layout.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

struct shard_decoder {
    struct skein_shard_columns *columns; /* each column from its first value not taken */
    struct skein_series series;
    struct skein_tsc_unpacker counters;
};

struct decoder {
    struct skein_block *block;
    uint64_t clock[SKEIN_MAX_SHARDS]; /* up to the event decoded last */
    uint32_t event;                   /* the next one's index */
    uint32_t slices;
    size_t offset;
    struct shard_decoder shards[];
};

/* The next integer of a column that may be absent. False: it is present and too short. */
static ALWAYS_INLINE bool take(struct skein_wire *column, uint8_t packing, uint64_t *value) {
    if (column->end == NULL) {
        *value = 0;
        return true;
    }
    if (packing == SKEIN_PACK_FIXED64) {
        return skein_wire_fixed64(column, value);
    }
    if (!skein_wire_varint(column, value)) {
        return false;
    }
    if (packing == SKEIN_PACK_SINT64) {
        *value = skein_wire_unzigzag(*value);
    }
    return true;
}

static ALWAYS_INLINE bool take_bytes(struct skein_wire *column, size_t n, uint8_t *to) {
    if (n > skein_wire_left(column)) {
        return false;
    }
    if (n != 0) {
        memcpy(to, column->at, n);
    }
    column->at += n;
    return true;
}

/* Of a slot, each value is stored: a column that is absent holds none. */
static bool take_slots(struct shard_decoder *s, uint64_t mask, uint8_t *to) {
    for (; mask != 0; mask &= mask - 1, to += 8) {
        const int i = __builtin_ctzll(mask);
        uint64_t delta;
        if (!skein_wire_varint(&s->columns->slot[i], &delta)) {
            return false;
        }
        s->series.slot[i] += skein_wire_unzigzag(delta);
        memcpy(to, &s->series.slot[i], 8);
    }
    return true;
}

static ALWAYS_INLINE bool take_tail(struct shard_decoder *s, const struct skein_shape *shape,
                                    const uint64_t *words, size_t bytes, uint8_t *to) {
    switch (shape->tail) {
    case SKEIN_TAIL_BYTES:
        return take_bytes(&s->columns->column[shape->tail_column / 8], bytes, to);
    case SKEIN_TAIL_SLOTS:
        return take_slots(s, words[SKEIN_ENTRY_MASK_WORD], to);
    case SKEIN_TAIL_WORDS: /* packed as they are in records */
        return take_bytes(&s->columns->column[shape->tail_column / 8], bytes, to);
    default:
        return true;
    }
}

/* A counter on a grid; the value is that of its column. */
static bool take_counter(struct shard_decoder *s, uint64_t value, uint64_t *tsc) {
    struct skein_wire *columns = s->columns->column;
    uint64_t rest;
    uint8_t low;

    if (!s->counters.begun) {
        skein_tsc_unpack_first(&s->counters, value);
        *tsc = value;
        return true;
    }
    return take_bytes(&columns[SKEIN_COLUMN_TSC_LOW], 1, &low) &&
           take(&columns[SKEIN_COLUMN_TSC_REST], SKEIN_PACK_SINT64, &rest) &&
           skein_tsc_unpack_next(&s->counters, value, low, rest, tsc);
}

/* The columns of one kind while some events of it are decoded: copies, for registers to hold. */
struct kind_columns {
    struct skein_wire arg;
    struct skein_wire word[SKEIN_SHAPE_WORDS];
};

/* Writes a whole record at `to`, which has `room` bytes; its size, or 0: the columns are bad. */
static ALWAYS_INLINE size_t decode_shaped(const struct decoder *d, struct shard_decoder *s,
                                          struct kind_columns *c, const struct skein_shape *shape,
                                          uint8_t kind, uint8_t flags, uint8_t *to, size_t room) {
    struct skein_coding_context ctx = {
        .series = &s->series,
        .clock = d->clock,
        .shard_count = d->block->shard_count,
        .flags = flags,
    };
    uint64_t words[SKEIN_SHAPE_WORDS] = {0}, value;
    size_t tail, size;

    if (!take(&c->arg, SKEIN_PACK_UINT64, &value) || value > UINT32_MAX) {
        return 0;
    }
    ctx.arg = (uint32_t)value;
    for (uint8_t i = 0; i < shape->word_count; i++) {
        if (!take(&c->word[i], shape->word[i].packing, &value)) {
            return 0;
        }
        if (shape->word[i].coding == SKEIN_CODE_VALUE && s->counters.grid.step != 0 &&
            (ctx.arg & 0xff) == SKEIN_VALUE_TSC) {
            if (!take_counter(s, value, &words[i])) {
                return 0;
            }
            continue;
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
    return take_tail(s, shape, words, tail, to + 8u * shape->word_count) ? size : 0;
}

static ALWAYS_INLINE void add_event(struct decoder *d, uint32_t shard, bool token, size_t size) {
    struct skein_block *b = d->block;

    d->slices += token;
    b->by_shard[b->shard_start[shard] + (d->clock[shard] - b->info.clock[shard])] = d->event;
    b->events[d->event++] = (struct skein_block_event){(uint32_t)d->offset, d->slices, shard};
    d->clock[shard]++;
    d->offset += size;
}

/* n events of one kind of the shard; `shape` is a constant for each caller. */
static ALWAYS_INLINE bool decode_some(struct decoder *d, uint32_t shard, uint8_t kind,
                                      const struct skein_shape *shape, const uint8_t *flags,
                                      uint64_t n) {
    struct shard_decoder *s = &d->shards[shard];
    struct skein_wire *columns = s->columns->column;
    struct kind_columns c = {.arg = columns[shape->arg_column / 8]};

    for (uint8_t i = 0; i < shape->word_count; i++) {
        c.word[i] = columns[shape->word[i].column / 8];
    }
    for (uint64_t k = 0; k < n; k++) {
        const size_t size =
            decode_shaped(d, s, &c, shape, kind, flags != NULL ? flags[k] : 0,
                          d->block->records + d->offset, d->block->info.raw_bytes - d->offset);
        if (size == 0) {
            return false;
        }
        add_event(d, shard, kind == SKEIN_TOKEN, size);
    }
    columns[shape->arg_column / 8] = c.arg;
    for (uint8_t i = 0; i < shape->word_count; i++) {
        columns[shape->word[i].column / 8] = c.word[i];
    }
    return true;
}

/* One record that is stored whole. */
static bool decode_raw(struct decoder *d, uint32_t shard) {
    struct skein_wire *columns = d->shards[shard].columns->column;
    uint8_t *to = d->block->records + d->offset;
    struct skein_record rec;
    uint64_t size;

    if (!skein_wire_varint(&columns[SKEIN_COLUMN_RAW_SIZE], &size) || size < sizeof(rec) ||
        size % 8 != 0 || size > SKEIN_RECORD_LIMIT_BYTES ||
        size > d->block->info.raw_bytes - d->offset ||
        !take_bytes(&columns[SKEIN_COLUMN_RAW], size, to)) {
        return false;
    }
    memcpy(&rec, to, sizeof(rec));
    if (rec.size_bytes != size || rec.kind == SKEIN_PAD || rec.kind >= SKEIN_KIND_COUNT) {
        return false;
    }
    add_event(d, shard, rec.kind == SKEIN_TOKEN, size);
    return true;
}

#define DECODE_SOME(k)                                                                             \
    case k:                                                                                        \
        return decode_some(d, shard, k, &skein_shapes[k], flags, n)

static bool decode_kind(struct decoder *d, uint32_t shard, uint8_t kind, const uint8_t *flags,
                        uint64_t n) {
    switch (kind) {
        DECODE_SOME(SKEIN_TOKEN);
        DECODE_SOME(SKEIN_ENTRY);
        DECODE_SOME(SKEIN_INTERRUPT);
        DECODE_SOME(SKEIN_VALUE);
        DECODE_SOME(SKEIN_USER_READ);
        DECODE_SOME(SKEIN_MEM);
        DECODE_SOME(SKEIN_FPU);
        DECODE_SOME(SKEIN_DIGEST);
        DECODE_SOME(SKEIN_PAGE_DIRTY);
        DECODE_SOME(SKEIN_PAGE_CLEAN);
        DECODE_SOME(SKEIN_TLB_FLUSH);
        DECODE_SOME(SKEIN_MARK);
        DECODE_SOME(SKEIN_END);
    default:
        break;
    }
    if ((kind & SKEIN_KIND_RAW) == 0) {
        return false;
    }
    for (uint64_t k = 0; k < n; k++) {
        if (!decode_raw(d, shard)) {
            return false;
        }
    }
    return true;
}

/* n events of a shard that follow one another, those of one kind at a time. */
static bool decode_run(struct decoder *d, uint32_t shard, uint64_t n) {
    struct skein_wire *columns = d->shards[shard].columns->column;
    struct skein_wire *kinds = &columns[SKEIN_COLUMN_KIND], *flags = &columns[SKEIN_COLUMN_FLAGS];

    if (n > skein_wire_left(kinds) || n > d->block->info.clock_after[shard] - d->clock[shard]) {
        return false;
    }
    for (uint64_t same; n != 0; n -= same) {
        const uint8_t kind = *kinds->at;
        for (same = 1; same < n && kinds->at[same] == kind;) {
            same++;
        }
        if (!decode_kind(d, shard, kind, flags->at, same)) {
            return false;
        }
        kinds->at += same;
        flags->at = flags->end != NULL ? flags->at + same : flags->at;
    }
    return true;
}

static bool decode_events(struct decoder *d, struct skein_block_columns *columns) {
    const struct skein_block_info *info = &d->block->info;
    uint64_t shard, n;

    for (uint32_t i = 0; i < columns->shard_count; i++) {
        d->shards[i].columns = &columns->shards[i];
        d->shards[i].counters.grid = columns->shards[i].counters;
    }
    while (columns->run_shard.at != columns->run_shard.end) {
        if (!skein_wire_varint(&columns->run_shard, &shard) || shard >= columns->shard_count ||
            !skein_wire_varint(&columns->run_events, &n) || !decode_run(d, (uint32_t)shard, n)) {
            return false;
        }
    }
    return d->event == info->events && d->offset == info->raw_bytes &&
           memcmp(d->clock, info->clock_after, columns->shard_count * 8u) == 0 &&
           skein_block_columns_used_up(columns);
}

int skein_block_decode_columns(struct skein_block *block, struct skein_block_columns *columns) {
    struct decoder *d = calloc(1, sizeof(*d) + columns->shard_count * sizeof(d->shards[0]));
    int rc;

    if (d == NULL) {
        return -ENOMEM;
    }
    d->block = block;
    memcpy(d->clock, block->info.clock, sizeof(d->clock));
    rc = decode_events(d, columns) ? 0 : -EBADMSG;
    free(d);
    return rc;
}
