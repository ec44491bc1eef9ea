/*
 * The table of shapes. The decoder includes it to have one loop per kind, made for it by the
 * compiler; everyone else asks skein_shape_of().
 */
#ifndef SKEIN_PIPELINE_BLOCK_SHAPE_TABLE_H
#define SKEIN_PIPELINE_BLOCK_SHAPE_TABLE_H

#include "pipeline/block_shape.h"
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

static const struct skein_shape skein_shapes[SKEIN_KIND_COUNT] = {
    [SKEIN_TOKEN] = {3,
                     SKEIN_TAIL_NONE,
                     COLUMN(token_arg),
                     0,
                     {{COLUMN(token_edge), SKEIN_CODE_EDGE, SKEIN_PACK_SINT64},
                      {COLUMN(token_position), SKEIN_CODE_POSITION, SKEIN_PACK_SINT64},
                      {COLUMN(token_digest), SKEIN_CODE_PLAIN, SKEIN_PACK_FIXED64}}},
    [SKEIN_ENTRY] = {4,
                     SKEIN_TAIL_SLOTS,
                     COLUMN(entry_arg),
                     0,
                     {{COLUMN(entry_icount), SKEIN_CODE_ICOUNT, SKEIN_PACK_SINT64},
                      {COLUMN(entry_error), SKEIN_CODE_PLAIN, SKEIN_PACK_UINT64},
                      {COLUMN(entry_next_ip), SKEIN_CODE_IP, SKEIN_PACK_SINT64},
                      {COLUMN(entry_mask), SKEIN_CODE_PLAIN, SKEIN_PACK_UINT64}}},
    [SKEIN_INTERRUPT] = {2,
                         SKEIN_TAIL_NONE,
                         COLUMN(interrupt_arg),
                         0,
                         {{COLUMN(interrupt_icount), SKEIN_CODE_ICOUNT, SKEIN_PACK_SINT64},
                          {COLUMN(interrupt_digest), SKEIN_CODE_PLAIN, SKEIN_PACK_FIXED64}}},
    [SKEIN_VALUE] = {1,
                     SKEIN_TAIL_NONE,
                     COLUMN(value_arg),
                     0,
                     {{COLUMN(value), SKEIN_CODE_VALUE, SKEIN_PACK_SINT64}}},
    [SKEIN_USER_READ] = {1,
                         SKEIN_TAIL_BYTES,
                         COLUMN(user_read_arg),
                         BYTES_COLUMN(user_read_bytes),
                         {{COLUMN(user_read_va), SKEIN_CODE_VA, SKEIN_PACK_SINT64}}},
    [SKEIN_MEM] = {2,
                   SKEIN_TAIL_BYTES,
                   COLUMN(mem_arg),
                   BYTES_COLUMN(mem_bytes),
                   {{COLUMN(mem_position), SKEIN_CODE_POSITION, SKEIN_PACK_SINT64},
                    {COLUMN(mem_ram), SKEIN_CODE_RAM, SKEIN_PACK_SINT64}}},
    [SKEIN_FPU] = {2,
                   SKEIN_TAIL_WORDS,
                   COLUMN(fpu_arg),
                   COLUMN(fpu_slots),
                   {{COLUMN(fpu_mask_lo), SKEIN_CODE_PLAIN, SKEIN_PACK_UINT64},
                    {COLUMN(fpu_mask_hi), SKEIN_CODE_PLAIN, SKEIN_PACK_UINT64}}},
    [SKEIN_DIGEST] = {2,
                      SKEIN_TAIL_NONE,
                      COLUMN(digest_arg),
                      0,
                      {{COLUMN(digest_icount), SKEIN_CODE_ICOUNT, SKEIN_PACK_SINT64},
                       {COLUMN(digest), SKEIN_CODE_PLAIN, SKEIN_PACK_FIXED64}}},
    [SKEIN_PAGE_DIRTY] = {1,
                          SKEIN_TAIL_NONE,
                          COLUMN(page_dirty_arg),
                          0,
                          {{COLUMN(page_dirty_ram), SKEIN_CODE_PAGE, SKEIN_PACK_SINT64}}},
    [SKEIN_PAGE_CLEAN] = {1,
                          SKEIN_TAIL_NONE,
                          COLUMN(page_clean_arg),
                          0,
                          {{COLUMN(page_clean_ram), SKEIN_CODE_PAGE, SKEIN_PACK_SINT64}}},
    [SKEIN_TLB_FLUSH] = {1,
                         SKEIN_TAIL_NONE,
                         COLUMN(tlb_flush_arg),
                         0,
                         {{COLUMN(tlb_flush_icount), SKEIN_CODE_ICOUNT, SKEIN_PACK_SINT64}}},
    [SKEIN_MARK] = {1,
                    SKEIN_TAIL_NONE,
                    COLUMN(mark_arg),
                    0,
                    {{COLUMN(mark_icount), SKEIN_CODE_ICOUNT, SKEIN_PACK_SINT64}}},
    [SKEIN_END] = {5,
                   SKEIN_TAIL_NONE,
                   COLUMN(end_arg),
                   0,
                   {{COLUMN(end_icount), SKEIN_CODE_ICOUNT, SKEIN_PACK_SINT64},
                    {COLUMN(end_digest), SKEIN_CODE_PLAIN, SKEIN_PACK_FIXED64},
                    {COLUMN(end_console_bytes), SKEIN_CODE_PLAIN, SKEIN_PACK_UINT64},
                    {COLUMN(end_console_hash), SKEIN_CODE_PLAIN, SKEIN_PACK_FIXED64},
                    {COLUMN(end_ram_hash), SKEIN_CODE_PLAIN, SKEIN_PACK_FIXED64}}},
};

#undef COLUMN
#undef BYTES_COLUMN
#undef CHECK_COLUMN

#endif
