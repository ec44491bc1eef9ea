/*
 * The Linux kernel that runs in a guest, found in its physical memory alone: no file, no register
 * and no help of the guest's is needed. Its symbols come from its kallsyms (see there), the page
 * tables from a symbol, the layout of its structs from its BTF, the modules from its list.
 */
#ifndef SKEIN_REPLAY_KERNEL_H
#define SKEIN_REPLAY_KERNEL_H

#include "pipeline/error.h"
#include "replay/btf.h"
#include "replay/guest_memory.h"
#include "replay/modules.h"
#include "replay/symbol_table.h"

#define SKEIN_KERNEL_LINK_ADDRESS 0xffffffff81000000u /* of _text, without KASLR */

/* What is known beforehand; all of it may be 0. */
struct skein_kernel_hints {
    uint64_t physical_end;  /* no memory from there on: needed */
    uint64_t search_from;   /* the kernel probably lies behind this physical address */
    uint64_t syscall_entry; /* MSR_LSTAR: which kernel it is, if memory has an older one too */
};

struct skein_kernel {
    struct skein_symbol_table table; /* the kernel's, in order of address; then the modules' */
    size_t own_symbols;              /* how many are the kernel's */
    struct skein_modules modules;
    char no_modules[128]; /* why there are none, or not all; "": they are there */
    uint64_t text;        /* address of _text */
    int64_t kaslr_offset;
    char banner[256]; /* "Linux version …"; "": unknown */
    uint8_t build_id[64];
    size_t build_id_bytes; /* 0: unknown */
    struct skein_page_tables page_tables;
    struct skein_btf btf; /* count 0: none */
    void *btf_data;
};

/* -ENOENT: there is no kernel that runs, or none whose symbols are kept in memory; -ENOMEM. */
int skein_kernel_find(const struct skein_guest_memory *physical,
                      const struct skein_kernel_hints *hints, struct skein_kernel *kernel,
                      struct skein_error *err);
void skein_kernel_free(struct skein_kernel *kernel);

/* One line for the user. */
void skein_kernel_describe(const struct skein_kernel *kernel, char *text, size_t size);

/* The id in ELF notes, copied to id. Its bytes; 0: there is none. */
size_t skein_build_id_find(const uint8_t *notes, size_t bytes, uint8_t *id, size_t size);

/* The kernel's virtual memory. */
struct skein_guest_memory skein_kernel_memory(struct skein_kernel *kernel);

#endif
