/* The guest kernel's symbols, for a debugger: found in guest memory by the files of replay/. */
#ifndef ACCEL_TCG_SKEIN_SYMBOLS_H
#define ACCEL_TCG_SKEIN_SYMBOLS_H

/*
 * Writes an ELF file with the symbols of the kernel that runs in the guest and of its modules, as
 * they are now. The VM must stand still. *message gets one line either way: what was found, or
 * what is wrong.
 */
bool skein_symbols_write(const char *path, char *message, size_t size);

#endif
