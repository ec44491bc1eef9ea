/* Modules of the fake kernel: each has 64 KiB of memory, with its struct module at their start. */
#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "tests/replay/fake_kernel.h"

/* Within a module. */
enum {
    KALLSYMS = 0x200,
    SYMTAB = 0x300,
    STRTAB = 0x600,
    TYPETAB = 0x900,
    CODE = 0x4000,
    DATA = 0x8000
};
#define CODE_BYTES 0x2000u
#define DATA_BYTES 0x1000u
#define SYMBOLS 5u /* the first one is none */

static void set(struct fake_kernel *f, uint64_t address, uint64_t value, size_t bytes) {
    memcpy(fake_module_at(f, address), &value, bytes);
}

static void write_ranges(struct fake_kernel *f, uint64_t m) {
    const uint64_t at = m + FAKE_MODULE_RANGES;
    if (f->options.module_memory) {
        set(f, at, m + CODE, 8);
        set(f, at + 8, CODE_BYTES, 4);
        set(f, at + 16, m + DATA, 8);
        set(f, at + 24, DATA_BYTES, 4);
    } else {
        set(f, at, m + CODE, 8);
        set(f, at + 8, DATA - CODE + DATA_BYTES, 4);
        set(f, at + 12, CODE_BYTES, 4);
    }
}

static void write_symbols(struct fake_kernel *f, uint64_t m, unsigned number) {
    static const char *const names[SYMBOLS] = {"", "open", "close", "state", "imported"};
    static const char types[SYMBOLS] = {'?', 't', 'T', 'd', 'U'};
    uint64_t names_bytes = 1;
    for (unsigned i = 1; i < SYMBOLS; i++) {
        char name[64];
        const Elf64_Sym s = {
            .st_name = (Elf64_Word)names_bytes,
            .st_value = i == 3 ? m + DATA : m + CODE + i * 0x100,
            .st_size = 0x40 + i,
            .st_shndx = i == 4 ? SHN_UNDEF : 1,
        };
        snprintf(name, sizeof(name), "fake%u_%s", number, names[i]);
        memcpy(fake_module_at(f, m + STRTAB + names_bytes), name, strlen(name) + 1);
        names_bytes += strlen(name) + 1;
        memcpy(fake_module_at(f, m + SYMTAB + i * sizeof(s)), &s, sizeof(s));
    }
    memcpy(fake_module_at(f, m + TYPETAB), types, sizeof(types));
    set(f, m + FAKE_MODULE_KALLSYMS, m + KALLSYMS, 8);
    set(f, m + KALLSYMS, m + SYMTAB, 8);
    set(f, m + KALLSYMS + 8, SYMBOLS, 4);
    set(f, m + KALLSYMS + 16, m + STRTAB, 8);
    set(f, m + KALLSYMS + 24, m + TYPETAB, 8);
}

static uint64_t address_of(const struct fake_kernel *f, unsigned i) {
    return i < f->options.modules
               ? FAKE_MODULE_START + (uint64_t)i * FAKE_MODULE_STEP + FAKE_MODULE_LIST
               : f->text + FAKE_MODULES_LIST;
}

void fake_modules_write(struct fake_kernel *f) {
    const unsigned count = f->options.modules;
    const uint64_t first = address_of(f, 0), last = address_of(f, count - 1);
    memcpy(fake_kernel_at(f, FAKE_MODULES_LIST), &first, 8);
    memcpy(fake_kernel_at(f, FAKE_MODULES_LIST + 8), count > 0 ? &last : &first, 8);
    for (unsigned i = 0; i < count; i++) {
        const uint64_t list = address_of(f, i), m = list - FAKE_MODULE_LIST;
        set(f, list, address_of(f, i + 1), 8);
        set(f, list + 8, address_of(f, i > 0 ? i - 1 : count), 8);
        snprintf((char *)fake_module_at(f, m + FAKE_MODULE_NAME), 56, "fake%u", i);
        write_ranges(f, m);
        write_symbols(f, m, i);
    }
}
