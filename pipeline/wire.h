/*
 * Reads protobuf's wire format in place: fields, and the integers of packed columns one by one.
 * Strict (nothing past the end, no integer longer than 64 bits) and without memory of its own.
 *
 * The Block message is read with this and not with protobuf-c, which makes 8 bytes of memory of
 * every integer before the first is looked at: that was a third of the time of reading a recording.
 * What is on disk is the same message.
 *
 * The bytes that a struct skein_wire is over must be followed by SKEIN_WIRE_PADDING that may be
 * read: integers are loaded eight bytes at a time, and checked against the end then.
 */
#ifndef SKEIN_PIPELINE_WIRE_H
#define SKEIN_PIPELINE_WIRE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SKEIN_WIRE_PADDING 8u

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "integers are loaded as they are");

/* What is left to read. */
struct skein_wire {
    const uint8_t *at, *end;
};

static inline size_t skein_wire_left(const struct skein_wire *w) {
    return (size_t)(w->end - w->at);
}

/* The integers of nine and ten bytes. */
static inline bool skein_wire_varint_long(struct skein_wire *w, uint64_t *value) {
    uint64_t v = 0;

    for (unsigned i = 0; i < 10 && i < skein_wire_left(w); i++) {
        const uint64_t byte = w->at[i];
        v |= (byte & 0x7f) << 7 * i;
        if (byte < 0x80) {
            w->at += i + 1;
            *value = v;
            return i < 9 || byte < 2;
        }
    }
    return false;
}

/* False: the bytes end within it, or it has more than 64 bits. */
static inline bool skein_wire_varint(struct skein_wire *w, uint64_t *value) {
    uint64_t v, ends;
    size_t bytes;

    if (w->at == w->end) {
        return false;
    }
    memcpy(&v, w->at, sizeof(v));
    if ((v & 0x80) == 0) {
        w->at++;
        *value = v & 0x7f;
        return true;
    }
    ends = ~v & 0x8080808080808080u; /* the top bit of every byte that ends an integer */
    if (ends == 0) {
        return skein_wire_varint_long(w, value);
    }
    bytes = ((size_t)__builtin_ctzll(ends) + 1) / 8;
    if (bytes > skein_wire_left(w)) {
        return false;
    }
    w->at += bytes;
    /* Only this integer's bytes; then their groups of 7 bits move together: 14, 28, 56. */
    v &= (ends ^ (ends - 1)) & 0x7f7f7f7f7f7f7f7fu;
    v = (v & 0x7f007f007f007f00u) >> 1 | (v & 0x007f007f007f007fu);
    v = (v & 0x3fff00003fff0000u) >> 2 | (v & 0x00003fff00003fffu);
    *value = (v & 0x0fffffff00000000u) >> 4 | (v & 0x000000000fffffffu);
    return true;
}

/* An integer of type sint64. */
static inline uint64_t skein_wire_unzigzag(uint64_t value) {
    return value >> 1 ^ -(value & 1);
}

static inline bool skein_wire_fixed64(struct skein_wire *w, uint64_t *value) {
    if (skein_wire_left(w) < sizeof(*value)) {
        return false;
    }
    memcpy(value, w->at, sizeof(*value));
    w->at += sizeof(*value);
    return true;
}

enum skein_wire_type {
    SKEIN_WIRE_VARINT = 0,
    SKEIN_WIRE_FIXED64 = 1,
    SKEIN_WIRE_BYTES = 2, /* strings, messages and packed columns, too */
    SKEIN_WIRE_FIXED32 = 5,
};

struct skein_wire_field {
    uint64_t number;
    enum skein_wire_type type;
    uint64_t value;          /* VARINT */
    struct skein_wire bytes; /* BYTES */
};

/* The next field of a message, whole. The message has one more when w->at is not w->end. */
bool skein_wire_field(struct skein_wire *w, struct skein_wire_field *field);

#endif
