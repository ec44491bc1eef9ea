#include "replay/guest_memory.h"

#include <errno.h>
#include <string.h>

#define PTE_PRESENT 0x1u
#define PTE_LARGE 0x80u
#define PTE_ADDRESS 0x000ffffffffff000u
#define BITS_OF_A_LEVEL 9u
#define BITS_OF_A_PAGE 12u
#define LARGEST_PAGE_LEVEL 2u /* 1 GiB */

size_t skein_guest_read_some(const struct skein_guest_memory *m, uint64_t address, void *to,
                             size_t bytes) {
    size_t done = 0;
    while (done < bytes) {
        const size_t in_page = SKEIN_GUEST_PAGE - (address + done) % SKEIN_GUEST_PAGE;
        const size_t piece = bytes - done < in_page ? bytes - done : in_page;
        if (skein_guest_read(m, address + done, (char *)to + done, piece) != 0)
            break;
        done += piece;
    }
    return done;
}

int skein_guest_read_string(const struct skein_guest_memory *m, uint64_t address, char *to,
                            size_t size) {
    enum { PIECE = 64 };
    size_t done = 0;
    while (done < size) {
        const size_t aligned = PIECE - (address + done) % PIECE; /* never into an unmapped page */
        const size_t piece = size - done < aligned ? size - done : aligned;
        const int rc = skein_guest_read(m, address + done, to + done, piece);
        if (rc != 0)
            return rc;
        if (memchr(to + done, '\0', piece) != NULL)
            return 0;
        done += piece;
    }
    return -ENAMETOOLONG;
}

int skein_page_tables_walk(const struct skein_page_tables *t, uint64_t address, uint64_t *physical,
                           uint64_t *contiguous) {
    uint64_t entry = t->root & PTE_ADDRESS;
    for (unsigned level = t->levels; level-- > 0;) {
        const unsigned shift = BITS_OF_A_PAGE + level * BITS_OF_A_LEVEL;
        const uint64_t index = (address >> shift) & ((1u << BITS_OF_A_LEVEL) - 1);
        if (skein_guest_read(&t->physical, (entry & PTE_ADDRESS) + index * 8, &entry, 8) != 0 ||
            !(entry & PTE_PRESENT))
            return -EFAULT;
        if (level == 0 || (level <= LARGEST_PAGE_LEVEL && (entry & PTE_LARGE))) {
            const uint64_t within = ((uint64_t)1 << shift) - 1;
            *physical = (entry & PTE_ADDRESS & ~within) | (address & within);
            *contiguous = within + 1 - (address & within);
            return 0;
        }
    }
    return -EFAULT;
}

static int read_virtual(void *opaque, uint64_t address, void *to, size_t bytes) {
    const struct skein_page_tables *t = opaque;
    size_t done = 0;
    if (address + bytes < address)
        return -EFAULT;
    while (done < bytes) {
        uint64_t physical, contiguous;
        size_t piece = bytes - done;
        int rc = skein_page_tables_walk(t, address + done, &physical, &contiguous);
        if (rc != 0)
            return rc;
        piece = piece < contiguous ? piece : (size_t)contiguous;
        rc = skein_guest_read(&t->physical, physical, (char *)to + done, piece);
        if (rc != 0)
            return rc;
        done += piece;
    }
    return 0;
}

struct skein_guest_memory skein_page_tables_memory(struct skein_page_tables *t) {
    return (struct skein_guest_memory){.read = read_virtual, .opaque = t};
}
