/*
 * A vmlinux that a user has: is it the guest's kernel, and how far from where it is linked does
 * that one lie (KASLR)?
 */
#ifndef SKEIN_REPLAY_VMLINUX_H
#define SKEIN_REPLAY_VMLINUX_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/error.h"
#include "replay/kernel.h"

struct skein_vmlinux {
    uint64_t text;          /* where _stext is linked */
    uint64_t syscall_entry; /* where entry_SYSCALL_64 is */
    uint8_t build_id[64];
    size_t build_id_bytes; /* 0: it has none */
};

/* -ENOEXEC: it is not an ELF file of x86-64 with the symbols of a kernel; or what the system said.
 */
int skein_vmlinux_read(const char *path, struct skein_vmlinux *vmlinux, struct skein_error *err);

/* The same, of a file's bytes; path is for the message. */
int skein_vmlinux_parse(const uint8_t *data, size_t bytes, const char *path,
                        struct skein_vmlinux *vmlinux, struct skein_error *err);

/*
 * *offset: what gdb's `symbol-file -o` adds to the file's addresses. -ESTALE: it is the file of
 * another kernel.
 */
int skein_vmlinux_match(const struct skein_vmlinux *vmlinux, const struct skein_kernel *kernel,
                        const char *path, uint64_t *offset, struct skein_error *err);

#endif
