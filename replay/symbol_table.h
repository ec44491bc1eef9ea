/* Symbols of a guest's kernel and of its modules. */
#ifndef SKEIN_REPLAY_SYMBOL_TABLE_H
#define SKEIN_REPLAY_SYMBOL_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct skein_symbol {
    uint64_t address;
    uint64_t bytes;  /* 0: unknown */
    uint32_t name;   /* where it begins in the table's names */
    uint16_t module; /* 0: the kernel itself; n: the table's owner's module n - 1 */
    char type;       /* as in /proc/kallsyms */
};

struct skein_symbol_table {
    struct skein_symbol *symbols;
    size_t count, room;
    char *names; /* each ends with a zero */
    size_t names_bytes, names_room;
};

void skein_symbol_table_free(struct skein_symbol_table *t);

/* Copies the name. -ENOMEM, or -E2BIG: more than any kernel has. */
int skein_symbol_table_add(struct skein_symbol_table *t, const struct skein_symbol *symbol,
                           const char *name, size_t name_bytes);

static inline const char *skein_symbol_name(const struct skein_symbol_table *t,
                                            const struct skein_symbol *s) {
    return t->names + s->name;
}

/* The first one at or behind `from` (NULL: of all) that has the name; NULL: none. */
const struct skein_symbol *skein_symbol_table_find(const struct skein_symbol_table *t,
                                                   const struct skein_symbol *from,
                                                   const char *name);

/* The kernel's address of that name; 0: it has none. */
uint64_t skein_symbol_table_address(const struct skein_symbol_table *t, const char *name);

#endif
