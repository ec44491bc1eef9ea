/*
 * Huge pages for a session in /dev/shm: fewer TLB misses for its writers and readers. The system
 * must offer them (its tmpfs mounted with huge=advise, within_size or always); without, everything
 * works with small pages. Safe from any thread.
 */
#ifndef SKEIN_PIPELINE_HUGE_PAGES_H
#define SKEIN_PIPELINE_HUGE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether files in that folder can have huge pages: as its file system is mounted. */
bool skein_huge_pages_offered(const char *folder);

/*
 * Asks for huge pages in a fresh mapping of a tmpfs file, and gives the file all its memory.
 * -ENOSPC: there is not that much; -EINVAL: a kernel before 5.14, the file has no memory yet.
 */
int skein_huge_pages_fill(void *mem, size_t bytes);

/* Bytes of this mapping (by its first address) that are in huge pages now. */
uint64_t skein_huge_pages_mapped(const void *mem);

#endif
