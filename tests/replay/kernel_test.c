#include "replay/kernel.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/kallsyms.h"
#include "tests/replay/fake_kernel.h"

#define SLIDE 0x1a600000u

/* All of the kernel's symbols, and nothing else. */
static void compare(const struct fake_kernel *f, const struct skein_kernel *k) {
    cr_assert_eq(k->own_symbols, f->count);
    for (size_t i = 0; i < f->count; i++) {
        const struct skein_symbol *s = &k->table.symbols[i];
        cr_assert_eq(s->address, f->symbols[i].address);
        cr_assert_eq(s->type, f->symbols[i].type);
        cr_assert_eq(s->module, 0);
        cr_assert_str_eq(skein_symbol_name(&k->table, s), f->symbols[i].name);
    }
    cr_assert_eq(k->text, f->text);
    cr_assert_eq(k->kaslr_offset, (int64_t)f->options.slide);
    cr_assert_str_eq(k->banner, "Linux version 6.1.0-fake (builder@host) #1 SMP");
    cr_assert_eq(k->build_id_bytes, 20);
    cr_assert_eq(k->build_id[19], 0xa0 + 19);
}

static void check(const struct fake_options *options) {
    struct fake_kernel *f = fake_kernel_make(options);
    struct skein_error err = {""};
    struct skein_kernel k;
    const int rc = fake_kernel_find(f, &k, &err);
    cr_assert_eq(rc, 0);
    compare(f, &k);
    cr_assert_eq(k.modules.count, options->modules);
    cr_assert_str_eq(k.no_modules, "");
    skein_kernel_free(&k);
    fake_kernel_free(f);
}

Test(kernel, is_found_in_every_version_of_its_tables) {
    for (int tables = FAKE_TABLES_6_1; tables <= FAKE_TABLES_6_4; tables++) {
        for (unsigned variant = 0; variant < 8; variant++) {
            check(&(struct fake_options){
                .tables = (enum fake_tables)tables,
                .no_percpu_addresses = (variant & 1) != 0,
                .five_levels = (variant & 2) != 0,
                .module_memory = (variant & 4) != 0,
                .slide = variant % 3 * SLIDE,
                .fillers = 1000 + variant, /* the padding behind each table differs */
                .modules = variant,
            });
        }
    }
}

Test(kernel, markers_end_where_symbols_do) {
    for (unsigned fillers = 480; fillers < 800; fillers += 7)
        check(
            &(struct fake_options){.fillers = fillers, .tables = (enum fake_tables)(fillers % 3)});
}

Test(kernel, symbols_have_sizes) {
    struct fake_kernel *f = fake_kernel_make(&(struct fake_options){.modules = 1});
    struct skein_kernel k;
    const struct skein_symbol *s;
    cr_assert_eq(fake_kernel_find(f, &k, NULL), 0);
    s = skein_symbol_table_find(&k.table, NULL, "sys_filler_00007");
    cr_assert_eq(s->bytes, 16);
    s = skein_symbol_table_find(&k.table, NULL, "_text"); /* the same address as the next one */
    cr_assert_eq(s->bytes, 0x1000);
    s = skein_symbol_table_find(&k.table, NULL, "fake0_close");
    cr_assert_eq(s->bytes, 0x42);
    skein_kernel_free(&k);
    fake_kernel_free(f);
}

Test(kernel, modules_have_ranges_and_symbols) {
    for (int memory = 0; memory <= 1; memory++) {
        struct fake_kernel *f = fake_kernel_make(
            &(struct fake_options){.modules = 3, .module_memory = memory == 1, .slide = SLIDE});
        const uint64_t start = FAKE_MODULE_START + FAKE_MODULE_STEP;
        struct skein_kernel k;
        const struct skein_module *m;
        const struct skein_symbol *s;
        cr_assert_eq(fake_kernel_find(f, &k, NULL), 0);
        m = &k.modules.modules[1];
        cr_assert_str_eq(m->name, "fake1");
        cr_assert_eq(m->range_count, 2);
        cr_assert_eq(m->ranges[0].address, start + 0x4000);
        cr_assert_eq(m->ranges[0].bytes, 0x2000);
        cr_assert(m->ranges[0].code && !m->ranges[1].code);
        cr_assert_eq(m->ranges[1].address + m->ranges[1].bytes, start + 0x9000);
        cr_assert_eq(k.table.count - k.own_symbols, 9); /* without what it imports */
        s = skein_symbol_table_find(&k.table, NULL, "fake1_state");
        cr_assert_eq(s->address, start + 0x8000);
        cr_assert_eq(s->type, 'd');
        cr_assert_eq(s->module, 2);
        cr_assert_null(skein_symbol_table_find(&k.table, NULL, "fake1_imported"));
        skein_kernel_free(&k);
        fake_kernel_free(f);
    }
}

Test(kernel, a_damaged_list_of_modules_ends) {
    struct fake_kernel *f = fake_kernel_make(&(struct fake_options){.modules = 3});
    const uint64_t second = FAKE_MODULE_START + FAKE_MODULE_STEP + FAKE_MODULE_LIST;
    struct skein_kernel k;
    memcpy(fake_module_at(f, second + 2u * FAKE_MODULE_STEP - FAKE_MODULE_STEP), &second, 8);
    cr_assert_eq(fake_kernel_find(f, &k, NULL), 0);
    cr_assert_eq(k.modules.count, 3);
    cr_assert_str_eq(k.no_modules, "the list of modules cannot be read");
    skein_kernel_free(&k);
    fake_kernel_free(f);
}

Test(kernel, without_btf_there_are_no_modules) {
    struct fake_kernel *f = fake_kernel_make(&(struct fake_options){.modules = 2, .no_btf = true});
    char line[300], wanted[300];
    struct skein_kernel k;
    cr_assert_eq(fake_kernel_find(f, &k, NULL), 0);
    compare(f, &k);
    cr_assert_eq(k.modules.count, 0);
    cr_assert_not_null(strstr(k.no_modules, "BTF"));
    skein_kernel_describe(&k, line, sizeof(line));
    snprintf(wanted, sizeof(wanted),
             "Linux version 6.1.0-fake at 0xffffffff81000000 (KASLR offset 0x0): %zu symbols, "
             "0 modules with 0; the kernel has no BTF, which says how modules look in memory",
             f->count);
    cr_assert_str_eq(line, wanted);
    skein_kernel_free(&k);
    fake_kernel_free(f);
}

static void not_found(struct fake_kernel *f, const struct skein_kernel_hints *hints) {
    const struct skein_guest_memory memory = fake_kernel_memory(f);
    struct skein_error err = {""};
    struct skein_kernel k;
    cr_assert_eq(skein_kernel_find(&memory, hints, &k, &err), -ENOENT);
    cr_assert_not_null(strstr(err.text, "no kernel"));
    cr_assert_null(k.table.symbols);
}

Test(kernel, that_does_not_run_is_none) {
    static const struct skein_kernel_hints hints = {.physical_end = FAKE_RAM_BYTES};
    struct fake_kernel *f = fake_kernel_make(&(struct fake_options){.slide = SLIDE});
    uint8_t *top = fake_kernel_at(f, FAKE_TOP_TABLE), entry[8];
    not_found(f, &(struct skein_kernel_hints){.physical_end = FAKE_RAM_BYTES,
                                              .syscall_entry = f->text + FAKE_ENTRY + 16});
    memcpy(entry, top + 511u * 8, 8);
    memset(top + 511u * 8, 0, 8); /* its page tables are gone */
    not_found(f, &hints);
    memcpy(top + 511u * 8, entry, 8);
    fake_kernel_at(f, FAKE_LINUX_BANNER)[0] = 'l';
    not_found(f, &hints);
    memset(f->ram, 0, FAKE_RAM_BYTES);
    not_found(f, &hints);
    fake_kernel_free(f);
}

/* The image of an older kernel lies in front of it, whole but for its page tables. */
Test(kernel, is_told_from_one_before) {
    struct fake_kernel *f = fake_kernel_make(
        &(struct fake_options){.slide = SLIDE, .physical = 6u << 20, .modules = 1});
    struct fake_kernel *older =
        fake_kernel_make(&(struct fake_options){.physical = 8u << 20, .fillers = 700});
    const struct skein_guest_memory memory = fake_kernel_memory(f);
    struct skein_kernel k;
    memcpy(fake_kernel_at(f, 0) - (4u << 20), fake_kernel_at(older, 0), 4u << 20);
    for (uint64_t from = 0; from < FAKE_RAM_BYTES; from += (3u << 20) + 1) {
        const struct skein_kernel_hints hints = {.physical_end = FAKE_RAM_BYTES,
                                                 .search_from = from,
                                                 .syscall_entry =
                                                     from % 2 != 0 ? f->text + FAKE_ENTRY : 0};
        cr_assert_eq(skein_kernel_find(&memory, &hints, &k, NULL), 0);
        compare(f, &k);
        skein_kernel_free(&k);
    }
    fake_kernel_free(older);
    fake_kernel_free(f);
}

/* No byte of the tables can change without being noticed, or without being only a name's. */
Test(kernel, damaged_tables_are_none_or_decode_otherwise) {
    struct fake_kernel *f = fake_kernel_make(&(struct fake_options){.fillers = 300});
    for (size_t at = FAKE_KALLSYMS; at < f->kallsyms_end; at += 61) {
        uint8_t *byte = fake_kernel_at(f, at);
        struct skein_kernel k;
        *byte ^= 0x81;
        if (fake_kernel_find(f, &k, NULL) == 0) {
            cr_assert_eq(k.own_symbols, f->count);
            skein_kernel_free(&k);
        }
        *byte ^= 0x81;
    }
    fake_kernel_free(f);
}

/* Digits everywhere: each place costs little, and their number is limited. */
Test(kernel, memory_made_to_be_searched_long_is_not) {
    static const struct skein_kernel_hints hints = {.physical_end = FAKE_RAM_BYTES};
    struct fake_kernel *f = fake_kernel_make(&(struct fake_options){.fillers = 300});
    for (size_t at = 0; at + SKEIN_KALLSYMS_DIGITS_BYTES <= FAKE_RAM_BYTES;
         at += SKEIN_KALLSYMS_DIGITS_BYTES)
        memcpy(f->ram + at, SKEIN_KALLSYMS_DIGITS, SKEIN_KALLSYMS_DIGITS_BYTES);
    not_found(f, &hints);
    fake_kernel_free(f);
}
