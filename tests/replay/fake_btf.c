/* BTF of the few structs that matter, with enough around them to be found among others. */
#include <string.h>

#include "tests/replay/fake_kernel.h"

enum { INT = 1, PTR, ARRAY, STRUCT, UNION, TYPEDEF = 8, CONST = 10, ENUM64 = 19 };
#define BIT_FIELDS (1u << 31)

struct out {
    uint8_t types[4096], strings[4096];
    size_t types_bytes, strings_bytes;
    uint32_t last; /* type made last */
};

static uint32_t string(struct out *o, const char *text) {
    const size_t at = o->strings_bytes;
    memcpy(o->strings + at, text, strlen(text) + 1);
    o->strings_bytes += strlen(text) + 1;
    return (uint32_t)at;
}

static void word(struct out *o, uint32_t value) {
    memcpy(o->types + o->types_bytes, &value, sizeof(value));
    o->types_bytes += sizeof(value);
}

static uint32_t type(struct out *o, uint32_t kind, const char *name, uint32_t members,
                     uint32_t size_or_type) {
    word(o, string(o, name));
    word(o, (kind & 0x1f) << 24 | (kind & BIT_FIELDS) | members);
    word(o, size_or_type);
    return ++o->last;
}

static void member(struct out *o, const char *name, uint32_t of, uint32_t at) {
    word(o, string(o, name));
    word(o, of);
    word(o, at * 8);
}

static void bits(struct out *o, const char *name, uint32_t of, uint32_t bit, uint32_t count) {
    word(o, string(o, name));
    word(o, of);
    word(o, bit | count << 24);
}

static uint32_t integer(struct out *o, const char *name, uint32_t bytes) {
    const uint32_t id = type(o, INT, name, 0, bytes);
    word(o, bytes * 8);
    return id;
}

static uint32_t array(struct out *o, uint32_t of, uint32_t count) {
    const uint32_t id = type(o, ARRAY, "", 0, 0);
    word(o, of);
    word(o, 1);
    word(o, count);
    return id;
}

static void orc_entry(struct out *o, uint32_t u16, uint32_t u32, bool new_types) {
    type(o, STRUCT | BIT_FIELDS, "orc_entry", 6, 6);
    bits(o, "sp_offset", u16, 0, 0);
    bits(o, "bp_offset", u16, 16, 0);
    bits(o, "sp_reg", u32, 32, 4);
    bits(o, "bp_reg", u32, 36, 4);
    bits(o, "type", u32, 40, new_types ? 3 : 2);
    bits(o, new_types ? "signal" : "end", u32, new_types ? 43 : 42, 1);
}

static uint32_t ranges(struct out *o, bool module_memory, uint32_t pointer, uint32_t u32) {
    uint32_t range;
    if (module_memory) {
        range = type(o, STRUCT, "module_memory", 2, 16);
        member(o, "base", pointer, 0);
        member(o, "size", u32, 8);
        return array(o, range, 7);
    }
    range = type(o, STRUCT, "module_layout", 3, 16);
    member(o, "base", pointer, 0);
    member(o, "size", u32, 8);
    member(o, "text_size", u32, 12);
    return range;
}

static void module(struct out *o, bool module_memory, uint32_t pointer, uint32_t u32, uint32_t list,
                   uint32_t name) {
    const uint32_t range = ranges(o, module_memory, pointer, u32);
    uint32_t arch, nameless;
    arch = type(o, STRUCT, "mod_arch_specific", 3, 24);
    member(o, "num_orcs", u32, 0);
    member(o, "orc_unwind_ip", pointer, 8);
    member(o, "orc_unwind", pointer, 16);
    arch = type(o, TYPEDEF, "arch_t", 0, arch);
    nameless = type(o, UNION, "", 2, 8);
    member(o, "kallsyms", pointer, 0);
    member(o, "other", pointer, 0);
    type(o, STRUCT, "module", 6, FAKE_MODULE_BYTES);
    member(o, "state", u32, 0);
    member(o, "list", list, FAKE_MODULE_LIST);
    member(o, "name", name, FAKE_MODULE_NAME);
    member(o, module_memory ? "mem" : "core_layout", range, FAKE_MODULE_RANGES);
    member(o, "", nameless, FAKE_MODULE_KALLSYMS);
    member(o, "arch", arch, FAKE_MODULE_ARCH);
}

static void put_types(struct out *o, const struct fake_options *options) {
    const uint32_t u32 = integer(o, "unsigned int", 4), u16 = integer(o, "short", 2);
    const uint32_t character = type(o, CONST, "", 0, integer(o, "char", 1));
    const uint32_t pointer = type(o, PTR, "", 0, 0), name = array(o, character, 56);
    uint32_t list;
    type(o, ENUM64, "some_enum", 1, 8);
    member(o, "VALUE", 0, 0);
    list = type(o, STRUCT, "list_head", 2, 16);
    member(o, "next", pointer, 0);
    member(o, "prev", pointer, 8);
    type(o, STRUCT, "mod_kallsyms", 4, 32);
    member(o, "symtab", pointer, 0);
    member(o, "num_symtab", u32, 8);
    member(o, "strtab", pointer, 16);
    member(o, "typetab", pointer, 24);
    orc_entry(o, u16, u32, options->module_memory);
    module(o, options->module_memory, pointer, u32, list, name);
}

size_t fake_btf_write(const struct fake_options *options, uint8_t *to) {
    struct out o = {.strings_bytes = 1};
    uint32_t header[6] = {0x0001eb9f, sizeof(header), 0, 0, 0, 0};
    put_types(&o, options);
    header[3] = header[4] = (uint32_t)o.types_bytes;
    header[5] = (uint32_t)o.strings_bytes;
    memcpy(to, header, sizeof(header));
    memcpy(to + sizeof(header), o.types, o.types_bytes);
    memcpy(to + sizeof(header) + o.types_bytes, o.strings, o.strings_bytes);
    return sizeof(header) + o.types_bytes + o.strings_bytes;
}
