#include "replay/kernel.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/kernel_scan.h"

#define IMAGE_ALIGNMENT (2u << 20) /* of the kernel in physical and in virtual memory */
#define IMAGE_MAX_BYTES (1u << 30)
#define BANNER "Linux version "
#define MAX_BTF_BYTES (64u << 20)
#define MAX_NOTES_BYTES 4096u
#define NT_GNU_BUILD_ID 3u

void skein_kernel_free(struct skein_kernel *k) {
    skein_btf_close(&k->btf);
    free(k->btf_data);
    skein_modules_free(&k->modules);
    skein_symbol_table_free(&k->table);
    *k = (struct skein_kernel){0};
}

struct skein_guest_memory skein_kernel_memory(struct skein_kernel *k) {
    return skein_page_tables_memory(&k->page_tables);
}

static uint64_t first_of(const struct skein_symbol_table *t, const char *name, const char *other) {
    const uint64_t address = skein_symbol_table_address(t, name);
    return address != 0 ? address : skein_symbol_table_address(t, other);
}

/* Do these page tables map the banner to where it lies? */
static bool maps(struct skein_page_tables *t, uint64_t banner, uint64_t physical) {
    for (t->levels = 4; t->levels <= 5; t->levels++) {
        uint64_t found, contiguous;
        if (skein_page_tables_walk(t, banner, &found, &contiguous) == 0 && found == physical)
            return true;
    }
    return false;
}

/*
 * The image is one piece of physical memory: from where the tables lie (`near`), back to wherever
 * its start can be so that the banner is where it should be and the kernel's own page tables say
 * the same. Tables of a kernel that ran here before, or of one in a file, fail this.
 */
static bool find_image(const struct skein_guest_memory *physical, uint64_t near,
                       struct skein_kernel *k) {
    const uint64_t banner = skein_symbol_table_address(&k->table, "linux_banner");
    const uint64_t top = first_of(&k->table, "init_top_pgt", "swapper_pg_dir");
    const uint64_t start = k->text - k->text % IMAGE_ALIGNMENT;
    const uint64_t last = near - near % IMAGE_ALIGNMENT;
    const uint64_t most = banner - start;
    if (banner < start || top < start || most > IMAGE_MAX_BYTES || top - start > IMAGE_MAX_BYTES)
        return false;
    for (uint64_t back = 0; back <= last && back <= IMAGE_MAX_BYTES; back += IMAGE_ALIGNMENT) {
        const uint64_t image = last - back;
        char text[sizeof(BANNER) - 1];
        k->page_tables =
            (struct skein_page_tables){.physical = *physical, .root = image + (top - start)};
        if (skein_guest_read(physical, image + (banner - start), text, sizeof(text)) == 0 &&
            memcmp(text, BANNER, sizeof(text)) == 0 &&
            maps(&k->page_tables, banner, image + (banner - start)))
            return true;
    }
    return false;
}

/* Nothing that a terminal would obey, and not the newline at its end. */
static void read_banner(struct skein_kernel *k) {
    const struct skein_guest_memory memory = skein_kernel_memory(k);
    const uint64_t at = skein_symbol_table_address(&k->table, "linux_banner");
    skein_guest_read_some(&memory, at, k->banner, sizeof(k->banner) - 1);
    for (char *c = k->banner; *c != '\0'; c++) {
        if (!isprint((unsigned char)*c)) {
            *c = '\0';
            break;
        }
    }
}

static void read_build_id(struct skein_kernel *k) {
    const struct skein_guest_memory memory = skein_kernel_memory(k);
    const uint64_t start = skein_symbol_table_address(&k->table, "__start_notes");
    const uint64_t stop = skein_symbol_table_address(&k->table, "__stop_notes");
    uint8_t notes[MAX_NOTES_BYTES];
    size_t bytes = stop > start && stop - start < sizeof(notes) ? (size_t)(stop - start) : 0;
    bytes = start != 0 ? skein_guest_read_some(&memory, start, notes, bytes) : 0;
    k->build_id_bytes = skein_build_id_find(notes, bytes, k->build_id, sizeof(k->build_id));
}

size_t skein_build_id_find(const uint8_t *notes, size_t bytes, uint8_t *id, size_t size) {
    size_t at = 0;
    while (bytes - at >= 12) {
        uint32_t head[3]; /* bytes of the name, of the content; type */
        size_t name, content;
        memcpy(head, notes + at, sizeof(head));
        at += sizeof(head);
        name = ((size_t)head[0] + 3) & ~(size_t)3;
        content = ((size_t)head[1] + 3) & ~(size_t)3;
        if (name > bytes - at || content > bytes - at - name)
            break;
        if (head[2] == NT_GNU_BUILD_ID && head[0] == 4 && memcmp(notes + at, "GNU", 4) == 0 &&
            head[1] <= size) {
            memcpy(id, notes + at + name, head[1]);
            return head[1];
        }
        at += name + content;
    }
    return 0;
}

static int read_btf(struct skein_kernel *k) {
    const struct skein_guest_memory memory = skein_kernel_memory(k);
    const uint64_t start = skein_symbol_table_address(&k->table, "__start_BTF");
    const uint64_t stop = skein_symbol_table_address(&k->table, "__stop_BTF");
    if (start == 0 || stop <= start || stop - start > MAX_BTF_BYTES)
        return -ENOENT;
    k->btf_data = malloc((size_t)(stop - start));
    if (k->btf_data == NULL)
        return -ENOMEM;
    if (skein_guest_read(&memory, start, k->btf_data, (size_t)(stop - start)) != 0)
        return -EBADMSG;
    return skein_btf_open(k->btf_data, (size_t)(stop - start), &k->btf);
}

/* There may be several variables of that name: the list is the one that reads as a list. */
static int read_modules(struct skein_kernel *k) {
    const struct skein_guest_memory memory = skein_kernel_memory(k);
    const struct skein_symbol *s = NULL;
    const size_t names_bytes = k->table.names_bytes;
    int rc = -ENOENT;
    for (size_t from = 0; rc != 0 && rc != -ENOMEM && from < k->own_symbols; from++) {
        s = skein_symbol_table_find(&k->table, &k->table.symbols[from], "modules");
        if (s == NULL || s->module != 0)
            break;
        from = (size_t)(s - k->table.symbols);
        k->table.count = k->own_symbols;
        k->table.names_bytes = names_bytes;
        k->modules.count = 0;
        rc = skein_modules_read(&memory, &k->btf, s->address, &k->modules, &k->table);
    }
    return rc;
}

static int add_modules(struct skein_kernel *k) {
    struct skein_error why = {"the list of modules cannot be read"};
    int rc = read_btf(k);
    if (rc == 0)
        rc = read_modules(k);
    else
        skein_error_set(&why, rc, "the kernel has no BTF, which says how modules look in memory");
    if (rc != 0 && rc != -ENOMEM)
        memcpy(k->no_modules, why.text, sizeof(k->no_modules) - 1);
    return rc == -ENOMEM ? rc : 0;
}

/* False: these are not the tables of the kernel that runs. */
static bool is_running(const struct skein_guest_memory *physical,
                       const struct skein_kernel_hints *hints, uint64_t near,
                       struct skein_kernel *k) {
    const uint64_t entry = skein_symbol_table_address(&k->table, "entry_SYSCALL_64");
    k->text = first_of(&k->table, "_text", "_stext");
    k->kaslr_offset = (int64_t)(k->text - SKEIN_KERNEL_LINK_ADDRESS);
    return k->text != 0 && (hints->syscall_entry == 0 || hints->syscall_entry == entry) &&
           find_image(physical, near, k);
}

int skein_kernel_find(const struct skein_guest_memory *physical,
                      const struct skein_kernel_hints *hints, struct skein_kernel *k,
                      struct skein_error *err) {
    struct skein_kernel_scan scan;
    struct skein_kallsyms tables;
    uint64_t near;
    int rc = skein_kernel_scan_begin(&scan, physical, hints->physical_end, hints->search_from);
    *k = (struct skein_kernel){0};
    while (rc == 0) {
        rc = skein_kernel_scan_next(&scan, &tables, &near);
        if (rc != 0)
            break;
        rc = skein_kallsyms_decode(scan.window, &tables, &k->table);
        if (rc == 0 && is_running(physical, hints, near, k))
            break;
        skein_kernel_free(k);
        rc = rc == -ENOMEM ? rc : 0;
    }
    skein_kernel_scan_end(&scan);
    if (rc == 0) {
        k->own_symbols = k->table.count;
        read_banner(k);
        read_build_id(k);
        rc = add_modules(k);
    }
    if (rc == 0)
        return 0;
    skein_kernel_free(k);
    return rc == -ENOMEM
               ? skein_error_sys(err, rc, "cannot read the kernel's symbols")
               : skein_error_set(err, rc,
                                 "there is no kernel with symbols in the guest's memory at this "
                                 "point: it has not started yet, or is not Linux 4.20 or later "
                                 "with CONFIG_KALLSYMS_ALL");
}

void skein_kernel_describe(const struct skein_kernel *k, char *text, size_t size) {
    /* "Linux version 6.1.0" without who built it, and where. */
    const size_t version = sizeof(BANNER) - 1 + strcspn(k->banner + sizeof(BANNER) - 1, " ");
    snprintf(text, size,
             "%.*s at 0x%" PRIx64 " (KASLR offset 0x%" PRIx64
             "): %zu symbols, %zu modules with %zu%s%s",
             (int)version, k->banner, k->text, (uint64_t)k->kaslr_offset, k->own_symbols,
             k->modules.count, k->table.count - k->own_symbols,
             k->no_modules[0] != '\0' ? "; " : "", k->no_modules);
}
