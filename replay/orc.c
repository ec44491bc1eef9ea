#include "replay/orc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_BYTES 6u
#define MAX_ENTRIES (4u << 20)

/* Where the parts of an entry lie, of which there are several versions. */
struct layout {
    struct skein_btf_field sp, bp, type;
    bool old; /* before Linux 6.4: types count from calls on, and an end is a flag of its own */
    struct skein_btf_field end;
};

static bool bit_field(const struct skein_btf *btf, const char *name, struct skein_btf_field *f) {
    return skein_btf_member(btf, "orc_entry", name, f) == 0 && f->at < ENTRY_BYTES && f->bits > 0 &&
           f->bit + f->bits <= 8;
}

static bool find_layout(const struct skein_btf *btf, struct layout *l) {
    struct skein_btf_field sp_offset, bp_offset;
    l->old = bit_field(btf, "end", &l->end);
    return skein_btf_member(btf, "orc_entry", "sp_offset", &sp_offset) == 0 && sp_offset.at == 0 &&
           skein_btf_member(btf, "orc_entry", "bp_offset", &bp_offset) == 0 && bp_offset.at == 2 &&
           bit_field(btf, "sp_reg", &l->sp) && bit_field(btf, "bp_reg", &l->bp) &&
           bit_field(btf, "type", &l->type);
}

static uint8_t bits_of(const uint8_t *entry, const struct skein_btf_field *f) {
    return (uint8_t)((entry[f->at] >> f->bit) & ((1u << f->bits) - 1));
}

static uint8_t type_of(const struct layout *l, const uint8_t *entry, uint8_t sp) {
    const unsigned type = bits_of(entry, &l->type) + (l->old ? (unsigned)SKEIN_ORC_CALL : 0);
    if (l->old && sp == SKEIN_ORC_UNDEFINED)
        return bits_of(entry, &l->end) ? SKEIN_ORC_END : SKEIN_ORC_UNKNOWN;
    return type <= SKEIN_ORC_IRET && sp <= SKEIN_ORC_SP_INDIRECT ? (uint8_t)type
                                                                 : SKEIN_ORC_UNKNOWN;
}

static void parse(const struct layout *l, const uint8_t *from, struct skein_orc_entry *e) {
    memcpy(&e->sp_offset, from, sizeof(e->sp_offset));
    memcpy(&e->bp_offset, from + 2, sizeof(e->bp_offset));
    e->sp = bits_of(from, &l->sp);
    e->bp = bits_of(from, &l->bp);
    e->type = type_of(l, from, e->sp);
}

static int make_room(struct skein_orc *orc, size_t more) {
    const size_t room = orc->count + more;
    struct skein_orc_entry *grown;
    if (room <= orc->room)
        return 0;
    grown = realloc(orc->entries, (room + room / 2) * sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    orc->entries = grown;
    orc->room = room + room / 2;
    return 0;
}

/* `ips` has for each entry how far from there the code is. The last entry only ends the others. */
static void append(const struct layout *l, struct skein_orc *orc, uint64_t ips_address,
                   const int32_t *ips, const uint8_t *entries, size_t count) {
    for (size_t i = 0; i + 1 < count; i++) {
        const uint64_t at = ips_address + i * sizeof(*ips);
        struct skein_orc_entry *e = &orc->entries[orc->count];
        e->address = at + (uint64_t)(int64_t)ips[i];
        e->end = at + sizeof(*ips) + (uint64_t)(int64_t)ips[i + 1];
        parse(l, entries + i * ENTRY_BYTES, e);
        orc->count += e->end > e->address && e->type != SKEIN_ORC_UNKNOWN;
    }
}

static int read_table(const struct skein_guest_memory *memory, const struct layout *l,
                      struct skein_orc *orc, uint64_t ips_address, uint64_t entries_address,
                      uint64_t count) {
    int32_t *ips;
    uint8_t *entries;
    int rc;
    if (count < 2 || count > MAX_ENTRIES - orc->count)
        return 0;
    ips = malloc((size_t)count * sizeof(*ips));
    entries = malloc((size_t)count * ENTRY_BYTES);
    rc = ips != NULL && entries != NULL ? make_room(orc, (size_t)count) : -ENOMEM;
    if (rc == 0 && skein_guest_read(memory, ips_address, ips, (size_t)count * sizeof(*ips)) == 0 &&
        skein_guest_read(memory, entries_address, entries, (size_t)count * ENTRY_BYTES) == 0)
        append(l, orc, ips_address, ips, entries, (size_t)count);
    free(ips);
    free(entries);
    return rc;
}

int skein_orc_read(struct skein_kernel *kernel, struct skein_orc *orc) {
    const struct skein_guest_memory memory = skein_kernel_memory(kernel);
    const struct skein_symbol_table *t = &kernel->table;
    const uint64_t ips = skein_symbol_table_address(t, "__start_orc_unwind_ip");
    const uint64_t ips_end = skein_symbol_table_address(t, "__stop_orc_unwind_ip");
    const uint64_t entries = skein_symbol_table_address(t, "__start_orc_unwind");
    struct layout layout;
    int rc;
    *orc = (struct skein_orc){0};
    if (!find_layout(&kernel->btf, &layout) || ips == 0 || ips_end < ips || entries == 0)
        return 0;
    rc = read_table(&memory, &layout, orc, ips, entries, (ips_end - ips) / sizeof(int32_t));
    for (size_t i = 0; rc == 0 && i < kernel->modules.count; i++) {
        const struct skein_module *m = &kernel->modules.modules[i];
        rc = read_table(&memory, &layout, orc, m->unwind_ips, m->unwind_entries, m->unwind_count);
    }
    return rc;
}

void skein_orc_free(struct skein_orc *orc) {
    free(orc->entries);
    *orc = (struct skein_orc){0};
}
