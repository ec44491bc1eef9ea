/*
 * An ELF file for debuggers that holds a kernel's symbols and nothing of its code: sections without
 * content for the kernel's code and data and those of each module, at the addresses of the guest
 * (KASLR included), a symbol table, and how to unwind the stack.
 */
#ifndef SKEIN_REPLAY_SYMBOL_ELF_H
#define SKEIN_REPLAY_SYMBOL_ELF_H

#include "pipeline/error.h"
#include "replay/kernel.h"

/* Under its name only once it is whole. 0, -ENOMEM, or what the system said. */
int skein_symbol_elf_write(struct skein_kernel *kernel, const char *path, struct skein_error *err);

#endif
