/*
 * Reading a guest's memory: physical, through a function of whoever has it, and virtual, through
 * the guest's own page tables. What is read was written by the guest: it may be anything.
 */
#ifndef SKEIN_REPLAY_GUEST_MEMORY_H
#define SKEIN_REPLAY_GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKEIN_GUEST_PAGE 4096u

struct skein_guest_memory {
    /* All of it: 0; else -errno. */
    int (*read)(void *opaque, uint64_t address, void *to, size_t bytes);
    void *opaque;
};

static inline int skein_guest_read(const struct skein_guest_memory *m, uint64_t address, void *to,
                                   size_t bytes) {
    return m->read(m->opaque, address, to, bytes);
}

/* As many of the bytes as can be read without a gap, page by page. */
size_t skein_guest_read_some(const struct skein_guest_memory *m, uint64_t address, void *to,
                             size_t bytes);

/* A string of less than size bytes, with its end. -ENAMETOOLONG: it has more. */
int skein_guest_read_string(const struct skein_guest_memory *m, uint64_t address, char *to,
                            size_t size);

/* Page tables of x86-64 in physical memory. */
struct skein_page_tables {
    struct skein_guest_memory physical;
    uint64_t root;   /* physical address of the top one */
    unsigned levels; /* 4 or 5 */
};

/* 0, and how many bytes from there on lie in the same page. -EFAULT: not mapped. */
int skein_page_tables_walk(const struct skein_page_tables *t, uint64_t address, uint64_t *physical,
                           uint64_t *contiguous);

/* Virtual memory; *t must outlive it. */
struct skein_guest_memory skein_page_tables_memory(struct skein_page_tables *t);

#endif
