#include "pipeline/block_shape.h"

#include <string.h>

#include "pipeline/block_shape_table.h"

const struct skein_shape *skein_shape_of(uint8_t kind) {
    return kind != SKEIN_PAD && kind < SKEIN_KIND_COUNT ? &skein_shapes[kind] : NULL;
}

bool skein_shape_match(const struct skein_record *rec, size_t *tail_bytes) {
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
