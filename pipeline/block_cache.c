#include "pipeline/block_cache.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "pipeline/recording_private.h"

/* How many blocks that nobody uses are kept: the ones used last. */
#define KEEP_UNUSED 3u

struct entry {
    struct entry *next;
    size_t segment, index;
    unsigned users;
    struct skein_block *block;
};

/* The list is in the order of last use, newest first; it is as long as there are readers, or so. */
struct skein_block_cache {
    const struct skein_recording *rec;
    struct entry *entries;
};

int skein_block_cache_create(const struct skein_recording *rec, struct skein_block_cache **out) {
    *out = calloc(1, sizeof(**out));
    if (*out == NULL) {
        return -ENOMEM;
    }
    (*out)->rec = rec;
    return 0;
}

void skein_block_cache_free(struct skein_block_cache *cache) {
    if (cache == NULL) {
        return;
    }
    for (struct entry *e = cache->entries, *next; e != NULL; e = next) {
        next = e->next;
        skein_block_free(e->block);
        free(e);
    }
    free(cache);
}

static void trim(struct skein_block_cache *cache) {
    unsigned unused = 0;

    for (struct entry **at = &cache->entries; *at != NULL;) {
        struct entry *e = *at;
        if (e->users == 0 && ++unused > KEEP_UNUSED) {
            *at = e->next;
            skein_block_free(e->block);
            free(e);
        } else {
            at = &e->next;
        }
    }
}

/* Unlinks the entry, for it to be put in front. */
static struct entry *take(struct skein_block_cache *cache, size_t segment, size_t index) {
    for (struct entry **at = &cache->entries; *at != NULL; at = &(*at)->next) {
        struct entry *e = *at;
        if (e->segment == segment && e->index == index) {
            *at = e->next;
            return e;
        }
    }
    return NULL;
}

static int load(struct skein_block_cache *cache, size_t segment, size_t index, struct entry **out,
                struct skein_error *err) {
    struct entry *e = calloc(1, sizeof(*e));
    int rc;

    if (e == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    e->segment = segment;
    e->index = index;
    rc = skein_segment_load(cache->rec->segments[segment], index, &e->block, err);
    if (rc != 0) {
        free(e);
        return rc;
    }
    *out = e;
    return 0;
}

int skein_block_cache_get(struct skein_block_cache *cache, size_t segment, size_t block,
                          const struct skein_block **out, struct skein_error *err) {
    struct entry *e = take(cache, segment, block);
    int rc;

    if (e == NULL && (rc = load(cache, segment, block, &e, err)) != 0) {
        return rc;
    }
    e->next = cache->entries;
    cache->entries = e;
    e->users++;
    *out = e->block;
    trim(cache);
    return 0;
}

void skein_block_cache_put(struct skein_block_cache *cache, const struct skein_block *block) {
    for (struct entry *e = cache->entries; e != NULL; e = e->next) {
        if (e->block == block) {
            assert(e->users != 0);
            e->users--;
            break;
        }
    }
    trim(cache);
}
