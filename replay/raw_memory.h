/*
 * The physical memory of a guest in a raw snapshot or checkpoint (docs/format.md), read where it
 * lies in the file.
 */
#ifndef SKEIN_REPLAY_RAW_MEMORY_H
#define SKEIN_REPLAY_RAW_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/error.h"
#include "replay/guest_memory.h"

struct skein_raw_memory {
    int fd;
    struct skein_raw_memory_run *runs; /* in order; what lies between them is zeros */
    size_t count, room;
    uint64_t bytes; /* of RAM */
    uint64_t low;   /* so many of them begin at 0, the others at 4 GiB */
};

/*
 * machine: as in the manifest; it says where RAM goes on behind the hole for devices. -EBADMSG: it
 * is no such file; or what the system said.
 */
int skein_raw_memory_open(const char *path, const char *machine, struct skein_raw_memory *m,
                          struct skein_error *err);
void skein_raw_memory_close(struct skein_raw_memory *m);

/* Its reader; *m must outlive it. */
struct skein_guest_memory skein_raw_memory_reader(struct skein_raw_memory *m);
uint64_t skein_raw_memory_end(const struct skein_raw_memory *m);

#endif
