#include "pipeline/page_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct skein_page_slot {
    struct skein_page_hash hash;
    uint64_t content_plus_1; /* 0: free */
};

void skein_page_index_free(struct skein_page_index *index) {
    free(index->table);
    *index = (struct skein_page_index){.count = 0};
}

struct skein_page_hash skein_page_hash(const uint8_t *page) {
    const XXH128_hash_t found = XXH3_128bits(page, SKEIN_PAGE_BYTES);
    struct skein_page_hash hash;
    XXH128_canonical_t canonical;

    static_assert(sizeof(canonical) == sizeof(hash), "16 bytes");
    XXH128_canonicalFromHash(&canonical, found);
    memcpy(&hash, &canonical, sizeof(hash));
    return hash;
}

bool skein_page_is_zero(const uint8_t *page) {
    /* Each byte is the one before it, and the first is 0. */
    return page[0] == 0 && memcmp(page, page + 1, SKEIN_PAGE_BYTES - 1) == 0;
}

/* Where it is, or the free slot where it belongs. */
static struct skein_page_slot *place(const struct skein_page_index *index,
                                     struct skein_page_hash hash) {
    size_t at;

    memcpy(&at, hash.bytes, sizeof(at));
    for (;; at++) {
        struct skein_page_slot *s = &index->table[at & (index->slots - 1)];
        if (s->content_plus_1 == 0 || memcmp(&s->hash, &hash, sizeof(hash)) == 0) {
            return s;
        }
    }
}

bool skein_page_index_find(const struct skein_page_index *index, struct skein_page_hash hash,
                           uint64_t *content) {
    const struct skein_page_slot *s = index->slots != 0 ? place(index, hash) : NULL;

    if (s == NULL || s->content_plus_1 == 0) {
        return false;
    }
    *content = s->content_plus_1 - 1;
    return true;
}

static int grow(struct skein_page_index *index) {
    struct skein_page_slot *old = index->table;
    const size_t slots = index->slots, more = slots != 0 ? 2 * slots : 1024;
    struct skein_page_slot *table = calloc(more, sizeof(*table));

    if (table == NULL) {
        return -ENOMEM;
    }
    index->table = table;
    index->slots = more;
    for (size_t i = 0; i < slots; i++) {
        if (old[i].content_plus_1 != 0) {
            *place(index, old[i].hash) = old[i];
        }
    }
    free(old);
    return 0;
}

int skein_page_index_add(struct skein_page_index *index, struct skein_page_hash hash,
                         uint64_t content) {
    struct skein_page_slot *s;

    if (4 * (index->count + 1) > 3 * index->slots && grow(index) != 0) {
        return -ENOMEM;
    }
    s = place(index, hash);
    if (s->content_plus_1 == 0) {
        *s = (struct skein_page_slot){.hash = hash, .content_plus_1 = content + 1};
        index->count++;
    }
    return 0;
}
