/*
 * Output by the gigabyte: text is put together in one buffer by the functions below, which is
 * several times as fast as a printf() for each field, and written when the buffer is full.
 *
 * The putting functions do not look whether there is room. Whoever uses them calls
 * skein_out_room() first, with the most that it may put before the next call.
 */
#ifndef SKEIN_CLI_OUT_H
#define SKEIN_CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct skein_out {
    int fd;
    int error; /* errno of the first write that failed; from there on, nothing is written */
    char *buffer;
    size_t capacity;
    size_t used;
};

/* 0 or -ENOMEM. fd -1: for what fits into one buffer and is taken from there. */
int skein_out_init(struct skein_out *out, int fd);
void skein_out_free(struct skein_out *out);

/* Makes sure that `bytes` (less than the capacity) can be put. */
void skein_out_room(struct skein_out *out, size_t bytes);

/* Writes what there is. False: it could not be written, now or before (see error). */
bool skein_out_flush(struct skein_out *out);

/* The reader of our output has gone: no failure, there is nobody left to tell. */
bool skein_out_closed(const struct skein_out *out);

static inline void skein_out_char(struct skein_out *out, char c) {
    out->buffer[out->used++] = c;
}

static inline void skein_out_text(struct skein_out *out, const char *text, size_t length) {
    memcpy(out->buffer + out->used, text, length);
    out->used += length;
}

static inline void skein_out_string(struct skein_out *out, const char *text) {
    skein_out_text(out, text, strlen(text));
}

void skein_out_dec(struct skein_out *out, uint64_t value);

/* Right-aligned in `width` columns, or wider. */
void skein_out_dec_aligned(struct skein_out *out, uint64_t value, size_t width);

/* "0x1f". */
void skein_out_hex(struct skein_out *out, uint64_t value);

/* Two digits for each byte. */
void skein_out_bytes(struct skein_out *out, const uint8_t *bytes, size_t count);

/* Nanoseconds as seconds with nine decimals, right-aligned in `width` columns. */
void skein_out_seconds(struct skein_out *out, uint64_t ns, size_t width);

/* Spaces up to `width` columns behind `start`, at least one. */
void skein_out_pad(struct skein_out *out, size_t start, size_t width);

#endif
