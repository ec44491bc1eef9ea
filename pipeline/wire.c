#include "pipeline/wire.h"

#define TYPE_BITS 3u

static bool pass(struct skein_wire *w, uint64_t bytes) {
    if (bytes > skein_wire_left(w)) {
        return false;
    }
    w->at += bytes;
    return true;
}

bool skein_wire_field(struct skein_wire *w, struct skein_wire_field *field) {
    uint64_t tag, length;

    *field = (struct skein_wire_field){0};
    if (!skein_wire_varint(w, &tag)) {
        return false;
    }
    field->number = tag >> TYPE_BITS;
    field->type = (enum skein_wire_type)(tag & ((1u << TYPE_BITS) - 1));
    if (field->number == 0) {
        return false;
    }
    switch (field->type) {
    case SKEIN_WIRE_VARINT:
        return skein_wire_varint(w, &field->value);
    case SKEIN_WIRE_FIXED64:
        return pass(w, 8);
    case SKEIN_WIRE_FIXED32:
        return pass(w, 4);
    case SKEIN_WIRE_BYTES:
        if (!skein_wire_varint(w, &length)) {
            return false;
        }
        field->bytes.at = w->at;
        if (!pass(w, length)) {
            return false;
        }
        field->bytes.end = w->at;
        return true;
    default:
        return false;
    }
}
