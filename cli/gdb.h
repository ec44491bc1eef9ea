/* A replay under gdb: the socket where it connects, and what gdb is told first. */
#ifndef SKEIN_CLI_GDB_H
#define SKEIN_CLI_GDB_H

#include <stdint.h>

#include "cli/argv.h"
#include "pipeline/error.h"

struct skein_gdb {
    int fd; /* listens; -1: there is none */
    uint16_t port;
    char script[300];  /* commands for gdb; "": not written */
    char symbols[300]; /* what they make: the guest kernel's symbols, or how to load them */
};

/* On 127.0.0.1; port 0: any that is free. */
int skein_gdb_listen(struct skein_gdb *g, uint32_t port, struct skein_error *err);

/* QEMU takes the socket over, and waits for gdb. */
void skein_gdb_args(const struct skein_gdb *g, struct skein_argv *a);

/*
 * Writes the commands to BASE.gdb. vmlinux: the guest kernel's file with its symbols; NULL: they
 * are taken from the guest's memory.
 */
int skein_gdb_write_script(struct skein_gdb *g, const char *base, const char *vmlinux,
                           struct skein_error *err);

/* What the user is to type. */
void skein_gdb_announce(const struct skein_gdb *g);

void skein_gdb_close(struct skein_gdb *g);

#endif
