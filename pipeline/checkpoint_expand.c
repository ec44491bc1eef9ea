/*
 * Expanding a checkpoint into the raw file that QEMU loads. The snapshot's RAM goes there as it is
 * expanded, run by run; behind each block there is room for pages that the snapshot has not. Then
 * the changed pages are written into their places. What is kept in memory is two numbers for each
 * page of RAM, one chunk, and those of the snapshot's pages that now stand somewhere else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/checkpoint_expand_private.h"
#include "pipeline/file.h"
#include "pipeline/snapshot_file.h"
#include "pipeline/snapshot_stream.h"

static int out_of_memory(struct skein_error *err) {
    return skein_error_set(err, -ENOMEM, "out of memory");
}

int skein_expansion_put_at(struct skein_expansion *x, const void *bytes, size_t n, uint64_t at,
                           struct skein_error *err) {
    const int rc = skein_file_write_at(x->fd, bytes, n, at);

    return rc == 0 ? 0 : skein_error_sys(err, rc, "cannot write %s", x->raw_path);
}

static int put(struct skein_expansion *x, const void *bytes, size_t n, struct skein_error *err) {
    x->at += n;
    return skein_expansion_put_at(x, bytes, n, x->at - n, err);
}

/* A page of the snapshot passes by: its content is kept if it is wanted at another place. */
static int pass_page(struct skein_expansion *x, uint64_t page, uint8_t *bytes) {
    const uint64_t content = x->seen++;
    bool elsewhere = false;

    for (; x->next_want < x->want_count && x->wants[x->next_want].content == content;
         x->next_want++) {
        elsewhere |= x->wants[x->next_want].page != page;
    }
    if (elsewhere) {
        if (x->kept_count == x->kept_capacity) {
            const size_t room = x->kept_capacity != 0 ? 2 * x->kept_capacity : 16;
            struct skein_kept_page *grown = realloc(x->kept, room * sizeof(*grown));
            if (grown == NULL) {
                return -ENOMEM;
            }
            x->kept = grown;
            x->kept_capacity = room;
        }
        x->kept[x->kept_count].content = content;
        memcpy(x->kept[x->kept_count++].bytes, bytes, SKEIN_PAGE_BYTES);
    }
    if (x->pages[page].content == SKEIN_CONTENT_ZERO) {
        memset(bytes, 0, SKEIN_PAGE_BYTES);
    }
    return 0;
}

static int write_run(struct skein_expansion *x, struct skein_raw *raw, uint64_t first_page,
                     struct skein_error *err) {
    const uint64_t run[2] = {raw->run_at, raw->run_bytes},
                   first = first_page + raw->run_at / SKEIN_PAGE_BYTES;
    int rc = skein_raw_take(raw, x->buffer, raw->run_bytes, err);

    for (uint64_t k = 0; k < raw->run_bytes / SKEIN_PAGE_BYTES && rc == 0; k++) {
        x->pages[first + k].place = x->at + sizeof(run) + k * SKEIN_PAGE_BYTES;
        if (pass_page(x, first + k, x->buffer + k * SKEIN_PAGE_BYTES) != 0) {
            rc = out_of_memory(err);
        }
    }
    if (rc == 0) {
        rc = put(x, run, sizeof(run), err);
    }
    return rc != 0 ? rc : put(x, x->buffer, raw->run_bytes, err);
}

static bool is_missing(const struct skein_expansion *x, uint64_t page) {
    return x->pages[page].content < SKEIN_UNCHANGED && x->pages[page].place == 0;
}

/* Runs for the block's changed pages that were zeros in the snapshot; they are filled later. */
static int write_missing(struct skein_expansion *x, size_t block, struct skein_error *err) {
    const uint64_t first = x->first_page[block], end = x->first_page[block + 1];
    int rc = 0;

    for (uint64_t i = first; i < end && rc == 0;) {
        uint64_t n = 0;
        while (i + n < end && n < SKEIN_RAW_RUN_MAX / SKEIN_PAGE_BYTES - 1 &&
               is_missing(x, i + n)) {
            x->pages[i + n].place = x->at + SKEIN_RAW_RUN_BYTES + n * SKEIN_PAGE_BYTES;
            n++;
        }
        if (n != 0) {
            const uint64_t run[2] = {(i - first) * SKEIN_PAGE_BYTES, n * SKEIN_PAGE_BYTES};
            rc = put(x, run, sizeof(run), err);
            x->at += run[1];
        }
        i += n != 0 ? n : 1;
    }
    return rc;
}

static int write_block(struct skein_expansion *x, struct skein_raw *raw, size_t block,
                       struct skein_error *err) {
    const struct skein_raw_block *b = &raw->block;
    const uint64_t place[2] = {b->offset, b->bytes}, end[2] = {0, 0};
    const struct {
        uint32_t type, name_bytes;
        uint64_t bytes;
    } header = {SKEIN_RAW_RAM, (uint32_t)strlen(b->name), 0};
    int rc;

    if (block >= x->last->footer.block_count ||
        !skein_raw_block_same(b, &x->last->footer.blocks[block])) {
        return skein_checkpoint_chain_fits(&x->chain, b, 1, UINT64_MAX, err);
    }
    if ((rc = put(x, &header, sizeof(header), err)) != 0 ||
        (rc = put(x, b->name, header.name_bytes, err)) != 0 ||
        (rc = put(x, place, sizeof(place), err)) != 0) {
        return rc;
    }
    while ((rc = skein_raw_next_run(raw, err)) == 1) {
        if ((rc = write_run(x, raw, x->first_page[block], err)) != 0) {
            return rc;
        }
    }
    if (rc == 0) {
        rc = write_missing(x, block, err);
    }
    return rc != 0 ? rc : put(x, end, sizeof(end), err);
}

static int write_ram(struct skein_expansion *x, struct skein_snapshot_stream *stream,
                     struct skein_error *err) {
    struct skein_raw raw = {.read = skein_snapshot_stream_read,
                            .opaque = stream,
                            .what = skein_snapshot_stream_path(stream)};
    size_t blocks = 0;
    int rc = skein_raw_begin(&raw, err);

    while (rc == 0 && (rc = skein_raw_next(&raw, err)) == 0 && raw.type != SKEIN_RAW_END) {
        rc = raw.type == SKEIN_RAW_RAM ? write_block(x, &raw, blocks++, err)
                                       : skein_raw_take(&raw, NULL, raw.bytes, err);
    }
    if (rc == 0) {
        rc = skein_snapshot_stream_finish(stream, err);
    }
    return rc != 0 ? rc
                   : skein_checkpoint_chain_fits(&x->chain, x->last->footer.blocks, blocks, x->seen,
                                                 err);
}

/* The state goes over as it is, up to so many bytes of it. */
static int write_state(struct skein_expansion *x, struct skein_checkpoint_state *state,
                       uint64_t bytes, struct skein_error *err) {
    int rc = 0;

    while (bytes != 0 && rc == 0) {
        const size_t n =
            bytes < SKEIN_CHECKPOINT_CHUNK_BYTES ? (size_t)bytes : SKEIN_CHECKPOINT_CHUNK_BYTES;
        rc = skein_checkpoint_state_read(state, x->buffer, n);
        if (rc != 0) {
            skein_error_set(err, rc, "%s", state->error.text);
            skein_checkpoint_advise(x->last->header.number, err);
            return rc;
        }
        rc = put(x, x->buffer, n, err);
        bytes -= n;
    }
    return rc;
}

static int write_all(struct skein_expansion *x, struct skein_checkpoint_state *state,
                     struct skein_snapshot_stream *stream, struct skein_error *err) {
    const struct skein_checkpoint_footer *footer = &x->last->footer;
    const uint64_t all = footer->part_bytes[SKEIN_CHECKPOINT_STATE];
    int rc = write_state(x, state, footer->state_before_ram, err);

    if (rc == 0) {
        rc = write_ram(x, stream, err);
    }
    if (rc == 0) {
        rc = write_state(x, state, all - footer->state_before_ram, err);
    }
    return rc != 0 ? rc : skein_expansion_fetch(x, err);
}

static int expand(struct skein_expansion *x, const struct skein_recording *rec,
                  struct skein_error *err) {
    const char *dir = skein_recording_dir(rec);
    const struct skein_manifest *manifest = skein_recording_manifest(rec);
    struct skein_checkpoint_state *state = calloc(1, sizeof(*state));
    struct skein_snapshot_stream *stream = NULL;
    int rc = skein_expansion_plan(x, err);

    x->buffer = malloc(SKEIN_RAW_RUN_MAX);
    if (rc == 0 && (state == NULL || x->buffer == NULL)) {
        rc = out_of_memory(err);
    }
    if (rc == 0) {
        rc = skein_snapshot_stream_open(dir, manifest, &stream, err);
    }
    if (rc == 0) {
        state->file = x->chain.files[x->chain.count - 1];
        x->fd = open(x->raw_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        rc = x->fd < 0 ? skein_error_sys(err, -errno, "cannot create %s", x->raw_path)
                       : write_all(x, state, stream, err);
    }
    skein_snapshot_stream_close(stream);
    free(state);
    return rc;
}

int skein_checkpoint_expand(const struct skein_recording *rec, uint64_t number,
                            const char *raw_path, struct skein_error *err) {
    struct skein_expansion x = {.raw_path = raw_path, .fd = -1};
    int rc;

    if (number == 0) {
        return skein_snapshot_expand(skein_recording_dir(rec), skein_recording_manifest(rec),
                                     raw_path, err);
    }
    rc = skein_checkpoint_chain_open(skein_recording_dir(rec), skein_recording_manifest(rec),
                                     number, &x.chain, err);
    if (rc == 0) {
        rc = skein_checkpoint_chain_small(&x.chain, skein_recording_manifest(rec), err);
    }
    if (rc == 0) {
        x.last = x.chain.files[x.chain.count - 1];
        rc = expand(&x, rec, err);
    }
    if (x.fd >= 0) {
        close(x.fd);
        if (rc != 0) {
            unlink(raw_path);
        }
    }
    skein_checkpoint_chain_close(&x.chain);
    free(x.pages);
    free(x.wants);
    free(x.kept);
    free(x.buffer);
    return rc;
}
