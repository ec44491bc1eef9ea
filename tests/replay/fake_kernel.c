#include "tests/replay/fake_kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGE_PAGE (2u << 20)
#define TABLE_BYTES 4096u
#define PRESENT 0x3u
#define LARGE 0x80u

uint8_t *fake_kernel_at(struct fake_kernel *f, uint64_t place) {
    return f->ram + f->options.physical + place;
}

uint8_t *fake_module_at(struct fake_kernel *f, uint64_t address) {
    return f->ram + FAKE_MODULES_PHYSICAL + (address - FAKE_MODULE_START);
}

static void add(struct fake_kernel *f, uint64_t address, char type, const char *name) {
    struct fake_symbol *s = &f->symbols[f->count++];
    s->address = address;
    s->type = type;
    snprintf(s->name, sizeof(s->name), "%s", name);
}

static void add_functions(struct fake_kernel *f) {
    char name[400];
    add(f, f->text, 'T', "_text");
    add(f, f->text, 'T', "_stext");
    for (unsigned i = 0; i < f->options.fillers; i++) {
        snprintf(name, sizeof(name), "sys_filler_%05u", i);
        add(f, f->text + 0x1000 + i * 16u, i % 3 != 0 ? 't' : 'T', name);
    }
    memset(name, 'x', 300); /* more tokens than seven bits count */
    snprintf(name + 300, sizeof(name) - 300, "_long_name");
    add(f, f->text + FAKE_ENTRY - 16, 't', name);
    add(f, f->text + FAKE_ENTRY, 'T', "entry_SYSCALL_64");
    add(f, f->text + FAKE_TEXT_END, 'T', "_etext");
}

static void add_symbols(struct fake_kernel *f) {
    f->symbols = calloc(f->options.fillers + 64, sizeof(*f->symbols));
    if (!f->options.no_percpu_addresses) {
        add(f, 0, 'A', "fixed_percpu_data");
        add(f, 0x6000, 'A', "cpu_tss_rw");
    }
    add_functions(f);
    add(f, f->text + FAKE_LINUX_BANNER, 'R', "linux_banner");
    add(f, f->text + FAKE_NOTES, 'R', "__start_notes");
    add(f, f->text + FAKE_NOTES + 36, 'R', "__stop_notes");
    add(f, f->text + FAKE_ORC_IPS, 'R', "__start_orc_unwind_ip");
    add(f, f->text + FAKE_ORC_IPS + 8 * 4, 'R', "__stop_orc_unwind_ip");
    add(f, f->text + FAKE_ORC, 'R', "__start_orc_unwind");
    if (!f->options.no_btf) {
        const size_t bytes = fake_btf_write(&f->options, fake_kernel_at(f, FAKE_BTF));
        add(f, f->text + FAKE_BTF, 'R', "__start_BTF");
        add(f, f->text + FAKE_BTF + bytes, 'R', "__stop_BTF");
    }
    add(f, f->text + FAKE_TOP_TABLE, 'D', "init_top_pgt");
    add(f, f->text + FAKE_MODULES_LIST - 64, 'd', "modules"); /* another one of that name */
    add(f, f->text + FAKE_MODULES_LIST, 'D', "modules");
    add(f, f->text + FAKE_INIT_TEXT, 'T', "_sinittext");
    add(f, f->text + FAKE_INIT_TEXT + 16, 't', "start_kernel");
    add(f, f->text + FAKE_INIT_TEXT_END, 'T', "_einittext");
    add(f, f->text + FAKE_END, 'B', "_end");
}

static void set_entry(struct fake_kernel *f, unsigned table, uint64_t index, uint64_t to) {
    memcpy(fake_kernel_at(f, FAKE_TOP_TABLE + table * TABLE_BYTES + index * 8), &to, 8);
}

/* Tables 0: the top one, 1: 512 GiB each, 2: the kernel's 1 GiB, 3: the modules', 4: the fifth
 * level. */
static void write_page_tables(struct fake_kernel *f) {
    const uint64_t tables = f->options.physical + FAKE_TOP_TABLE, first = (f->text >> 21) & 511;
    set_entry(f, 0, 511, (tables + (f->options.five_levels ? 4 : 1) * TABLE_BYTES) | PRESENT);
    set_entry(f, 4, 511, (tables + TABLE_BYTES) | PRESENT);
    set_entry(f, 1, 510, (tables + 2 * TABLE_BYTES) | PRESENT);
    set_entry(f, 1, 511, (tables + 3 * TABLE_BYTES) | PRESENT);
    for (uint64_t i = 0; i < 2; i++)
        set_entry(f, 2, first + i, (f->options.physical + i * LARGE_PAGE) | PRESENT | LARGE);
    set_entry(f, 3, (FAKE_MODULE_START >> 21) & 511, FAKE_MODULES_PHYSICAL | PRESENT | LARGE);
}

static void write_notes(struct fake_kernel *f) {
    const uint32_t head[4] = {4, 20, 3, 0x00554e47};
    uint8_t *notes = fake_kernel_at(f, FAKE_NOTES);
    memcpy(notes, head, sizeof(head));
    for (uint8_t i = 0; i < 20; i++)
        notes[sizeof(head) + i] = (uint8_t)(0xa0 + i);
}

/*
 * A function that pushes rbp and makes a frame of it, a piece of an interrupt's entry, and the end
 * of all stacks; types are encoded as the kernel of this version does.
 */
static void write_orc(struct fake_kernel *f) {
    static const struct {
        uint32_t at;
        int16_t sp_offset, bp_offset;
        uint8_t sp, bp, type; /* type: enum skein_orc_type */
    } entries[8] = {
        {0x1000, 8, 0, SKEIN_ORC_SP, 0, SKEIN_ORC_CALL},
        {0x1001, 16, -16, SKEIN_ORC_SP, SKEIN_ORC_CALLER_SP, SKEIN_ORC_CALL},
        {0x1004, 16, -16, SKEIN_ORC_BP, SKEIN_ORC_CALLER_SP, SKEIN_ORC_CALL},
        {0x1010, 0, 0, SKEIN_ORC_UNDEFINED, 0, SKEIN_ORC_UNKNOWN},
        {0x2000, 8, 0, SKEIN_ORC_SP, 0, SKEIN_ORC_REGS},
        {0x2100, 0, 0, SKEIN_ORC_SP, 0, SKEIN_ORC_IRET},
        {0x2200, 0, 0, SKEIN_ORC_UNDEFINED, 0, SKEIN_ORC_END},
        {0x2300, 0, 0, SKEIN_ORC_UNDEFINED, 0, SKEIN_ORC_UNKNOWN},
    };
    for (unsigned i = 0; i < 8; i++) {
        const bool new_types = f->options.module_memory;
        const int32_t ip = (int32_t)(entries[i].at - (FAKE_ORC_IPS + i * 4));
        const bool old_undefined = !new_types && entries[i].sp == SKEIN_ORC_UNDEFINED;
        const unsigned type = new_types       ? entries[i].type
                              : old_undefined ? 0
                                              : entries[i].type - (unsigned)SKEIN_ORC_CALL;
        const unsigned end = !new_types && entries[i].type == SKEIN_ORC_END ? 4 : 0;
        uint8_t *entry = fake_kernel_at(f, FAKE_ORC + i * 6u);
        memcpy(fake_kernel_at(f, FAKE_ORC_IPS + i * 4u), &ip, 4);
        memcpy(entry, &entries[i].sp_offset, 2);
        memcpy(entry + 2, &entries[i].bp_offset, 2);
        entry[4] = (uint8_t)(entries[i].sp | entries[i].bp << 4);
        entry[5] = (uint8_t)(type | end);
    }
}

struct fake_kernel *fake_kernel_make(const struct fake_options *options) {
    struct fake_kernel *f = calloc(1, sizeof(*f));
    f->options = *options;
    if (f->options.physical == 0)
        f->options.physical = 2u << 20;
    if (f->options.fillers == 0)
        f->options.fillers = 1000;
    f->ram = calloc(1, FAKE_RAM_BYTES);
    f->text = SKEIN_KERNEL_LINK_ADDRESS + f->options.slide;
    add_symbols(f);
    f->kallsyms_end = FAKE_KALLSYMS + fake_kallsyms_write(f, fake_kernel_at(f, FAKE_KALLSYMS));
    memcpy(fake_kernel_at(f, FAKE_LINUX_BANNER), FAKE_BANNER, sizeof(FAKE_BANNER));
    write_page_tables(f);
    write_notes(f);
    write_orc(f);
    fake_modules_write(f);
    return f;
}

void fake_kernel_free(struct fake_kernel *f) {
    free(f->symbols);
    free(f->ram);
    free(f);
}

static int read_ram(void *opaque, uint64_t address, void *to, size_t bytes) {
    struct fake_kernel *f = opaque;
    f->reads++;
    if (address >= FAKE_RAM_BYTES || bytes > FAKE_RAM_BYTES - address)
        return -EFAULT;
    memcpy(to, f->ram + address, bytes);
    return 0;
}

struct skein_guest_memory fake_kernel_memory(struct fake_kernel *f) {
    return (struct skein_guest_memory){.read = read_ram, .opaque = f};
}

int fake_kernel_find(struct fake_kernel *f, struct skein_kernel *kernel, struct skein_error *err) {
    const struct skein_guest_memory memory = fake_kernel_memory(f);
    const struct skein_kernel_hints hints = {.physical_end = FAKE_RAM_BYTES};
    return skein_kernel_find(&memory, &hints, kernel, err);
}
