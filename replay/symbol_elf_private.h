/* Where a kernel's symbols belong: the sections of the file that symbol_elf.c writes. */
#ifndef SKEIN_REPLAY_SYMBOL_ELF_PRIVATE_H
#define SKEIN_REPLAY_SYMBOL_ELF_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replay/kernel.h"

struct skein_elf_section {
    uint64_t address, bytes;
    bool code;
    char name[80];
};

/* In order of address; section i of them is number i + 1 in the file. */
struct skein_elf_layout {
    struct skein_elf_section *sections;
    size_t count;
};

int skein_elf_layout_make(const struct skein_kernel *kernel, struct skein_elf_layout *layout);
void skein_elf_layout_free(struct skein_elf_layout *layout);

/* The section's number in the file; 0: the address is in none. */
size_t skein_elf_layout_find(const struct skein_elf_layout *layout, uint64_t address);

#endif
