/* Columns that grow while a block is encoded. 0 or -ENOMEM. */
#ifndef SKEIN_PIPELINE_BLOCK_COLUMN_H
#define SKEIN_PIPELINE_BLOCK_COLUMN_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/block_shape.h"

/* Room for `need` units in all; what is there stays. */
static inline int skein_column_reserve(void **data, size_t *capacity, size_t need, size_t unit) {
    size_t grown = *capacity != 0 ? *capacity : 64;
    void *p;

    if (need <= *capacity) {
        return 0;
    }
    while (grown < need) {
        grown *= 2;
    }
    p = realloc(*data, grown * unit);
    if (p == NULL) {
        return -ENOMEM;
    }
    *data = p;
    *capacity = grown;
    return 0;
}

/* Behind what is there. */
static inline int skein_column_put(struct skein_column *column, size_t *capacity, uint64_t value) {
    if (__builtin_expect(column->count == *capacity, 0) &&
        skein_column_reserve(&column->data, capacity, column->count + 1, 8) != 0) {
        return -ENOMEM;
    }
    ((uint64_t *)column->data)[column->count++] = value;
    return 0;
}

static inline int skein_column_put_bytes(struct skein_column *column, size_t *capacity,
                                         const void *bytes, size_t n) {
    if (n == 0) {
        return 0;
    }
    if (skein_column_reserve(&column->data, capacity, column->count + n, 1) != 0) {
        return -ENOMEM;
    }
    memcpy((uint8_t *)column->data + column->count, bytes, n);
    column->count += n;
    return 0;
}

#endif
