#include "pipeline/block_shape.h"

#include <string.h>

#include "proto/skein.pb-c.h"

#define COLUMN(field) (uint16_t) offsetof(Skein__ShardColumns, n_##field)
#define BYTES_COLUMN(field) (uint16_t) offsetof(Skein__ShardColumns, field)
/* What struct skein_column relies on. */
#define CHECK_COLUMN(field)                                                                        \
    static_assert(offsetof(Skein__ShardColumns, field) ==                                          \
                      offsetof(Skein__ShardColumns, n_##field) + sizeof(size_t),                   \
                  "protobuf-c puts the pointer after its count")
CHECK_COLUMN(raw_size);
CHECK_COLUMN(token_arg);
CHECK_COLUMN(end_ram_hash);
static_assert(offsetof(ProtobufCBinaryData, len) == 0 &&
                  offsetof(ProtobufCBinaryData, data) == sizeof(size_t),
              "a bytes field looks like a column too");

static const struct skein_shape shapes[SKEIN_KIND_COUNT] = {
    [SKEIN_TOKEN] = {3,
                     SKEIN_TAIL_NONE,
                     COLUMN(token_arg),
                     0,
                     {{COLUMN(token_edge), SKEIN_CODE_EDGE},
                      {COLUMN(token_position), SKEIN_CODE_POSITION},
                      {COLUMN(token_digest), SKEIN_CODE_PLAIN}}},
    [SKEIN_ENTRY] = {4,
                     SKEIN_TAIL_SLOTS,
                     COLUMN(entry_arg),
                     0,
                     {{COLUMN(entry_icount), SKEIN_CODE_ICOUNT},
                      {COLUMN(entry_error), SKEIN_CODE_PLAIN},
                      {COLUMN(entry_next_ip), SKEIN_CODE_IP},
                      {COLUMN(entry_mask), SKEIN_CODE_PLAIN}}},
    [SKEIN_INTERRUPT] = {2,
                         SKEIN_TAIL_NONE,
                         COLUMN(interrupt_arg),
                         0,
                         {{COLUMN(interrupt_icount), SKEIN_CODE_ICOUNT},
                          {COLUMN(interrupt_digest), SKEIN_CODE_PLAIN}}},
    [SKEIN_VALUE] = {1, SKEIN_TAIL_NONE, COLUMN(value_arg), 0, {{COLUMN(value), SKEIN_CODE_VALUE}}},
    [SKEIN_USER_READ] = {1,
                         SKEIN_TAIL_BYTES,
                         COLUMN(user_read_arg),
                         BYTES_COLUMN(user_read_bytes),
                         {{COLUMN(user_read_va), SKEIN_CODE_VA}}},
    [SKEIN_MEM] = {2,
                   SKEIN_TAIL_BYTES,
                   COLUMN(mem_arg),
                   BYTES_COLUMN(mem_bytes),
                   {{COLUMN(mem_position), SKEIN_CODE_POSITION},
                    {COLUMN(mem_ram), SKEIN_CODE_RAM}}},
    [SKEIN_FPU] = {2,
                   SKEIN_TAIL_WORDS,
                   COLUMN(fpu_arg),
                   COLUMN(fpu_slots),
                   {{COLUMN(fpu_mask_lo), SKEIN_CODE_PLAIN},
                    {COLUMN(fpu_mask_hi), SKEIN_CODE_PLAIN}}},
    [SKEIN_DIGEST] = {2,
                      SKEIN_TAIL_NONE,
                      COLUMN(digest_arg),
                      0,
                      {{COLUMN(digest_icount), SKEIN_CODE_ICOUNT},
                       {COLUMN(digest), SKEIN_CODE_PLAIN}}},
    [SKEIN_PAGE_DIRTY] = {1,
                          SKEIN_TAIL_NONE,
                          COLUMN(page_dirty_arg),
                          0,
                          {{COLUMN(page_dirty_ram), SKEIN_CODE_PAGE}}},
    [SKEIN_PAGE_CLEAN] = {1,
                          SKEIN_TAIL_NONE,
                          COLUMN(page_clean_arg),
                          0,
                          {{COLUMN(page_clean_ram), SKEIN_CODE_PAGE}}},
    [SKEIN_TLB_FLUSH] = {1,
                         SKEIN_TAIL_NONE,
                         COLUMN(tlb_flush_arg),
                         0,
                         {{COLUMN(tlb_flush_icount), SKEIN_CODE_ICOUNT}}},
    [SKEIN_MARK] =
        {1, SKEIN_TAIL_NONE, COLUMN(mark_arg), 0, {{COLUMN(mark_icount), SKEIN_CODE_ICOUNT}}},
    [SKEIN_END] = {5,
                   SKEIN_TAIL_NONE,
                   COLUMN(end_arg),
                   0,
                   {{COLUMN(end_icount), SKEIN_CODE_ICOUNT},
                    {COLUMN(end_digest), SKEIN_CODE_PLAIN},
                    {COLUMN(end_console_bytes), SKEIN_CODE_PLAIN},
                    {COLUMN(end_console_hash), SKEIN_CODE_PLAIN},
                    {COLUMN(end_ram_hash), SKEIN_CODE_PLAIN}}},
};

const struct skein_shape *skein_shape_of(uint8_t kind) {
    return kind != SKEIN_PAD && kind < SKEIN_KIND_COUNT ? &shapes[kind] : NULL;
}

/* The series a coding belongs to; NULL: the value is the word itself. */
static uint64_t *series_of(const struct skein_coding_context *ctx, uint8_t coding) {
    struct skein_series *s = ctx->series;

    switch (coding) {
    case SKEIN_CODE_ICOUNT:
        return &s->icount;
    case SKEIN_CODE_POSITION:
        return (ctx->flags & SKEIN_F_AT_IO) != 0 ? &s->io : &s->icount;
    case SKEIN_CODE_IP:
        return &s->ip;
    case SKEIN_CODE_VA:
        return &s->va;
    case SKEIN_CODE_RAM:
        return &s->ram;
    case SKEIN_CODE_PAGE:
        return &s->page;
    case SKEIN_CODE_VALUE:
        return (ctx->arg & 0xff) == SKEIN_VALUE_TSC ? &s->tsc : NULL;
    default:
        return NULL;
    }
}

static uint64_t edge_base(const struct skein_coding_context *ctx) {
    return ctx->arg < ctx->shard_count ? ctx->clock[ctx->arg] : 0;
}

uint64_t skein_word_encode(const struct skein_coding_context *ctx, uint8_t coding, uint64_t word) {
    uint64_t *last = series_of(ctx, coding);
    uint64_t delta;

    if (coding == SKEIN_CODE_EDGE) {
        return word - edge_base(ctx);
    }
    if (last == NULL) {
        return word;
    }
    delta = word - *last;
    *last = word;
    return coding == SKEIN_CODE_PAGE ? delta >> 12 | delta << 52 : delta;
}

uint64_t skein_word_decode(const struct skein_coding_context *ctx, uint8_t coding, uint64_t value) {
    uint64_t *last = series_of(ctx, coding);

    if (coding == SKEIN_CODE_EDGE) {
        return value + edge_base(ctx);
    }
    if (last == NULL) {
        return value;
    }
    *last += coding == SKEIN_CODE_PAGE ? value << 12 | value >> 52 : value;
    return *last;
}

bool skein_shape_tail_bytes(const struct skein_shape *shape, uint32_t arg, const uint64_t *words,
                            size_t *bytes) {
    switch (shape->tail) {
    case SKEIN_TAIL_BYTES:
        *bytes = arg;
        return arg <= UINT16_MAX;
    case SKEIN_TAIL_SLOTS:
        *bytes = 8u * (size_t)__builtin_popcountll(words[SKEIN_ENTRY_MASK_WORD]);
        return words[SKEIN_ENTRY_MASK_WORD] >> SKEIN_SLOT_COUNT == 0;
    case SKEIN_TAIL_WORDS:
        *bytes = 8u * (size_t)(__builtin_popcountll(words[0]) + __builtin_popcountll(words[1]));
        return true;
    default:
        *bytes = 0;
        return true;
    }
}

bool skein_shape_fits(const struct skein_record *rec, size_t *tail_bytes) {
    const struct skein_shape *shape = skein_shape_of(rec->kind);
    const uint8_t *payload = (const uint8_t *)(rec + 1);
    const size_t payload_bytes = rec->size_bytes - sizeof(*rec);
    uint64_t words[SKEIN_SHAPE_WORDS];
    size_t tail, fixed;

    if (shape == NULL || payload_bytes < 8u * shape->word_count) {
        return false;
    }
    fixed = 8u * shape->word_count;
    *tail_bytes = 0;
    if (shape->tail == SKEIN_TAIL_NONE) {
        return payload_bytes == fixed;
    }
    memcpy(words, payload, fixed);
    if (!skein_shape_tail_bytes(shape, rec->arg, words, &tail) ||
        payload_bytes != fixed + ((tail + 7) & ~(size_t)7)) {
        return false;
    }
    for (size_t i = fixed + tail; i < payload_bytes; i++) {
        if (payload[i] != 0) {
            return false;
        }
    }
    *tail_bytes = tail;
    return true;
}
