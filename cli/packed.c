#include "cli/packed.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define RAW_BYTES 32768u

struct skein_packed {
    z_stream z;
    uint8_t raw[RAW_BYTES];
    size_t raw_used;
    uint8_t *out;
    size_t used, room;
    int rc;
};

int skein_packed_create(struct skein_packed **out) {
    struct skein_packed *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return -ENOMEM;
    if (deflateInit(&p->z, Z_DEFAULT_COMPRESSION) != Z_OK) {
        free(p);
        return -ENOMEM;
    }
    *out = p;
    return 0;
}

void skein_packed_free(struct skein_packed *p) {
    if (p == NULL)
        return;
    deflateEnd(&p->z);
    free(p->out);
    free(p);
}

static bool make_room(struct skein_packed *p) {
    if (p->room - p->used >= RAW_BYTES)
        return true;
    const size_t room = 2 * p->room + 2 * RAW_BYTES;
    uint8_t *bigger = realloc(p->out, room);
    if (bigger == NULL)
        return false;
    p->out = bigger;
    p->room = room;
    return true;
}

static void squeeze(struct skein_packed *p, int flush) {
    int rc = Z_OK;
    p->z.next_in = p->raw;
    p->z.avail_in = (uInt)p->raw_used;
    p->raw_used = 0;
    do {
        if (p->rc != 0 || !make_room(p)) {
            p->rc = -ENOMEM;
            return;
        }
        p->z.next_out = p->out + p->used;
        p->z.avail_out = (uInt)RAW_BYTES;
        rc = deflate(&p->z, flush);
        p->used += RAW_BYTES - p->z.avail_out;
    } while (rc == Z_OK && (p->z.avail_in > 0 || p->z.avail_out == 0 || flush == Z_FINISH));
}

void skein_packed_bytes(struct skein_packed *p, const uint8_t *bytes, size_t len) {
    while (len > 0) {
        const size_t fits = RAW_BYTES - p->raw_used < len ? RAW_BYTES - p->raw_used : len;
        memcpy(p->raw + p->raw_used, bytes, fits);
        p->raw_used += fits;
        bytes += fits;
        len -= fits;
        if (p->raw_used == RAW_BYTES)
            squeeze(p, Z_NO_FLUSH);
    }
}

size_t skein_packed_encode(uint8_t *to, uint64_t value) {
    size_t n = 0;
    for (; value > 0x7f; value >>= 7)
        to[n++] = (uint8_t)(value | 0x80);
    to[n++] = (uint8_t)value;
    return n;
}

void skein_packed_number(struct skein_packed *p, uint64_t value) {
    uint8_t bytes[10];
    skein_packed_bytes(p, bytes, skein_packed_encode(bytes, value));
}

int skein_packed_finish(struct skein_packed *p) {
    squeeze(p, Z_FINISH);
    return p->rc;
}

void skein_packed_base64(const struct skein_packed *p, FILE *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < p->used; i += 3) {
        const size_t n = p->used - i < 3 ? p->used - i : 3;
        uint32_t v = (uint32_t)p->out[i] << 16;
        v |= n > 1 ? (uint32_t)p->out[i + 1] << 8 : 0;
        v |= n > 2 ? (uint32_t)p->out[i + 2] : 0;
        fputc(digits[v >> 18], out);
        fputc(digits[v >> 12 & 63], out);
        fputc(n > 1 ? digits[v >> 6 & 63] : '=', out);
        fputc(n > 2 ? digits[v & 63] : '=', out);
    }
}
