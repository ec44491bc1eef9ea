/* Looks through physical memory for kallsyms tables: what kernel.c tries one after the other. */
#ifndef SKEIN_REPLAY_KERNEL_SCAN_H
#define SKEIN_REPLAY_KERNEL_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "replay/guest_memory.h"
#include "replay/kallsyms.h"

struct skein_kernel_scan {
    const struct skein_guest_memory *physical;
    uint64_t end;
    uint64_t from;         /* where it began */
    uint64_t at;           /* goes on here */
    bool wrapped;          /* behind the end it went on at 0 */
    unsigned tried;        /* windows looked at in full */
    uint8_t *chunk;        /* what is searched */
    uint8_t *room;         /* for the window */
    const uint8_t *window; /* on the tables found */
};

/* -ENOMEM. */
int skein_kernel_scan_begin(struct skein_kernel_scan *s, const struct skein_guest_memory *physical,
                            uint64_t end, uint64_t from);
void skein_kernel_scan_end(struct skein_kernel_scan *s);

/*
 * The next table. Places in *k are in s->window; *address is the physical one of the token table.
 * -ENOENT: there are no more.
 */
int skein_kernel_scan_next(struct skein_kernel_scan *s, struct skein_kallsyms *k,
                           uint64_t *address);

#endif
