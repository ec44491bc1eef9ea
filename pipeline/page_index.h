/* Page contents by their hash (XXH128): whether a recording has stored one already, and which. */
#ifndef SKEIN_PIPELINE_PAGE_INDEX_H
#define SKEIN_PIPELINE_PAGE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/checkpoint_table.h"

struct skein_page_index {
    size_t count, slots; /* a power of two, or 0 */
    struct skein_page_slot *table;
};

void skein_page_index_free(struct skein_page_index *index);

struct skein_page_hash skein_page_hash(const uint8_t *page);

/* Whether the page is all zeros. */
bool skein_page_is_zero(const uint8_t *page);

/* True: there is one, *content. */
bool skein_page_index_find(const struct skein_page_index *index, struct skein_page_hash hash,
                           uint64_t *content);

/* One with that hash which is there already stays. -ENOMEM. */
int skein_page_index_add(struct skein_page_index *index, struct skein_page_hash hash,
                         uint64_t content);

#endif
