#include "pipeline/checkpoint_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/proto_budget.h"
#include "proto/skein.pb-c.h"

#define RUN_MESSAGE_BYTES 40u /* four integers of at most ten bytes */

void skein_checkpoint_table_free(struct skein_checkpoint_table *t) {
    free(t->runs);
    free(t->hashes);
    *t = (struct skein_checkpoint_table){.run_count = 0};
}

/* Room for one more. */
static int grow(void **items, size_t count, size_t *capacity, size_t item_bytes) {
    const size_t more = *capacity != 0 ? 2 * *capacity : 256;
    void *grown;

    if (count < *capacity) {
        return 0;
    }
    grown = realloc(*items, more * item_bytes);
    if (grown == NULL) {
        return -ENOMEM;
    }
    *items = grown;
    *capacity = more;
    return 0;
}

static bool continues(const struct skein_page_run *r, uint32_t block, uint64_t page,
                      uint64_t content) {
    return r->block == block && r->page + r->pages == page &&
           content ==
               (r->content == SKEIN_CONTENT_ZERO ? SKEIN_CONTENT_ZERO : r->content + r->pages);
}

int skein_checkpoint_table_page(struct skein_checkpoint_table *t, uint32_t block, uint64_t page,
                                uint64_t content) {
    void *runs = t->runs;
    int rc;

    if (t->run_count != 0 && continues(&t->runs[t->run_count - 1], block, page, content)) {
        t->runs[t->run_count - 1].pages++;
        return 0;
    }
    rc = grow(&runs, t->run_count, &t->run_capacity, sizeof(*t->runs));
    t->runs = runs;
    if (rc == 0) {
        t->runs[t->run_count++] =
            (struct skein_page_run){.block = block, .page = page, .pages = 1, .content = content};
    }
    return rc;
}

int skein_checkpoint_table_hash(struct skein_checkpoint_table *t, struct skein_page_hash hash) {
    void *hashes = t->hashes;
    int rc = grow(&hashes, t->hash_count, &t->hash_capacity, sizeof(*t->hashes));

    t->hashes = hashes;
    if (rc == 0) {
        t->hashes[t->hash_count++] = hash;
    }
    return rc;
}

int skein_checkpoint_table_pack(const struct skein_checkpoint_table *t, uint8_t **bytes,
                                size_t *size) {
    Skein__CheckpointTable msg = SKEIN__CHECKPOINT_TABLE__INIT;
    const size_t n = t->run_count;
    uint64_t *columns = malloc((4 * n + 1) * sizeof(*columns));
    struct skein_page_run last = {.block = UINT32_MAX};

    if (columns == NULL) {
        return -ENOMEM;
    }
    msg.n_run_block = msg.n_run_skip = msg.n_run_pages = msg.n_run_content = n;
    msg.run_block = columns;
    msg.run_skip = columns + n;
    msg.run_pages = columns + 2 * n;
    msg.run_content = columns + 3 * n;
    for (size_t i = 0; i < n; i++) {
        const struct skein_page_run *r = &t->runs[i];
        msg.run_block[i] = r->block;
        msg.run_skip[i] = r->page - (r->block == last.block ? last.page + last.pages : 0);
        msg.run_pages[i] = r->pages;
        msg.run_content[i] = r->content == SKEIN_CONTENT_ZERO ? 0 : r->content + 1;
        last = *r;
    }
    msg.hash = (ProtobufCBinaryData){t->hash_count * sizeof(*t->hashes), (uint8_t *)t->hashes};
    *size = skein__checkpoint_table__get_packed_size(&msg);
    *bytes = malloc(*size + 1);
    if (*bytes != NULL) {
        skein__checkpoint_table__pack(&msg, *bytes);
    }
    free(columns);
    return *bytes != NULL ? 0 : -ENOMEM;
}

uint64_t skein_checkpoint_table_limit(uint64_t pages, uint64_t contents) {
    return pages * RUN_MESSAGE_BYTES + contents * sizeof(struct skein_page_hash) + 64;
}

/* One run, which must lie behind the one before it and in its block. */
static bool add_run(const Skein__CheckpointTable *msg, size_t i,
                    const struct skein_checkpoint_table_shape *shape,
                    struct skein_checkpoint_table *t, uint64_t *left) {
    const struct skein_page_run *last = t->run_count != 0 ? &t->runs[t->run_count - 1] : NULL;
    const uint64_t block = msg->run_block[i], pages = msg->run_pages[i],
                   content = msg->run_content[i] - 1;
    const bool same = last != NULL && last->block == block;
    const uint64_t from = same ? last->page + last->pages : 0;

    if (block >= shape->block_count || (last != NULL && block < last->block)) {
        return false;
    }
    const uint64_t room = shape->blocks[block].bytes / SKEIN_PAGE_BYTES - from;
    if (pages == 0 || pages > *left || msg->run_skip[i] > room || pages > room - msg->run_skip[i]) {
        return false;
    }
    if (content != SKEIN_CONTENT_ZERO &&
        (content >= shape->known || pages > shape->known - content)) {
        return false;
    }
    *left -= pages;
    t->runs[t->run_count++] = (struct skein_page_run){.block = (uint32_t)block,
                                                      .page = from + msg->run_skip[i],
                                                      .pages = pages,
                                                      .content = content};
    return true;
}

static int from_message(const Skein__CheckpointTable *msg,
                        const struct skein_checkpoint_table_shape *shape,
                        struct skein_checkpoint_table *t) {
    const size_t n = msg->n_run_block, hash_bytes = shape->contents * sizeof(*t->hashes);
    uint64_t left = shape->pages;

    if (msg->n_run_skip != n || msg->n_run_pages != n || msg->n_run_content != n ||
        n > shape->pages || msg->hash.len / sizeof(*t->hashes) != shape->contents ||
        msg->hash.len % sizeof(*t->hashes) != 0) {
        return -EBADMSG;
    }
    t->runs = malloc((n + 1) * sizeof(*t->runs));
    t->hashes = malloc(hash_bytes + 1);
    if (t->runs == NULL || t->hashes == NULL) {
        return -ENOMEM;
    }
    t->run_capacity = n + 1;
    t->hash_count = t->hash_capacity = shape->contents;
    if (hash_bytes != 0) {
        memcpy(t->hashes, msg->hash.data, hash_bytes);
    }
    for (size_t i = 0; i < n; i++) {
        if (!add_run(msg, i, shape, t, &left)) {
            return -EBADMSG;
        }
    }
    return left == 0 ? 0 : -EBADMSG;
}

int skein_checkpoint_table_parse(const uint8_t *bytes, size_t size,
                                 const struct skein_checkpoint_table_shape *shape,
                                 struct skein_checkpoint_table *t) {
    struct skein_proto_budget budget;
    Skein__CheckpointTable *msg;
    int rc;

    *t = (struct skein_checkpoint_table){.run_count = 0};
    skein_proto_budget_init(&budget, (64u << 10) + 16 * size);
    msg = skein__checkpoint_table__unpack(&budget.allocator, size, bytes);
    if (msg == NULL) {
        return -EBADMSG;
    }
    rc = from_message(msg, shape, t);
    skein__checkpoint_table__free_unpacked(msg, NULL);
    if (rc != 0) {
        skein_checkpoint_table_free(t);
    }
    return rc;
}
