/* Tables of symbols as scripts/kallsyms of Linux writes them. */
#include <stdlib.h>
#include <string.h>

#include "tests/replay/fake_kernel.h"

#define PERCPU_END 0x100000u

struct out {
    uint8_t *to;
    size_t bytes;
};

static const char *const long_tokens[] = {"sys_", "filler", "_0", "init", "tfiller_1", "module"};

static void put(struct out *o, uint64_t value, size_t bytes) {
    memcpy(o->to + o->bytes, &value, bytes);
    o->bytes += bytes;
}

static void align(struct out *o) {
    while (o->bytes % 8 != 0)
        put(o, 0, 1);
}

/* Characters stand for themselves; some of the other codes are long tokens, the rest empty. */
static const char *token(unsigned code, char single[2]) {
    if (code >= 0x80 && code < 0x80 + sizeof(long_tokens) / sizeof(*long_tokens))
        return long_tokens[code - 0x80];
    single[0] = code > ' ' && code <= '~' ? (char)code : '\0';
    single[1] = '\0';
    return single;
}

static size_t compress(const struct fake_symbol *s, uint8_t *codes) {
    char text[sizeof(s->name) + 1];
    size_t count = 0;
    text[0] = s->type;
    memcpy(text + 1, s->name, sizeof(s->name));
    for (const char *at = text; *at != '\0'; count++) {
        size_t best = 1;
        codes[count] = (uint8_t)*at;
        for (unsigned i = 0; i < sizeof(long_tokens) / sizeof(*long_tokens); i++) {
            const size_t len = strlen(long_tokens[i]);
            if (len > best && strncmp(at, long_tokens[i], len) == 0) {
                best = len;
                codes[count] = (uint8_t)(0x80 + i);
            }
        }
        at += best;
    }
    return count;
}

static void put_offsets(struct out *o, const struct fake_kernel *f) {
    align(o);
    for (size_t i = 0; i < f->count; i++) {
        const uint64_t address = f->symbols[i].address;
        if (f->options.no_percpu_addresses)
            put(o, address - f->text, 4);
        else
            put(o, address < PERCPU_END ? address : f->text - 1 - address, 4);
    }
    align(o);
    put(o, f->text, 8);
}

static void put_names(struct out *o, const struct fake_kernel *f) {
    uint32_t *markers = calloc(f->count / 256 + 1, sizeof(*markers));
    size_t start, marker_count = 0;
    align(o);
    put(o, f->count, 4);
    align(o);
    start = o->bytes;
    for (size_t i = 0; i < f->count; i++) {
        uint8_t codes[sizeof(f->symbols[i].name) + 1];
        const size_t n = compress(&f->symbols[i], codes);
        if (i % 256 == 0)
            markers[marker_count++] = (uint32_t)(o->bytes - start);
        if (n > 0x7f) {
            put(o, (n & 0x7f) | 0x80, 1);
            put(o, n >> 7, 1);
        } else {
            put(o, n, 1);
        }
        memcpy(o->to + o->bytes, codes, n);
        o->bytes += n;
    }
    align(o);
    for (size_t i = 0; i < marker_count; i++)
        put(o, markers[i], 4);
    free(markers);
}

static void put_seqs(struct out *o, const struct fake_kernel *f) {
    align(o);
    for (size_t i = 0; i < f->count; i++)
        put(o, i, 3);
}

static void put_tokens(struct out *o) {
    uint16_t index[256];
    size_t start;
    char single[2];
    align(o);
    start = o->bytes;
    for (unsigned code = 0; code < 256; code++) {
        const char *text = token(code, single);
        index[code] = (uint16_t)(o->bytes - start);
        memcpy(o->to + o->bytes, text, strlen(text) + 1);
        o->bytes += strlen(text) + 1;
    }
    align(o);
    memcpy(o->to + o->bytes, index, sizeof(index));
    o->bytes += sizeof(index);
}

size_t fake_kallsyms_write(const struct fake_kernel *f, uint8_t *to) {
    struct out o = {.to = to};
    if (f->options.tables != FAKE_TABLES_6_4)
        put_offsets(&o, f);
    put_names(&o, f);
    if (f->options.tables == FAKE_TABLES_6_2)
        put_seqs(&o, f);
    put_tokens(&o);
    if (f->options.tables == FAKE_TABLES_6_4) {
        put_offsets(&o, f);
        put_seqs(&o, f);
    }
    return o.bytes;
}
