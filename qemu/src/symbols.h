/* The guest kernel's symbols, for a debugger: found in guest memory by the files of replay/. */
#ifndef ACCEL_TCG_SKEIN_SYMBOLS_H
#define ACCEL_TCG_SKEIN_SYMBOLS_H

/*
 * Writes an ELF file with the symbols of the kernel that runs in the guest and of its modules, as
 * they are now. The VM must stand still. *message gets one line either way: what was found, or
 * what is wrong.
 */
bool skein_symbols_write(const char *path, char *message, size_t size);

/*
 * How far the guest's kernel lies from where this vmlinux of it is linked (KASLR): what gdb's
 * `symbol-file -o OFFSET` wants. False: it is not this kernel's, or there is none yet. The message
 * is as above.
 */
bool skein_symbols_vmlinux(const char *path, uint64_t *offset, char *message, size_t size);

#endif
