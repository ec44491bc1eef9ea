#include "replay/modules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MODULES 4096u
#define MAX_MODULE_SYMBOLS (1u << 18)
#define MAX_RANGE_BYTES (256u << 20)
#define NAME_MAX_BYTES 512u
#define SYMBOLS_AT_ONCE 128u

/* As the kernel has it in memory: ELF's, with addresses for values. */
struct elf_symbol {
    uint32_t name;
    uint8_t info, other;
    uint16_t section;
    uint64_t value, size;
};
_Static_assert(sizeof(struct elf_symbol) == 24, "ELF64's symbol");

/* Where members of the kernel's structs lie. */
struct layout {
    uint64_t list, list_next, list_prev, name, name_bytes;
    /* Linux 6.4 and later: an array of ranges, its first and fifth element being code. */
    uint64_t mem, mem_bytes, mem_count, mem_base, mem_size;
    /* Before: one range, with the code at its start. */
    uint64_t base, size, text_size;
    uint64_t kallsyms, symtab, num_symtab, strtab, typetab;
    uint64_t unwind_ips, unwind_entries, unwind_count;
    bool has_mem, has_typetab, has_unwind;
};

#define MOD_TEXT 0u
#define MOD_INIT_TEXT 4u

struct walk {
    const struct skein_guest_memory *memory;
    struct layout layout;
    struct skein_modules *modules;
    struct skein_symbol_table *table;
};

static bool member(const struct skein_btf *btf, const char *type, const char *path, uint64_t *at) {
    struct skein_btf_field field;
    const int rc = skein_btf_member(btf, type, path, &field);
    *at = rc == 0 ? field.at : 0;
    return rc == 0;
}

static bool find_ranges(const struct skein_btf *btf, struct layout *l) {
    struct skein_btf_field mem;
    uint64_t base = 0, size = 0;
    if (skein_btf_member(btf, "module", "mem", &mem) == 0 && mem.element_bytes > 0) {
        l->has_mem =
            member(btf, "module", "mem.base", &base) && member(btf, "module", "mem.size", &size);
        l->mem = mem.at;
        l->mem_bytes = mem.element_bytes;
        l->mem_count = mem.bytes / mem.element_bytes;
        l->mem_base = base - mem.at;
        l->mem_size = size - mem.at;
        return l->has_mem;
    }
    return member(btf, "module", "core_layout.base", &l->base) &&
           member(btf, "module", "core_layout.size", &l->size) &&
           member(btf, "module", "core_layout.text_size", &l->text_size);
}

static bool find_layout(const struct skein_btf *btf, struct layout *l) {
    struct skein_btf_field name;
    *l = (struct layout){0};
    if (skein_btf_member(btf, "module", "name", &name) != 0)
        return false;
    l->name = name.at;
    l->name_bytes = name.bytes;
    l->has_typetab = member(btf, "mod_kallsyms", "typetab", &l->typetab);
    l->has_unwind = member(btf, "module", "arch.orc_unwind_ip", &l->unwind_ips) &&
                    member(btf, "module", "arch.orc_unwind", &l->unwind_entries) &&
                    member(btf, "module", "arch.num_orcs", &l->unwind_count);
    return member(btf, "module", "list", &l->list) &&
           member(btf, "list_head", "next", &l->list_next) &&
           member(btf, "list_head", "prev", &l->list_prev) &&
           member(btf, "module", "kallsyms", &l->kallsyms) &&
           member(btf, "mod_kallsyms", "symtab", &l->symtab) &&
           member(btf, "mod_kallsyms", "num_symtab", &l->num_symtab) &&
           member(btf, "mod_kallsyms", "strtab", &l->strtab) && find_ranges(btf, l);
}

static uint64_t u64_of(const struct walk *w, uint64_t address) {
    uint64_t v = 0;
    return skein_guest_read(w->memory, address, &v, sizeof(v)) == 0 ? v : 0;
}

static uint32_t u32_of(const struct walk *w, uint64_t address) {
    uint32_t v = 0;
    return skein_guest_read(w->memory, address, &v, sizeof(v)) == 0 ? v : 0;
}

static void add_range(struct skein_module *m, uint64_t address, uint64_t bytes, bool code) {
    if (bytes > 0 && bytes <= MAX_RANGE_BYTES && address + bytes > address &&
        m->range_count < SKEIN_MODULE_RANGES)
        m->ranges[m->range_count++] = (struct skein_module_range){address, bytes, code};
}

static void read_ranges(const struct walk *w, uint64_t at, struct skein_module *m) {
    const struct layout *l = &w->layout;
    if (!l->has_mem) {
        const uint64_t base = u64_of(w, at + l->base);
        const uint32_t size = u32_of(w, at + l->size), text = u32_of(w, at + l->text_size);
        add_range(m, base, text, true);
        if (text < size)
            add_range(m, base + text, size - text, false);
        return;
    }
    for (uint64_t i = 0; i < l->mem_count && i < SKEIN_MODULE_RANGES; i++) {
        const uint64_t mem = at + l->mem + i * l->mem_bytes;
        add_range(m, u64_of(w, mem + l->mem_base), u32_of(w, mem + l->mem_size),
                  i == MOD_TEXT || i == MOD_INIT_TEXT);
    }
}

static bool is_name(const char *name) {
    for (; *name != '\0'; name++) {
        if (*name <= ' ' || *name > '~')
            return false;
    }
    return true;
}

/* The kind of a symbol that the kernel keeps no letter for. */
static char type_of(const struct skein_module *m, uint64_t address) {
    for (size_t i = 0; i < m->range_count; i++) {
        if (address - m->ranges[i].address < m->ranges[i].bytes)
            return m->ranges[i].code ? 't' : 'd';
    }
    return 'a';
}

static int add_symbol(const struct walk *w, const struct skein_module *m,
                      const struct elf_symbol *from, uint64_t strtab, char type) {
    struct skein_symbol s = {.address = from->value,
                             .bytes = from->size <= MAX_RANGE_BYTES ? from->size : 0,
                             .module = (uint16_t)(w->modules->count + 1),
                             .type = type};
    char name[NAME_MAX_BYTES];
    if (from->section == 0 || from->value == 0 ||
        skein_guest_read_string(w->memory, strtab + from->name, name, sizeof(name)) != 0 ||
        name[0] == '\0' || !is_name(name))
        return 0;
    if (s.type <= ' ' || s.type > '~')
        s.type = type_of(m, s.address);
    return skein_symbol_table_add(w->table, &s, name, strlen(name));
}

static int read_symbols(const struct walk *w, uint64_t at, const struct skein_module *m) {
    const struct layout *l = &w->layout;
    const uint64_t kallsyms = u64_of(w, at + l->kallsyms);
    const uint64_t symtab = u64_of(w, kallsyms + l->symtab);
    const uint64_t strtab = u64_of(w, kallsyms + l->strtab);
    const uint64_t typetab = l->has_typetab ? u64_of(w, kallsyms + l->typetab) : 0;
    uint32_t count = u32_of(w, kallsyms + l->num_symtab);
    struct elf_symbol some[SYMBOLS_AT_ONCE];
    char types[SYMBOLS_AT_ONCE];
    if (count > MAX_MODULE_SYMBOLS)
        count = 0;
    for (uint32_t i = 0, n; i < count; i += n) {
        n = count - i < SYMBOLS_AT_ONCE ? count - i : SYMBOLS_AT_ONCE;
        if (skein_guest_read(w->memory, symtab + (uint64_t)i * sizeof(*some), some,
                             n * sizeof(*some)) != 0)
            return 0;
        if (typetab == 0 || skein_guest_read(w->memory, typetab + i, types, n) != 0)
            memset(types, 0, sizeof(types));
        for (uint32_t k = 0; k < n; k++) {
            const int rc = add_symbol(w, m, &some[k], strtab, types[k]);
            if (rc != 0)
                return rc;
        }
    }
    return 0;
}

static int append(struct skein_modules *list, const struct skein_module *m) {
    if (list->count == list->room) {
        const size_t room = list->room > 0 ? list->room * 2 : 16;
        struct skein_module *grown = realloc(list->modules, room * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        list->modules = grown;
        list->room = room;
    }
    list->modules[list->count++] = *m;
    return 0;
}

static int read_module(const struct walk *w, uint64_t at) {
    const struct layout *l = &w->layout;
    struct skein_module m = {.name = ""};
    const size_t name_bytes = l->name_bytes < sizeof(m.name) ? l->name_bytes : sizeof(m.name) - 1;
    int rc;
    if (skein_guest_read(w->memory, at + l->name, m.name, name_bytes) != 0 || m.name[0] == '\0' ||
        !is_name(m.name))
        return -EBADMSG;
    read_ranges(w, at, &m);
    if (l->has_unwind) {
        m.unwind_ips = u64_of(w, at + l->unwind_ips);
        m.unwind_entries = u64_of(w, at + l->unwind_entries);
        m.unwind_count = u32_of(w, at + l->unwind_count);
    }
    rc = read_symbols(w, at, &m);
    return rc != 0 ? rc : append(w->modules, &m);
}

int skein_modules_read(const struct skein_guest_memory *virtual, const struct skein_btf *btf,
                       uint64_t list_head, struct skein_modules *modules,
                       struct skein_symbol_table *table) {
    struct walk w = {.memory = virtual, .modules = modules, .table = table};
    uint64_t before = list_head, at;
    if (!find_layout(btf, &w.layout))
        return -ENOENT;
    at = u64_of(&w, list_head + w.layout.list_next);
    while (at != list_head) {
        int rc;
        /* A list that leads back to itself somewhere else has a wrong neighbour there. */
        if (modules->count >= MAX_MODULES || u64_of(&w, at + w.layout.list_prev) != before)
            return -EBADMSG;
        rc = read_module(&w, at - w.layout.list);
        if (rc != 0)
            return rc;
        before = at;
        at = u64_of(&w, at + w.layout.list_next);
    }
    return 0;
}

void skein_modules_free(struct skein_modules *modules) {
    free(modules->modules);
    *modules = (struct skein_modules){0};
}
