/* Which checkpoints a recording has, and whether all of them can be read. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/checkpoint_chain.h"
#include "pipeline/checkpoint_snapshot.h"
#include "pipeline/page_index.h"
#include "pipeline/recording_private.h"

#define LIST_MAX 10000000u /* a number that some file happens to have */

static void fill(struct skein_checkpoint_info *info, const struct skein_checkpoint_file *f) {
    const struct skein_checkpoint_footer *footer = &f->footer;

    info->cut = f->header.cut;
    info->size_bytes = f->size_bytes;
    info->raw_bytes = footer->raw_bytes;
    info->pages = footer->pages;
    info->pages_stored = skein_checkpoint_contents(footer);
    info->pages_zero = footer->pages_zero;
    info->pages_shared = footer->pages_shared;
}

/* Whether the log goes up to it. */
static bool is_within(const struct skein_recording *rec, const struct skein_checkpoint_cut *cut) {
    struct skein_clock end;

    skein_clock_init(&end, cut->clock.shard_count);
    if (rec->segment_count != 0) {
        memcpy(end.tick, rec->segments[rec->segment_count - 1]->clock_end, sizeof(end.tick));
    }
    return skein_checkpoint_is_within(cut, &end);
}

/* Reads one; *f is NULL when it cannot be read. */
static int look(const struct skein_recording *rec, const struct skein_checkpoint_file *before,
                const struct skein_checkpoint_info *last, struct skein_checkpoint_info *info,
                struct skein_checkpoint_file **f) {
    int rc = skein_checkpoint_file_open(rec->dir, &rec->manifest, info->number, f, &info->error);

    if (rc != 0) {
        *f = NULL;
        return rc == -ENOMEM ? rc : 0;
    }
    fill(info, *f);
    if (last != NULL && !last->ok) {
        skein_error_set(&info->error, 0, "it builds on checkpoint %" PRIu64 ", which is not good",
                        last->number);
    } else if (skein_checkpoint_follows(*f, before, &rec->manifest, &info->error) == 0) {
        info->ok = is_within(rec, &info->cut);
        if (!info->ok) {
            skein_error_set(&info->error, 0, "%s stands behind the end of the recording",
                            (*f)->path);
        }
    }
    return 0;
}

static int look_at_all(const struct skein_recording *rec, struct skein_checkpoint_list *list) {
    struct skein_checkpoint_file *before = NULL, *f;
    int rc = 0;

    for (size_t i = 0; i < list->count && rc == 0; i++) {
        struct skein_checkpoint_info *info = &list->items[i];
        info->number = i + 1;
        rc = look(rec, before, i != 0 ? info - 1 : NULL, info, &f);
        skein_checkpoint_file_close(before);
        before = f;
    }
    skein_checkpoint_file_close(before);
    return rc;
}

int skein_checkpoint_list_read(const struct skein_recording *rec, struct skein_checkpoint_list *out,
                               struct skein_error *err) {
    uint64_t last;
    int rc = skein_checkpoint_last(rec->dir, &last, err);

    *out = (struct skein_checkpoint_list){.count = 0};
    if (rc != 0 || last == 0) {
        return rc;
    }
    if (last > LIST_MAX) {
        return skein_error_set(err, -EBADMSG, "%s: a checkpoint has an impossible number",
                               rec->dir);
    }
    out->items = calloc(last, sizeof(*out->items));
    out->count = out->items != NULL ? last : 0;
    rc = out->items != NULL ? look_at_all(rec, out) : -ENOMEM;
    if (rc != 0) {
        skein_checkpoint_list_free(out);
        return skein_error_set(err, rc, "out of memory");
    }
    return 0;
}

void skein_checkpoint_list_free(struct skein_checkpoint_list *list) {
    free(list->items);
    *list = (struct skein_checkpoint_list){.count = 0};
}

const struct skein_checkpoint_info *
skein_checkpoint_list_at_icount(const struct skein_checkpoint_list *list, uint64_t icount) {
    const struct skein_checkpoint_info *found = NULL;

    for (size_t i = 0; i < list->count && list->items[i].ok; i++) {
        if (list->items[i].cut.icount <= icount) {
            found = &list->items[i];
        }
    }
    return found;
}

const struct skein_checkpoint_info *
skein_checkpoint_list_at_slice(const struct skein_checkpoint_list *list, uint64_t slice) {
    const struct skein_checkpoint_info *found = NULL;

    for (size_t i = 0; i < list->count && list->items[i].ok; i++) {
        if (list->items[i].cut.slices <= slice) {
            found = &list->items[i];
        }
    }
    return found;
}

static int no_page(void *opaque, const uint8_t *page, uint64_t content) {
    (void)opaque;
    (void)page;
    (void)content;
    return 0;
}

/* Every content has the hash that the table says. */
static int check_contents(struct skein_checkpoint_file *f,
                          const struct skein_checkpoint_table *table, uint8_t *buffer,
                          struct skein_error *err) {
    size_t bytes;

    for (size_t i = 0; i < table->hash_count; i++) {
        const size_t in_chunk = i % SKEIN_CHECKPOINT_CHUNK_PAGES;
        if (in_chunk == 0) {
            const int rc =
                skein_checkpoint_file_chunk(f, SKEIN_CHECKPOINT_CONTENTS,
                                            i / SKEIN_CHECKPOINT_CHUNK_PAGES, buffer, &bytes, err);
            if (rc != 0) {
                return rc;
            }
        }
        const struct skein_page_hash hash = skein_page_hash(buffer + in_chunk * SKEIN_PAGE_BYTES);
        if (memcmp(&hash, &table->hashes[i], sizeof(hash)) != 0) {
            return skein_error_set(err, -EBADMSG, "%s is damaged: a page is not what it should be",
                                   f->path);
        }
    }
    return 0;
}

static int check_file(struct skein_checkpoint_file *f, uint8_t *buffer, struct skein_error *err) {
    const uint64_t state_chunks =
        skein_checkpoint_chunks(f->footer.part_bytes[SKEIN_CHECKPOINT_STATE]);
    struct skein_checkpoint_table table;
    size_t bytes;
    int rc = 0;

    for (uint64_t i = 0; i < state_chunks && rc == 0; i++) {
        rc = skein_checkpoint_file_chunk(f, SKEIN_CHECKPOINT_STATE, i, buffer, &bytes, err);
    }
    if (rc == 0 && (rc = skein_checkpoint_file_table(f, &table, err)) == 0) {
        rc = check_contents(f, &table, buffer, err);
        skein_checkpoint_table_free(&table);
    }
    skein_checkpoint_file_rest(f);
    if (rc != 0) {
        skein_checkpoint_advise(f->header.number, err);
    }
    return rc;
}

static int check_chain(const struct skein_recording *rec, struct skein_checkpoint_chain *chain,
                       struct skein_error *err) {
    struct skein_snapshot_walk *walk = calloc(1, sizeof(*walk));
    uint8_t *buffer = malloc(SKEIN_CHECKPOINT_CHUNK_BYTES);
    int rc = walk != NULL && buffer != NULL ? 0 : skein_error_set(err, -ENOMEM, "out of memory");

    if (rc == 0) {
        rc = skein_checkpoint_chain_small(chain, &rec->manifest, err);
    }
    if (rc == 0) {
        walk->page = no_page;
        rc = skein_snapshot_walk(rec->dir, &rec->manifest, walk, err);
    }
    if (rc == 0) {
        rc = skein_checkpoint_chain_fits(chain, walk->blocks, walk->block_count, walk->pages, err);
    }
    for (size_t i = 0; i < chain->count && rc == 0; i++) {
        rc = check_file(chain->files[i], buffer, err);
    }
    for (size_t i = 0; i < chain->count && rc == 0; i++) {
        if (!is_within(rec, &chain->files[i]->header.cut)) {
            rc = skein_error_set(err, -EBADMSG, "%s stands behind the end of the recording",
                                 chain->files[i]->path);
            skein_checkpoint_advise(i + 1, err);
        }
    }
    free(buffer);
    free(walk);
    return rc;
}

int skein_checkpoint_check(const struct skein_recording *rec, struct skein_error *err) {
    struct skein_checkpoint_chain chain;
    uint64_t last;
    int rc = skein_checkpoint_last(rec->dir, &last, err);

    if (rc != 0 || last == 0) {
        return rc;
    }
    rc = skein_checkpoint_chain_open(rec->dir, &rec->manifest, last, &chain, err);
    if (rc == 0) {
        rc = check_chain(rec, &chain, err);
        skein_checkpoint_chain_close(&chain);
    }
    return rc == -ENOENT ? -EBADMSG : rc;
}
