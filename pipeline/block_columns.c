#include "pipeline/block_columns.h"

#include <stdlib.h>

/* Field numbers (proto/skein.proto); those of the columns come from ShardColumns' descriptor. */
#define BLOCK_RUN_SHARD 1u
#define BLOCK_RUN_EVENTS 2u
#define BLOCK_SHARDS 3u
#define COLUMNS_SHARD 1u
#define SLOT_SLOT 1u
#define SLOT_VALUE 2u

struct skein_block_columns *skein_block_columns_new(uint32_t shard_count) {
    struct skein_block_columns *c = calloc(1, sizeof(*c) + shard_count * sizeof(c->shards[0]));

    if (c != NULL) {
        c->shard_count = shard_count;
    }
    return c;
}

/* False: the column is there already, or the field is not of its type. */
static bool set_column(struct skein_wire *column, const struct skein_wire_field *field) {
    if (field->type != SKEIN_WIRE_BYTES || column->end != NULL) {
        return false;
    }
    if (field->bytes.at != field->bytes.end) {
        *column = field->bytes;
    }
    return true;
}

static bool find_slot(struct skein_shard_columns *c, const struct skein_wire_field *message) {
    struct skein_wire w = message->bytes, values = {NULL, NULL};
    struct skein_wire_field field;
    uint64_t slot = 0;

    if (message->type != SKEIN_WIRE_BYTES) {
        return false;
    }
    while (w.at != w.end) {
        if (!skein_wire_field(&w, &field)) {
            return false;
        }
        if (field.number == SLOT_SLOT) {
            slot = field.type == SKEIN_WIRE_VARINT ? field.value : UINT64_MAX;
        } else if (field.number == SLOT_VALUE && !set_column(&values, &field)) {
            return false;
        }
    }
    if (slot >= SKEIN_SLOT_COUNT || c->slot[slot].end != NULL) {
        return false;
    }
    c->slot[slot] = values;
    return true;
}

static bool set_number(struct skein_shard_columns *c, size_t offset,
                       const struct skein_wire_field *field) {
    const uint32_t value = (uint32_t)field->value;

    if (field->type != SKEIN_WIRE_VARINT || field->value > UINT32_MAX) {
        return false;
    }
    switch (offset) {
    case offsetof(Skein__ShardColumns, tsc_step):
        c->counters.step = value;
        break;
    case offsetof(Skein__ShardColumns, tsc_shift):
        c->counters.shift = value;
        break;
    case offsetof(Skein__ShardColumns, tsc_phase):
        c->counters.phase = value;
        break;
    default: /* the shard's number: find_number() */
        break;
    }
    return true;
}

static bool find_column(struct skein_shard_columns *c, const struct skein_wire_field *field) {
    const ProtobufCFieldDescriptor *known =
        field->number <= UINT32_MAX
            ? protobuf_c_message_descriptor_get_field(&skein__shard_columns__descriptor,
                                                      (unsigned)field->number)
            : NULL;

    if (known == NULL) {
        return true; /* of a later version */
    }
    if (known->type == PROTOBUF_C_TYPE_UINT32) {
        return set_number(c, known->offset, field);
    }
    if (known->type == PROTOBUF_C_TYPE_MESSAGE) {
        return find_slot(c, field);
    }
    return set_column(
        &c->column[(known->label == PROTOBUF_C_LABEL_REPEATED ? known->quantifier_offset
                                                              : known->offset) /
                   8],
        field);
}

/* The shard's number may stand anywhere in the message; absent: 0. */
static bool find_number(struct skein_wire w, uint64_t *shard) {
    struct skein_wire_field field;

    *shard = 0;
    while (w.at != w.end) {
        if (!skein_wire_field(&w, &field)) {
            return false;
        }
        if (field.number == COLUMNS_SHARD) {
            *shard = field.type == SKEIN_WIRE_VARINT ? field.value : UINT64_MAX;
        }
    }
    return true;
}

static bool find_shard(struct skein_block_columns *columns,
                       const struct skein_wire_field *message) {
    struct skein_wire w = message->bytes;
    struct skein_shard_columns *c;
    struct skein_wire_field field;
    uint64_t shard;

    if (message->type != SKEIN_WIRE_BYTES || !find_number(w, &shard) ||
        shard >= columns->shard_count || columns->shards[shard].present) {
        return false;
    }
    c = &columns->shards[shard];
    c->present = true;
    while (w.at != w.end) {
        if (!skein_wire_field(&w, &field) || !find_column(c, &field)) {
            return false;
        }
    }
    return (c->counters.step == 0 || skein_tsc_grid_valid(c->counters)) &&
           (c->column[SKEIN_COLUMN_FLAGS].end == NULL ||
            skein_wire_left(&c->column[SKEIN_COLUMN_FLAGS]) ==
                skein_wire_left(&c->column[SKEIN_COLUMN_KIND]));
}

bool skein_block_columns_find(struct skein_block_columns *columns, const uint8_t *packed,
                              size_t packed_bytes) {
    struct skein_wire w = {packed, packed + packed_bytes};
    struct skein_wire_field field;
    bool good = true;

    while (good && w.at != w.end) {
        good = skein_wire_field(&w, &field);
        if (good && field.number == BLOCK_RUN_SHARD) {
            good = set_column(&columns->run_shard, &field);
        } else if (good && field.number == BLOCK_RUN_EVENTS) {
            good = set_column(&columns->run_events, &field);
        } else if (good && field.number == BLOCK_SHARDS) {
            good = find_shard(columns, &field);
        }
    }
    return good;
}

bool skein_block_columns_used_up(const struct skein_block_columns *columns) {
    bool used = columns->run_shard.at == columns->run_shard.end &&
                columns->run_events.at == columns->run_events.end;

    for (uint32_t i = 0; i < columns->shard_count; i++) {
        const struct skein_shard_columns *c = &columns->shards[i];
        for (size_t k = 0; k < SKEIN_COLUMN_COUNT; k++) {
            used &= c->column[k].at == c->column[k].end;
        }
        for (size_t k = 0; k < SKEIN_SLOT_COUNT; k++) {
            used &= c->slot[k].at == c->slot[k].end;
        }
    }
    return used;
}
