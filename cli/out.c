#include "cli/out.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CAPACITY (1u << 20)
#define MAX_DIGITS 20u

static const char hex_digits[] = "0123456789abcdef";

int skein_out_init(struct skein_out *out, int fd) {
    *out = (struct skein_out){.fd = fd, .capacity = CAPACITY, .buffer = malloc(CAPACITY)};
    return out->buffer != NULL ? 0 : -ENOMEM;
}

void skein_out_free(struct skein_out *out) {
    free(out->buffer);
    out->buffer = NULL;
}

bool skein_out_flush(struct skein_out *out) {
    size_t done = 0;
    while (done < out->used && out->error == 0 && out->fd >= 0) {
        ssize_t n = write(out->fd, out->buffer + done, out->used - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            out->error = errno;
    }
    out->used = 0;
    return out->error == 0;
}

bool skein_out_closed(const struct skein_out *out) {
    return out->error == EPIPE || out->error == EBADF;
}

void skein_out_room(struct skein_out *out, size_t bytes) {
    if (out->capacity - out->used < bytes)
        skein_out_flush(out);
}

/* The digits end at `end`; returns where they begin. */
static char *digits(char *end, uint64_t value) {
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return end;
}

void skein_out_dec(struct skein_out *out, uint64_t value) {
    char text[MAX_DIGITS];
    const char *begin = digits(text + sizeof(text), value);
    skein_out_text(out, begin, (size_t)(text + sizeof(text) - begin));
}

static void put_aligned(struct skein_out *out, const char *text, size_t length, size_t width) {
    for (size_t i = length; i < width; i++)
        skein_out_char(out, ' ');
    skein_out_text(out, text, length);
}

void skein_out_dec_aligned(struct skein_out *out, uint64_t value, size_t width) {
    char text[MAX_DIGITS];
    const char *begin = digits(text + sizeof(text), value);
    put_aligned(out, begin, (size_t)(text + sizeof(text) - begin), width);
}

void skein_out_hex(struct skein_out *out, uint64_t value) {
    unsigned shift = value != 0 ? (63u - (unsigned)__builtin_clzll(value)) & ~3u : 0;
    skein_out_text(out, "0x", 2);
    for (;; shift -= 4) {
        skein_out_char(out, hex_digits[value >> shift & 0xf]);
        if (shift == 0)
            break;
    }
}

void skein_out_bytes(struct skein_out *out, const uint8_t *bytes, size_t count) {
    char *to = out->buffer + out->used;
    for (size_t i = 0; i < count; i++) {
        *to++ = hex_digits[bytes[i] >> 4];
        *to++ = hex_digits[bytes[i] & 0xf];
    }
    out->used += 2 * count;
}

void skein_out_seconds(struct skein_out *out, uint64_t ns, size_t width) {
    char text[MAX_DIGITS + 1], *end = text + sizeof(text);
    uint64_t fraction = ns % 1000000000u;
    for (int i = 0; i < 9; i++, fraction /= 10)
        *--end = (char)('0' + fraction % 10);
    *--end = '.';
    end = digits(end, ns / 1000000000u);
    put_aligned(out, end, (size_t)(text + sizeof(text) - end), width);
}

void skein_out_pad(struct skein_out *out, size_t start, size_t width) {
    do
        skein_out_char(out, ' ');
    while (out->used - start < width);
}
