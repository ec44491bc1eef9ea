#include "pipeline/wire.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "proto/skein.pb-c.h"
#include "tests/pipeline/random.h"

#define COUNT 2000u

/* Integers of every length, as many bits as fit in 1 … 10 bytes. */
static uint64_t any_length(struct random *rng) {
    return random_next(rng) >> random_below(rng, 64);
}

/* What is behind the bytes would go well with them: 0x01 ends an integer, a 0xff goes on. */
static uint8_t *padded(const uint8_t *bytes, size_t n, uint8_t padding) {
    uint8_t *copy = malloc(n + SKEIN_WIRE_PADDING);

    memcpy(copy, bytes, n);
    memset(copy + n, padding, SKEIN_WIRE_PADDING);
    return copy;
}

/* What protobuf-c packs. */
Test(wire, packed_integers_come_back) {
    uint64_t plain[COUNT], fixed[COUNT];
    int64_t zigzag[COUNT];
    Skein__ShardColumns msg = SKEIN__SHARD_COLUMNS__INIT;
    struct random rng = {1};
    struct skein_wire_field field;
    unsigned fields = 0;

    for (size_t i = 0; i < COUNT; i++) {
        plain[i] = any_length(&rng);
        zigzag[i] = (int64_t)any_length(&rng) * (random_below(&rng, 2) != 0 ? 1 : -1);
        fixed[i] = any_length(&rng);
    }
    plain[0] = UINT64_MAX;
    zigzag[0] = INT64_MIN;
    zigzag[1] = INT64_MAX;
    msg.n_token_arg = msg.n_token_edge = msg.n_token_digest = COUNT;
    msg.token_arg = plain;
    msg.token_edge = zigzag;
    msg.token_digest = fixed;
    const size_t size = skein__shard_columns__get_packed_size(&msg);
    uint8_t *packed = malloc(size);
    skein__shard_columns__pack(&msg, packed);
    uint8_t *bytes = padded(packed, size, 0xff);
    struct skein_wire w = {bytes, bytes + size};
    while (w.at != w.end) {
        cr_assert(skein_wire_field(&w, &field));
        cr_assert_eq(field.type, SKEIN_WIRE_BYTES);
        for (size_t i = 0; i < COUNT; i++) {
            uint64_t v;
            if (field.number == 13) {
                cr_assert(skein_wire_fixed64(&field.bytes, &v));
                cr_assert_eq(v, fixed[i]);
                continue;
            }
            cr_assert(skein_wire_varint(&field.bytes, &v));
            cr_assert_eq(field.number == 10 ? v : skein_wire_unzigzag(v),
                         field.number == 10 ? plain[i] : (uint64_t)zigzag[i]);
        }
        cr_assert_eq(field.bytes.at, field.bytes.end);
        fields++;
    }
    cr_assert_eq(fields, 3u);
    free(packed);
    free(bytes);
}

static bool one(const uint8_t *bytes, size_t n, uint64_t *value) {
    bool good = false;

    for (unsigned padding = 0x01; padding <= 0xff; padding += 0xfe) {
        uint8_t *copy = padded(bytes, n, (uint8_t)padding);
        struct skein_wire w = {copy, copy + n};
        const bool now = skein_wire_varint(&w, value);
        cr_assert(padding == 0x01 || now == good);
        cr_assert(!now || w.at == w.end);
        good = now;
        free(copy);
    }
    return good;
}

Test(wire, an_integer_that_is_cut_short_is_refused) {
    const uint8_t long_one[] = {0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x01};
    uint64_t v;

    for (size_t n = 0; n < sizeof(long_one); n++) {
        cr_assert_not(one(long_one, n, &v), "%zu bytes", n);
    }
    cr_assert(one(long_one, sizeof(long_one), &v));
    cr_assert_eq(v, 0x89101c305080c101ull);
}

Test(wire, an_integer_of_more_than_64_bits_is_refused) {
    uint8_t bytes[11];
    uint64_t v;

    memset(bytes, 0xff, sizeof(bytes));
    bytes[9] = 1;
    cr_assert(one(bytes, 10, &v));
    cr_assert_eq(v, UINT64_MAX);
    bytes[9] = 2;
    cr_assert_not(one(bytes, 10, &v));
    bytes[9] = 0x81;
    bytes[10] = 0;
    cr_assert_not(one(bytes, 11, &v));
    /* Longer than it need be, but no more than 64 bits. */
    memset(bytes, 0x80, sizeof(bytes));
    bytes[9] = 0;
    cr_assert(one(bytes, 10, &v));
    cr_assert_eq(v, 0u);
}

static bool field_of(const uint8_t *bytes, size_t n, struct skein_wire_field *field) {
    uint8_t *copy = padded(bytes, n, 0x01);
    struct skein_wire w = {copy, copy + n};
    const bool good = skein_wire_field(&w, field);

    cr_assert(!good || w.at == w.end);
    free(copy);
    return good;
}

Test(wire, fields_of_all_types) {
    const uint8_t number_0[] = {0x02, 0x00}, group[] = {0x0b, 0x0c}, end_group[] = {0x0c};
    const uint8_t varint[] = {0x08, 0x96, 0x01}, fixed32[] = {0x0d, 1, 2, 3, 4};
    const uint8_t fixed64[] = {0x09, 1, 2, 3, 4, 5, 6, 7, 8};
    const uint8_t bytes[] = {0x92, 0x01, 3, 'a', 'b', 'c'}, endless[] = {0x12, 4, 'a', 'b', 'c'};
    struct skein_wire_field f;

    cr_assert(field_of(varint, sizeof(varint), &f));
    cr_assert(f.number == 1 && f.type == SKEIN_WIRE_VARINT && f.value == 150);
    cr_assert(field_of(fixed64, sizeof(fixed64), &f));
    cr_assert_not(field_of(fixed64, sizeof(fixed64) - 1, &f));
    cr_assert(field_of(fixed32, sizeof(fixed32), &f));
    cr_assert_not(field_of(fixed32, sizeof(fixed32) - 1, &f));
    cr_assert(field_of(bytes, sizeof(bytes), &f));
    cr_assert(f.number == 18 && f.type == SKEIN_WIRE_BYTES && skein_wire_left(&f.bytes) == 3);
    cr_assert_not(field_of(endless, sizeof(endless), &f));
    cr_assert_not(field_of(number_0, sizeof(number_0), &f));
    cr_assert_not(field_of(group, sizeof(group), &f));
    cr_assert_not(field_of(end_group, sizeof(end_group), &f));
}
