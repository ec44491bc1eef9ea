/* Numbers and bytes, compressed (zlib) in memory as they come. */
#ifndef SKEIN_CLI_PACKED_H
#define SKEIN_CLI_PACKED_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct skein_packed;

/* 0 or -ENOMEM. */
int skein_packed_create(struct skein_packed **out);
void skein_packed_free(struct skein_packed *p);

/* An error is kept and told by finish(). number: 7 bits to a byte, the lowest first. */
void skein_packed_number(struct skein_packed *p, uint64_t value);
void skein_packed_bytes(struct skein_packed *p, const uint8_t *bytes, size_t len);

/* Nothing is added after it. 0 or -ENOMEM. */
int skein_packed_finish(struct skein_packed *p);

/* What was packed, in base64. Errors are left to ferror(). */
void skein_packed_base64(const struct skein_packed *p, FILE *out);

/* One number into `to` (room for 10 bytes); how many bytes it took. */
size_t skein_packed_encode(uint8_t *to, uint64_t value);

#endif
