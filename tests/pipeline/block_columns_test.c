#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "pipeline/block.h"
#include "proto/skein.pb-c.h"
#include "tests/pipeline/events.h"
#include "tests/pipeline/random.h"

/* A block of all kinds, some without a shape, as protobuf-c unpacks it. */
struct unpacked {
    struct skein_block_info info;
    Skein__Block *msg;
};

static struct unpacked make_unpacked(void) {
    struct history h = history_make(8, 3, 1500, 1);
    struct random rng = {4};
    struct skein_block_encoder *enc;
    struct unpacked u;
    const uint8_t *data;
    size_t bytes;

    cr_assert_eq(skein_block_encoder_create(3, 0, &enc), 0);
    for (size_t i = 0; i < h.count; i++) {
        skein_block_encoder_add(enc, h.events[i].shard, history_record(&h, i));
        if (i % 50 == 0) {
            struct any_record odd;
            events_make_odd(&rng, &odd);
            skein_block_encoder_add(enc, h.events[i].shard, &odd.header);
        }
    }
    cr_assert_eq(skein_block_encoder_finish(enc, &u.info, &data, &bytes), 0);
    uint8_t *packed = malloc(u.info.packed_bytes);
    cr_assert_eq(ZSTD_decompress(packed, u.info.packed_bytes, data, bytes), u.info.packed_bytes);
    u.msg = skein__block__unpack(NULL, u.info.packed_bytes, packed);
    cr_assert_not_null(u.msg);
    free(packed);
    skein_block_encoder_free(enc);
    history_free(&h);
    return u;
}

/* Decodes these bytes as the block's message. */
static int decode_packed(struct unpacked *u, const uint8_t *packed, size_t packed_bytes) {
    const size_t room = ZSTD_compressBound(packed_bytes);
    uint8_t *data = malloc(room);
    struct skein_block *block;
    int rc;

    u->info.packed_bytes = packed_bytes;
    rc = skein_block_decode(data, ZSTD_compress(data, room, packed, packed_bytes, 1), &u->info, 3,
                            &block, NULL);
    if (rc == 0) {
        skein_block_free(block);
    }
    free(data);
    return rc;
}

/* What the decoder says to the message as it is now, with `tail` behind it. */
static int decode_changed(struct unpacked *u, const uint8_t *tail, size_t tail_bytes) {
    const size_t packed_bytes = skein__block__get_packed_size(u->msg);
    uint8_t *packed = malloc(packed_bytes + tail_bytes);
    int rc;

    skein__block__pack(u->msg, packed);
    if (tail_bytes != 0) {
        memcpy(packed + packed_bytes, tail, tail_bytes);
    }
    rc = decode_packed(u, packed, packed_bytes + tail_bytes);
    free(packed);
    return rc;
}

/* Bytes or repeated fields of the message, one after the other; NULL behind the last. */
static size_t *column_count(void *message, const ProtobufCMessageDescriptor *type,
                            unsigned *field) {
    for (; *field < type->n_fields; ++*field) {
        const ProtobufCFieldDescriptor *f = &type->fields[*field];
        if (f->type == PROTOBUF_C_TYPE_MESSAGE || f->type == PROTOBUF_C_TYPE_UINT32) {
            continue;
        }
        return (void *)((char *)message +
                        (f->label == PROTOBUF_C_LABEL_REPEATED ? f->quantifier_offset : f->offset));
    }
    return NULL;
}

/* One value less than there are events, in every column that there is. */
static unsigned check_too_short(struct unpacked *u, void *message,
                                const ProtobufCMessageDescriptor *type) {
    unsigned columns = 0;
    size_t *count;

    for (unsigned field = 0; (count = column_count(message, type, &field)) != NULL; field++) {
        if (*count > 1) {
            --*count;
            cr_assert_eq(decode_changed(u, NULL, 0), -EBADMSG, "short %s",
                         type->fields[field].name);
            ++*count;
            columns++;
        }
    }
    return columns;
}

Test(block_columns, a_column_that_is_too_short_is_refused) {
    struct unpacked u = make_unpacked();
    unsigned columns = 0;

    cr_assert_eq(decode_changed(&u, NULL, 0), 0);
    columns += check_too_short(&u, u.msg, &skein__block__descriptor);
    for (size_t i = 0; i < u.msg->n_shards; i++) {
        Skein__ShardColumns *c = u.msg->shards[i];
        columns += check_too_short(&u, c, &skein__shard_columns__descriptor);
        for (size_t k = 0; k < c->n_entry_slots; k++) {
            columns += check_too_short(&u, c->entry_slots[k], &skein__slot_column__descriptor);
        }
    }
    cr_assert_gt(columns, 100u);
    skein__block__free_unpacked(u.msg, NULL);
}

/* One value more: the last one again. */
Test(block_columns, a_column_that_is_too_long_is_refused) {
    struct unpacked u = make_unpacked();
    unsigned columns = 0;

    for (size_t i = 0; i < u.msg->n_shards; i++) {
        Skein__ShardColumns *c = u.msg->shards[i];
        size_t *count;
        for (unsigned field = 0;
             (count = column_count(c, &skein__shard_columns__descriptor, &field)) != NULL;
             field++) {
            const ProtobufCFieldDescriptor *f = &skein__shard_columns__descriptor.fields[field];
            void **at = (void *)(count + 1), *was = *at;
            const size_t unit = f->type == PROTOBUF_C_TYPE_BYTES ? 1 : 8;
            if (*count == 0) {
                continue;
            }
            *at = memcpy(malloc((*count + 1) * unit), was, *count * unit);
            memcpy((char *)*at + *count * unit, (char *)was + (*count - 1) * unit, unit);
            ++*count;
            cr_assert_eq(decode_changed(&u, NULL, 0), -EBADMSG, "long %s", f->name);
            --*count;
            free(*at);
            *at = was;
            columns++;
        }
    }
    cr_assert_gt(columns, 80u);
    skein__block__free_unpacked(u.msg, NULL);
}

/* Fields that a later version may add are passed over; known ones stand once, with their type. */
Test(block_columns, fields_behind_the_message) {
    const uint8_t unknown[] = {0xfa, 0x3e, 2, 1, 2, 0xf8, 0x3e, 0x01}, runs_again[] = {0x0a, 1, 0};
    const uint8_t runs_unpacked[] = {0x08, 0}, shard_again[] = {0x1a, 2, 0x08, 0x01};
    const uint8_t shard_3[] = {0x1a, 2, 0x08, 0x03}, shards_of_a_type[] = {0x18, 0};
    const uint8_t cut[] = {0x1a, 3, 0x08, 0x01};
    struct unpacked u = make_unpacked();

    cr_assert_eq(decode_changed(&u, unknown, sizeof(unknown)), 0);
    cr_assert_eq(decode_changed(&u, runs_again, sizeof(runs_again)), -EBADMSG);
    cr_assert_eq(decode_changed(&u, runs_unpacked, sizeof(runs_unpacked)), -EBADMSG);
    cr_assert_eq(decode_changed(&u, shard_again, sizeof(shard_again)), -EBADMSG);
    cr_assert_eq(decode_changed(&u, shard_3, sizeof(shard_3)), -EBADMSG);
    cr_assert_eq(decode_changed(&u, shards_of_a_type, sizeof(shards_of_a_type)), -EBADMSG);
    cr_assert_eq(decode_changed(&u, cut, sizeof(cut)), -EBADMSG);
    skein__block__free_unpacked(u.msg, NULL);
}

/* The message cut off anywhere, and with each byte changed in some way. */
Test(block_columns, garbled_columns_never_pass_for_more_than_there_is) {
    struct unpacked u = make_unpacked();
    struct random rng = {17};
    const size_t size = skein__block__get_packed_size(u.msg);
    uint8_t *packed = malloc(size);

    skein__block__pack(u.msg, packed);
    for (size_t n = 0; n < size; n += 1 + n / 200) {
        cr_assert_eq(decode_packed(&u, packed, n), -EBADMSG, "cut to %zu of %zu", n, size);
    }
    for (int i = 0; i < 5000; i++) {
        const size_t at = random_below(&rng, size);
        const uint8_t was = packed[at];
        packed[at] ^= (uint8_t)(1 + random_below(&rng, 255));
        decode_packed(&u, packed, size);
        packed[at] = was;
    }
    cr_assert_eq(decode_packed(&u, packed, size), 0);
    free(packed);
    skein__block__free_unpacked(u.msg, NULL);
}

/* Clocks that count other events than the block has must not lead anywhere. */
Test(block_columns, clocks_that_do_not_fit_are_refused) {
    struct unpacked u = make_unpacked();
    const struct skein_block_info good = u.info;

    for (uint32_t i = 0; i < 3; i++) {
        u.info = good;
        u.info.clock_after[i]++;
        cr_assert_eq(decode_changed(&u, NULL, 0), -EBADMSG);
        u.info.clock_after[(i + 1) % 3]--;
        cr_assert_eq(decode_changed(&u, NULL, 0), -EBADMSG);
        u.info = good;
        u.info.clock[i] = u.info.clock_after[i] + 1;
        cr_assert_eq(decode_changed(&u, NULL, 0), -EBADMSG);
    }
    skein__block__free_unpacked(u.msg, NULL);
}
