/* Whether all checkpoints of a recording can be used: everything is read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/checkpoint_chain.h"
#include "pipeline/checkpoint_snapshot.h"
#include "pipeline/page_index.h"
#include "pipeline/recording_private.h"

/* What is too large for the stack. */
struct room {
    struct skein_snapshot_walk walk;
    struct skein_checkpoint_state state;
    struct skein_raw_map map;
    uint8_t chunk[SKEIN_CHECKPOINT_CHUNK_BYTES];
};

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

/* The state says what the header says. */
static int check_state(struct skein_checkpoint_file *f, struct skein_checkpoint_state *state,
                       struct skein_raw_map *map, struct skein_error *err) {
    const struct skein_checkpoint_header *h = &f->header;
    const struct skein_raw raw = {
        .read = skein_checkpoint_state_read, .opaque = state, .what = f->path};
    int rc;

    *state = (struct skein_checkpoint_state){.file = f};
    rc = skein_raw_map(&raw, f->footer.part_bytes[SKEIN_CHECKPOINT_STATE], map, err);
    if (state->error.text[0] != '\0') {
        return skein_error_set(err, rc, "%s", state->error.text);
    }
    if (rc == 0 &&
        (map->block_count != 0 || map->number != h->number || map->vcpus != h->cut.vcpu_count ||
         memcmp(map->uuid, h->uuid, sizeof(h->uuid)) != 0 ||
         !skein_checkpoint_cut_same(&map->cut, &h->cut))) {
        rc = skein_error_set(err, -EBADMSG, "%s is damaged: its state is not what its header says",
                             f->path);
    }
    return rc;
}

static int check_file(struct skein_checkpoint_file *f, struct room *room, struct skein_error *err) {
    struct skein_checkpoint_table table;
    int rc = check_state(f, &room->state, &room->map, err);

    if (rc == 0 && (rc = skein_checkpoint_file_table(f, &table, err)) == 0) {
        rc = check_contents(f, &table, room->chunk, err);
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
    struct room *room = calloc(1, sizeof(*room));
    int rc = room != NULL ? 0 : skein_error_set(err, -ENOMEM, "out of memory");

    if (rc == 0) {
        rc = skein_checkpoint_chain_small(chain, &rec->manifest, err);
    }
    if (rc == 0) {
        room->walk.page = no_page;
        rc = skein_snapshot_walk(rec->dir, &rec->manifest, &room->walk, err);
    }
    if (rc == 0) {
        rc = skein_checkpoint_chain_fits(chain, room->walk.blocks, room->walk.block_count,
                                         room->walk.pages, err);
    }
    for (size_t i = 0; i < chain->count && rc == 0; i++) {
        rc = check_file(chain->files[i], room, err);
    }
    for (size_t i = 0; i < chain->count && rc == 0; i++) {
        if (!skein_checkpoint_is_reached(rec, &chain->files[i]->header.cut)) {
            rc = skein_error_set(err, -EBADMSG, "%s stands behind the end of the recording",
                                 chain->files[i]->path);
            skein_checkpoint_advise(i + 1, err);
        }
    }
    free(room);
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
