#include "replay/kallsyms.h"

#include <errno.h>
#include <string.h>

#define TOKENS 256u
#define TOKEN_MAX_BYTES 512u
#define SYMBOLS_PER_MARKER 256u
#define NAME_MAX_BYTES 1024u
#define MIN_SYMBOLS 256u
#define MAX_SYMBOLS (2u << 20)
#define SEQ_BYTES 3u
#define KERNEL_START 0xffffffff80000000u /* where x86-64 links its kernel */
#define KERNEL_BYTES 0x40000000u
#define TRIED_NAMES 16u
#define MAX_STEPS (16u << 20) /* names walked over: wrong ones may look right for long */
#define MAX_SIZE (16u << 20)  /* of one symbol; more is a gap in the map */

static size_t align8(size_t at) {
    return (at + 7) & ~(size_t)7;
}

static uint16_t u16_at(const uint8_t *p) {
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint32_t u32_at(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint64_t u64_at(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* Where the text at `at` ends, behind its zero; 0: nowhere near. */
static size_t token_end(const uint8_t *window, size_t bytes, size_t at) {
    const size_t left = at < bytes ? bytes - at : 0;
    const uint8_t *zero =
        left > 0 ? memchr(window + at, 0, left < TOKEN_MAX_BYTES ? left : TOKEN_MAX_BYTES) : NULL;
    return zero != NULL ? (size_t)(zero - window) + 1 : 0;
}

bool skein_kallsyms_find_tokens(const uint8_t *window, size_t bytes, size_t digits,
                                struct skein_kallsyms *k) {
    size_t at = digits, index, before;
    *k = (struct skein_kallsyms){0};
    for (unsigned token = '0'; token < TOKENS; token++) {
        at = token_end(window, bytes, at);
        if (at == 0)
            return false;
    }
    index = align8(at);
    if (index + TOKENS * 2 > bytes)
        return false;
    before = u16_at(window + index + (size_t)'0' * 2);
    if (before > digits)
        return false;
    at = digits - before;
    k->token_table = at;
    k->token_index = index;
    for (unsigned token = 0; token < TOKENS && at != 0; token++) {
        if (u16_at(window + index + (size_t)token * 2) != at - k->token_table)
            return false;
        at = token_end(window, index, at);
    }
    return at != 0;
}

/* The tokens of the name at *at, which moves behind it; 0: there can be none. */
static size_t next_name(const uint8_t *window, size_t end, size_t *at) {
    size_t tokens;
    if (*at >= end)
        return 0;
    tokens = window[(*at)++];
    if (tokens & 0x80) {
        if (*at >= end)
            return 0;
        tokens = (tokens & 0x7f) | (size_t)window[(*at)++] << 7;
    }
    if (tokens > end - *at)
        return 0;
    *at += tokens;
    return tokens;
}

static size_t expand(const uint8_t *window, const struct skein_kallsyms *k, const uint8_t *tokens,
                     size_t count, char text[NAME_MAX_BYTES]) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t at = k->token_table + u16_at(window + k->token_index + (size_t)tokens[i] * 2);
        const size_t len = strlen((const char *)window + at);
        if (len >= NAME_MAX_BYTES - bytes)
            return 0;
        memcpy(text + bytes, window + at, len);
        bytes += len;
    }
    text[bytes] = '\0';
    return bytes;
}

/* A type, and a name that a terminal can show. */
static bool is_symbol(const char *text, size_t bytes) {
    const char type = bytes > 0 ? text[0] : '\0';
    if (bytes < 2 || !((type >= 'A' && type <= 'Z') || (type >= 'a' && type <= 'z') || type == '?'))
        return false;
    for (size_t i = 1; i < bytes; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return true;
}

static bool names_begin_here(const uint8_t *window, const struct skein_kallsyms *k) {
    char text[NAME_MAX_BYTES];
    size_t at = k->names;
    for (unsigned i = 0; i < TRIED_NAMES; i++) {
        const size_t count = next_name(window, k->token_table, &at);
        const size_t bytes = expand(window, k, window + at - count, count, text);
        if (count == 0 || !is_symbol(text, bytes))
            return false;
    }
    return true;
}

static size_t markers_of(uint32_t count) {
    return (count + SYMBOLS_PER_MARKER - 1) / SYMBOLS_PER_MARKER;
}

/* Names from k->names on, as many as there are said to be, and their markers. */
static bool names_and_markers_fit(const uint8_t *window, struct skein_kallsyms *k,
                                  uint32_t *steps) {
    size_t at = k->names, end;
    for (uint32_t i = 0; i < k->count; i++) {
        if (++*steps > MAX_STEPS || next_name(window, k->token_table, &at) == 0)
            return false;
    }
    k->names_end = at;
    k->markers = align8(at);
    end = k->markers + markers_of(k->count) * 4;
    if (align8(end) != k->token_table &&
        align8(align8(end) + (size_t)k->count * SEQ_BYTES) != k->token_table)
        return false;
    at = k->names;
    for (uint32_t i = 0; i < k->count; i++) {
        if (i % SYMBOLS_PER_MARKER == 0 &&
            u32_at(window + k->markers + (size_t)(i / SYMBOLS_PER_MARKER) * 4) != at - k->names)
            return false;
        next_name(window, k->token_table, &at);
    }
    return true;
}

static bool find_names(const uint8_t *window, struct skein_kallsyms *k) {
    const size_t first =
        k->token_table > SKEIN_KALLSYMS_BEFORE ? align8(k->token_table - SKEIN_KALLSYMS_BEFORE) : 0;
    uint32_t steps = 0;
    for (size_t at = k->token_table; at >= first + 8 && steps <= MAX_STEPS;) {
        uint64_t count;
        at -= 8;
        count = u64_at(window + at);
        if (count < MIN_SYMBOLS || count > MAX_SYMBOLS)
            continue;
        k->count = (uint32_t)count;
        k->names = at + 8;
        if (names_begin_here(window, k) && names_and_markers_fit(window, k, &steps))
            return true;
    }
    return false;
}

static uint64_t address_of(const uint8_t *window, const struct skein_kallsyms *k, uint32_t i) {
    const uint32_t offset = u32_at(window + k->offsets + (size_t)i * 4);
    if (!k->percpu_addresses)
        return k->base + offset;
    return (int32_t)offset >= 0 ? offset : k->base - 1 - (uint64_t)(int64_t)(int32_t)offset;
}

static bool try_offsets(const uint8_t *window, size_t bytes, size_t offsets, size_t base,
                        struct skein_kallsyms *k) {
    uint64_t last = 0;
    if (base + 8 > bytes || offsets + (size_t)k->count * 4 > bytes)
        return false;
    k->offsets = offsets;
    k->base = u64_at(window + base);
    k->percpu_addresses = false;
    if (k->base < KERNEL_START || k->base - KERNEL_START >= KERNEL_BYTES)
        return false;
    for (uint32_t i = 0; i < k->count && !k->percpu_addresses; i++)
        k->percpu_addresses = (u32_at(window + offsets + (size_t)i * 4) & 0x80000000u) != 0;
    for (uint32_t i = 0; i < k->count; i++) {
        const uint64_t address = address_of(window, k, i);
        if (address < last)
            return false;
        last = address;
    }
    return last >= KERNEL_START;
}

int skein_kallsyms_find(const uint8_t *window, size_t bytes, struct skein_kallsyms *k) {
    size_t offsets_bytes, behind;
    if (!find_names(window, k))
        return -ENOENT;
    offsets_bytes = align8((size_t)k->count * 4);
    behind = align8(k->token_index + TOKENS * 2);
    if (k->names >= 16 + offsets_bytes &&
        try_offsets(window, bytes, k->names - 16 - offsets_bytes, k->names - 16, k))
        return 0;
    return try_offsets(window, bytes, behind, behind + offsets_bytes, k) ? 0 : -ENOENT;
}

/* Several names may stand for one address: each gets the size up to the next other one. */
static void fill_sizes(struct skein_symbol_table *t, size_t first) {
    uint64_t next = 0;
    for (size_t i = t->count; i-- > first;) {
        struct skein_symbol *s = &t->symbols[i];
        const bool same = i + 1 < t->count && t->symbols[i + 1].address == s->address;
        if (!same && i + 1 < t->count)
            next = t->symbols[i + 1].address;
        s->bytes = next > s->address && next - s->address <= MAX_SIZE ? next - s->address : 0;
    }
}

int skein_kallsyms_decode(const uint8_t *window, const struct skein_kallsyms *k,
                          struct skein_symbol_table *table) {
    const size_t first = table->count;
    char text[NAME_MAX_BYTES];
    size_t at = k->names;
    for (uint32_t i = 0; i < k->count; i++) {
        const size_t count = next_name(window, k->names_end, &at);
        const size_t bytes = expand(window, k, window + at - count, count, text);
        const struct skein_symbol symbol = {.address = address_of(window, k, i), .type = text[0]};
        int rc;
        if (count == 0 || !is_symbol(text, bytes))
            return -EBADMSG;
        rc = skein_symbol_table_add(table, &symbol, text + 1, bytes - 1);
        if (rc != 0)
            return rc;
    }
    fill_sizes(table, first);
    return 0;
}
