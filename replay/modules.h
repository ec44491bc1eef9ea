/* The modules that a guest's kernel has loaded: where they lie, and their symbols. */
#ifndef SKEIN_REPLAY_MODULES_H
#define SKEIN_REPLAY_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replay/btf.h"
#include "replay/guest_memory.h"
#include "replay/symbol_table.h"

#define SKEIN_MODULE_RANGES 8u

struct skein_module_range {
    uint64_t address, bytes;
    bool code;
};

struct skein_module {
    char name[64];
    struct skein_module_range ranges[SKEIN_MODULE_RANGES];
    size_t range_count;
    uint64_t unwind_ips, unwind_entries; /* of the ORC unwinder; 0: none */
    uint32_t unwind_count;
};

struct skein_modules {
    struct skein_module *modules;
    size_t count, room;
};

/*
 * Walks the kernel's list from its head; symbols go to the table, with module counted from 1.
 * What cannot be read of a module is left out of it. -ENOENT: BTF does not tell how modules look;
 * -EBADMSG: the list is damaged (the modules before the damage are there); -ENOMEM, -E2BIG.
 */
int skein_modules_read(const struct skein_guest_memory *virtual, const struct skein_btf *btf,
                       uint64_t list_head, struct skein_modules *modules,
                       struct skein_symbol_table *table);
void skein_modules_free(struct skein_modules *modules);

#endif
