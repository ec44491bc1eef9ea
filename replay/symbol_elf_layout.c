#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "replay/symbol_elf_private.h"

#define MAX_SECTIONS 0xf000u /* numbers from 0xff00 on have a meaning of their own in ELF */
#define KERNEL_SECTIONS 8u

static void add(struct skein_elf_layout *l, uint64_t address, uint64_t end, bool code,
                const char *name) {
    struct skein_elf_section *s = &l->sections[l->count];
    if (end <= address)
        return;
    *s = (struct skein_elf_section){.address = address, .bytes = end - address, .code = code};
    snprintf(s->name, sizeof(s->name), "%s", name);
    l->count++;
}

/* Data is what lies around the kernel's code; its table is in order of address. */
static void add_kernel(const struct skein_kernel *k, struct skein_elf_layout *l) {
    const struct skein_symbol_table *t = &k->table;
    const struct skein_symbol *last = &t->symbols[k->own_symbols - 1];
    const uint64_t text_end = skein_symbol_table_address(t, "_etext");
    const uint64_t init = skein_symbol_table_address(t, "_sinittext");
    const uint64_t init_end = skein_symbol_table_address(t, "_einittext");
    const uint64_t end = last->address + 1;
    if (text_end <= k->text) { /* it does not say where code ends */
        add(l, k->text, end, true, ".text");
        return;
    }
    add(l, k->text, text_end, true, ".text");
    if (init >= text_end && init_end > init) {
        add(l, text_end, init, false, ".data");
        add(l, init, init_end, true, ".init.text");
        add(l, init_end, end, false, ".init.data");
    } else {
        add(l, text_end, end, false, ".data");
    }
}

static void add_module(const struct skein_module *m, struct skein_elf_layout *l) {
    for (size_t i = 0; i < m->range_count && l->count < MAX_SECTIONS; i++) {
        const struct skein_module_range *r = &m->ranges[i];
        char name[80];
        snprintf(name, sizeof(name), ".%s.%s", m->name, r->code ? "text" : "data");
        add(l, r->address, r->address + r->bytes, r->code, name);
    }
}

static int by_address(const void *a, const void *b) {
    const struct skein_elf_section *x = a, *y = b;
    return x->address < y->address ? -1 : x->address > y->address;
}

int skein_elf_layout_make(const struct skein_kernel *k, struct skein_elf_layout *l) {
    const size_t most = KERNEL_SECTIONS + k->modules.count * SKEIN_MODULE_RANGES;
    *l = (struct skein_elf_layout){.sections = calloc(most, sizeof(*l->sections))};
    if (l->sections == NULL)
        return -ENOMEM;
    add_kernel(k, l);
    for (size_t i = 0; i < k->modules.count; i++)
        add_module(&k->modules.modules[i], l);
    qsort(l->sections, l->count, sizeof(*l->sections), by_address);
    return 0;
}

void skein_elf_layout_free(struct skein_elf_layout *l) {
    free(l->sections);
    *l = (struct skein_elf_layout){0};
}

size_t skein_elf_layout_find(const struct skein_elf_layout *l, uint64_t address) {
    size_t low = 0, high = l->count; /* the last section that begins at or before it */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (l->sections[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && address - l->sections[low - 1].address < l->sections[low - 1].bytes ? low : 0;
}
