/*
 * The kernel's own table of symbols (kallsyms), as it lies in memory. A kernel of Linux 4.20 or
 * later, x86-64, has in its read-only data, each part aligned to 8 bytes:
 *
 *   num_syms      u32
 *   names         per symbol its length in tokens (one byte, or two: low seven bits first) and its
 *                 tokens, a byte each; the first letter of the text is the symbol's type
 *   markers       u32 for each 256 symbols: where in `names` they begin
 *   token_table   256 texts, each with a zero at its end
 *   token_index   256 u16: where in `token_table` each begins
 *   offsets       i32 per symbol, and relative_base, u64. A kernel with addresses of per-CPU
 *                 variables stores those as they are (0 and up) and all others as base - 1 -
 * offset; one without has base + offset seqs_of_names three bytes per symbol: not of interest
 *
 * Up to 6.3, offsets and relative_base come first, in front of num_syms; 6.2 and 6.3 have
 * seqs_of_names between markers and token_table.
 *
 * Nothing points to these tables from outside. They are found by the token table, in which the
 * digits stand for themselves, one behind the other; the rest follows from there, and only a
 * table that is consistent in every part is one.
 */
#ifndef SKEIN_REPLAY_KALLSYMS_H
#define SKEIN_REPLAY_KALLSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replay/symbol_table.h"

/* What to look for: what it holds at SKEIN_KALLSYMS_DIGITS is where a search may begin. */
#define SKEIN_KALLSYMS_DIGITS "0\0001\0002\0003\0004\0005\0006\0007\0008\0009"
#define SKEIN_KALLSYMS_DIGITS_BYTES sizeof(SKEIN_KALLSYMS_DIGITS) /* with the last zero */

/* How far the tables reach from the digits: what a window should hold if memory is there. */
#define SKEIN_KALLSYMS_BEFORE (24u << 20)
#define SKEIN_KALLSYMS_AFTER (12u << 20)
#define SKEIN_KALLSYMS_NEAR (64u << 10) /* enough to tell whether they are a token table's */

/* Places in the window. */
struct skein_kallsyms {
    uint32_t count;
    size_t names, names_end, markers, token_table, token_index, offsets;
    uint64_t base;
    bool percpu_addresses;
};

/*
 * Are the digits at `digits` part of a token table? The window begins at a multiple of 8 of the
 * kernel's addresses. Fills token_table and token_index.
 */
bool skein_kallsyms_find_tokens(const uint8_t *window, size_t bytes, size_t digits,
                                struct skein_kallsyms *k);

/* Then finds the rest. -ENOENT: there is none that fits. */
int skein_kallsyms_find(const uint8_t *window, size_t bytes, struct skein_kallsyms *k);

/* All symbols, in order of address, with sizes up to the next one. -EBADMSG, -ENOMEM. */
int skein_kallsyms_decode(const uint8_t *window, const struct skein_kallsyms *k,
                          struct skein_symbol_table *table);

#endif
