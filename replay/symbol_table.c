#include "replay/symbol_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SYMBOLS (4u << 20)
#define MAX_NAMES_BYTES (256u << 20)

void skein_symbol_table_free(struct skein_symbol_table *t) {
    free(t->symbols);
    free(t->names);
    *t = (struct skein_symbol_table){0};
}

static int grow(void **data, size_t *room, size_t wanted, size_t max, size_t size) {
    size_t more = *room > 0 ? *room * 2 : 4096;
    void *grown;
    if (wanted <= *room)
        return 0;
    if (wanted > max)
        return -E2BIG;
    while (more < wanted)
        more *= 2;
    grown = realloc(*data, more * size);
    if (grown == NULL)
        return -ENOMEM;
    *data = grown;
    *room = more;
    return 0;
}

int skein_symbol_table_add(struct skein_symbol_table *t, const struct skein_symbol *symbol,
                           const char *name, size_t name_bytes) {
    void *symbols = t->symbols, *names = t->names;
    int rc = grow(&symbols, &t->room, t->count + 1, MAX_SYMBOLS, sizeof(*symbol));
    t->symbols = symbols;
    if (rc == 0) {
        rc = grow(&names, &t->names_room, t->names_bytes + name_bytes + 1, MAX_NAMES_BYTES, 1);
        t->names = names;
    }
    if (rc != 0)
        return rc;
    t->symbols[t->count] = *symbol;
    t->symbols[t->count++].name = (uint32_t)t->names_bytes;
    memcpy(t->names + t->names_bytes, name, name_bytes);
    t->names[t->names_bytes + name_bytes] = '\0';
    t->names_bytes += name_bytes + 1;
    return 0;
}

const struct skein_symbol *skein_symbol_table_find(const struct skein_symbol_table *t,
                                                   const struct skein_symbol *from,
                                                   const char *name) {
    for (size_t i = from != NULL ? (size_t)(from - t->symbols) : 0; i < t->count; i++) {
        if (strcmp(skein_symbol_name(t, &t->symbols[i]), name) == 0)
            return &t->symbols[i];
    }
    return NULL;
}

uint64_t skein_symbol_table_address(const struct skein_symbol_table *t, const char *name) {
    const struct skein_symbol *s = skein_symbol_table_find(t, NULL, name);
    return s != NULL && s->module == 0 ? s->address : 0;
}
