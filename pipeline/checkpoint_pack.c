#include "pipeline/checkpoint_pack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/checkpoint_chain.h"
#include "pipeline/checkpoint_snapshot.h"
#include "pipeline/checkpoint_writer.h"
#include "pipeline/file.h"
#include "pipeline/page_index.h"
#include "pipeline/test_point.h"

struct skein_checkpoint_packer {
    char *dir;
    const struct skein_manifest *manifest; /* only while opening */
    uint8_t uuid[16];
    int lock_fd;
    struct skein_page_index index;
    /* What the next one is built on. */
    uint64_t last;
    uint64_t before_xxh64;
    uint64_t contents;
    struct skein_checkpoint_cut cut; /* of the last one */
    uint32_t vcpus;
    size_t block_count;
    struct skein_raw_block blocks[SKEIN_RAW_BLOCKS_MAX]; /* the snapshot's */
    bool failed; /* the index has contents that are in no file */
};

static int out_of_memory(struct skein_error *err) {
    return skein_error_set(err, -ENOMEM, "out of memory");
}

static int lock(struct skein_checkpoint_packer *p, struct skein_error *err) {
    char path[PATH_MAX];
    int rc = 0;

    snprintf(path, sizeof(path), "%s/" SKEIN_CHECKPOINTS_NAME, p->dir);
    if (mkdir(path, 0777) == 0) {
        SKEIN_TEST_POINT("checkpoint_pack.folder_made");
        rc = skein_file_sync_parent(path);
    } else if (errno != EEXIST) {
        rc = -errno;
    }
    if (rc != 0) {
        return skein_error_sys(err, rc, "cannot make %s", path);
    }
    p->lock_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->lock_fd < 0) {
        return skein_error_sys(err, -errno, "cannot open %s", path);
    }
    if (flock(p->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return skein_error_set(err, -EBUSY, "another process adds checkpoints to %s", p->dir);
    }
    return 0;
}

/* Adds the hashes of the snapshot's pages. */
static int index_page(void *opaque, const uint8_t *page, uint64_t content) {
    struct skein_checkpoint_packer *p = opaque;

    return skein_page_index_add(&p->index, skein_page_hash(page), content);
}

static int index_snapshot(struct skein_checkpoint_packer *p, struct skein_error *err) {
    struct skein_snapshot_walk walk = {.page = index_page, .opaque = p};
    const int rc = skein_snapshot_walk(p->dir, p->manifest, &walk, err);

    p->contents = walk.pages;
    p->block_count = walk.block_count;
    memcpy(p->blocks, walk.blocks, sizeof(p->blocks));
    return rc;
}

static int index_checkpoint(struct skein_checkpoint_packer *p, struct skein_checkpoint_file *f,
                            struct skein_error *err) {
    struct skein_checkpoint_table table;
    int rc = skein_checkpoint_file_table(f, &table, err);

    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < table.hash_count && rc == 0; i++) {
        rc = skein_page_index_add(&p->index, table.hashes[i], p->contents + i);
    }
    skein_checkpoint_table_free(&table);
    skein_checkpoint_file_rest(f);
    p->contents += skein_checkpoint_contents(&f->footer);
    p->last = f->header.number;
    p->before_xxh64 = f->footer_xxh64;
    p->cut = f->header.cut;
    return rc == 0 ? 0 : out_of_memory(err);
}

static int index_chain(struct skein_checkpoint_packer *p, uint64_t after, struct skein_error *err) {
    struct skein_checkpoint_chain chain;
    int rc = skein_checkpoint_chain_open(p->dir, p->manifest, after, &chain, err);

    if (rc == 0 && after != 0) {
        rc = skein_checkpoint_chain_fits(&chain, p->blocks, p->block_count, p->contents, err);
    }
    for (size_t i = 0; i < chain.count && rc == 0; i++) {
        rc = index_checkpoint(p, chain.files[i], err);
    }
    skein_checkpoint_chain_close(&chain);
    return rc;
}

static int check_last(const struct skein_checkpoint_packer *p, uint64_t after,
                      struct skein_error *err) {
    uint64_t last;
    const int rc = skein_checkpoint_last(p->dir, &last, err);

    if (rc == 0 && last > after) {
        return skein_error_set(err, -EEXIST,
                               "%s has checkpoint %" PRIu64 " already: go on from there, with "
                               "--from %" PRIu64,
                               p->dir, last, last);
    }
    return rc;
}

int skein_checkpoint_packer_open(const char *dir, const struct skein_manifest *manifest,
                                 uint64_t after, struct skein_checkpoint_packer **out,
                                 struct skein_error *err) {
    struct skein_checkpoint_packer *p = calloc(1, sizeof(*p));
    int rc;

    if (p == NULL || (p->dir = strdup(dir)) == NULL) {
        free(p);
        return out_of_memory(err);
    }
    p->lock_fd = -1;
    p->manifest = manifest;
    p->vcpus = manifest->vcpu_count;
    p->before_xxh64 = manifest->snapshot.xxh64;
    memcpy(p->uuid, manifest->uuid, sizeof(p->uuid));
    rc = lock(p, err);
    if (rc == 0) {
        rc = check_last(p, after, err);
    }
    if (rc == 0) {
        rc = index_snapshot(p, err);
    }
    if (rc == 0) {
        rc = index_chain(p, after, err);
    }
    p->manifest = NULL;
    if (rc != 0) {
        skein_checkpoint_packer_close(p);
        return rc;
    }
    *out = p;
    return 0;
}

void skein_checkpoint_packer_close(struct skein_checkpoint_packer *p) {
    if (p == NULL) {
        return;
    }
    if (p->lock_fd >= 0) {
        close(p->lock_fd);
    }
    skein_page_index_free(&p->index);
    free(p->dir);
    free(p);
}

uint64_t skein_checkpoint_packer_last(const struct skein_checkpoint_packer *p) {
    return p->last;
}

/* One raw checkpoint on its way into the recording. */
struct packing {
    struct skein_checkpoint_packer *p;
    FILE *raw;
    const char *path;
    struct skein_raw_map map;
    struct skein_checkpoint_writer *w;
    struct skein_checkpoint_table table;
    struct skein_checkpoint_footer footer;
    uint8_t buffer[SKEIN_RAW_RUN_MAX];
};

static size_t find_block(const struct skein_checkpoint_packer *p,
                         const struct skein_raw_block *block) {
    size_t i = 0;

    while (i < p->block_count && !skein_raw_block_same(&p->blocks[i], block)) {
        i++;
    }
    return i;
}

/* Whether it is the next one of this recording. */
static int check_map(const struct packing *k, struct skein_error *err) {
    const struct skein_checkpoint_packer *p = k->p;
    const struct skein_raw_map *m = &k->map;
    size_t last = 0;

    if (memcmp(m->uuid, p->uuid, sizeof(p->uuid)) != 0 || m->vcpus != p->vcpus) {
        return skein_error_set(err, -EBADMSG, "%s belongs to another recording", k->path);
    }
    if (m->number != p->last + 1) {
        return skein_error_set(err, -EBADMSG,
                               "%s is checkpoint %" PRIu64 ", and %" PRIu64 " comes next", k->path,
                               m->number, p->last + 1);
    }
    if (p->last != 0 && !skein_checkpoint_cut_reached(&p->cut, &m->cut)) {
        return skein_error_set(err, -EBADMSG, "%s does not follow checkpoint %" PRIu64, k->path,
                               p->last);
    }
    for (size_t i = 0; i < m->block_count; i++) {
        const size_t found = find_block(p, &m->blocks[i]);
        if (found == p->block_count || found < last) {
            return skein_error_set(err, -EBADMSG, "%s has RAM (%.64s) that the snapshot has not",
                                   k->path, m->blocks[i].name);
        }
        last = found;
    }
    return 0;
}

static int start_file(struct packing *k, struct skein_error *err) {
    struct skein_checkpoint_header header = {
        .number = k->map.number, .before_xxh64 = k->p->before_xxh64, .cut = k->map.cut};

    memcpy(header.uuid, k->p->uuid, sizeof(header.uuid));
    k->footer = (struct skein_checkpoint_footer){
        .raw_bytes = k->map.bytes,
        .state_before_ram = k->map.state_before_ram,
        .first_content = k->p->contents,
        .block_count = k->p->block_count,
    };
    memcpy(k->footer.blocks, k->p->blocks, sizeof(k->footer.blocks));
    return skein_checkpoint_writer_open(k->p->dir, &header, &k->w, err);
}

static int add_state(struct packing *k, struct skein_error *err) {
    int rc = 0;

    for (size_t i = 0; i < k->map.extent_count && rc == 0; i++) {
        struct skein_raw_extent e = k->map.extents[i];
        if (fseeko(k->raw, (off_t)e.at, SEEK_SET) != 0) {
            return skein_error_sys(err, -errno, "cannot read %s", k->path);
        }
        while (e.bytes != 0 && rc == 0) {
            const size_t n = e.bytes < sizeof(k->buffer) ? e.bytes : sizeof(k->buffer);
            if (fread(k->buffer, 1, n, k->raw) != n) {
                return skein_error_set(err, -EBADMSG, "%s is cut off", k->path);
            }
            rc = skein_checkpoint_writer_add(k->w, k->buffer, n, err);
            e.bytes -= n;
        }
    }
    return rc != 0 ? rc : skein_checkpoint_writer_end_part(k->w, err);
}

static int add_page(struct packing *k, uint32_t block, uint64_t page, const uint8_t *bytes,
                    struct skein_error *err) {
    struct skein_checkpoint_packer *p = k->p;
    uint64_t content = SKEIN_CONTENT_ZERO;
    int rc = 0;

    k->footer.pages++;
    if (skein_page_is_zero(bytes)) {
        k->footer.pages_zero++;
    } else {
        const struct skein_page_hash hash = skein_page_hash(bytes);
        if (skein_page_index_find(&p->index, hash, &content)) {
            k->footer.pages_shared++;
        } else {
            content = k->footer.first_content + k->table.hash_count;
            if (skein_page_index_add(&p->index, hash, content) != 0 ||
                skein_checkpoint_table_hash(&k->table, hash) != 0) {
                return out_of_memory(err);
            }
            rc = skein_checkpoint_writer_add(k->w, bytes, SKEIN_PAGE_BYTES, err);
        }
    }
    if (rc == 0 && skein_checkpoint_table_page(&k->table, block, page, content) != 0) {
        rc = out_of_memory(err);
    }
    return rc;
}

static int add_block(struct packing *k, struct skein_raw *raw, struct skein_error *err) {
    const size_t block = find_block(k->p, &raw->block);
    int rc;

    if (block == k->p->block_count) {
        return skein_error_set(err, -EBADMSG, "%s changes while it is read", k->path);
    }
    while ((rc = skein_raw_next_run(raw, err)) == 1) {
        const uint64_t first = raw->run_at / SKEIN_PAGE_BYTES;
        rc = skein_raw_take(raw, k->buffer, raw->run_bytes, err);
        for (uint64_t at = 0; at < raw->run_bytes && rc == 0; at += SKEIN_PAGE_BYTES) {
            rc = add_page(k, (uint32_t)block, first + at / SKEIN_PAGE_BYTES, k->buffer + at, err);
        }
        if (rc != 0) {
            break;
        }
    }
    return rc;
}

static int add_ram(struct packing *k, struct skein_error *err) {
    struct skein_raw raw = {.read = skein_raw_read_file, .opaque = k->raw, .what = k->path};
    int rc;

    if (fseeko(k->raw, 0, SEEK_SET) != 0) {
        return skein_error_sys(err, -errno, "cannot read %s", k->path);
    }
    rc = skein_raw_begin(&raw, err);
    while (rc == 0 && (rc = skein_raw_next(&raw, err)) == 0 && raw.type != SKEIN_RAW_END) {
        rc = raw.type == SKEIN_RAW_RAM ? add_block(k, &raw, err)
                                       : skein_raw_take(&raw, NULL, raw.bytes, err);
    }
    return rc != 0 ? rc : skein_checkpoint_writer_end_part(k->w, err);
}

static int add_table(struct packing *k, struct skein_error *err) {
    uint8_t *bytes;
    size_t size;
    int rc = skein_checkpoint_table_pack(&k->table, &bytes, &size);

    if (rc != 0) {
        return out_of_memory(err);
    }
    rc = skein_checkpoint_writer_add(k->w, bytes, size, err);
    free(bytes);
    return rc != 0 ? rc : skein_checkpoint_writer_end_part(k->w, err);
}

static int pack(struct packing *k, struct skein_error *err) {
    uint64_t footer_xxh64;
    int rc = skein_raw_map_file(k->raw, k->path, &k->map, err);

    if (rc == 0 && (rc = check_map(k, err)) == 0 && (rc = start_file(k, err)) == 0) {
        rc = add_state(k, err);
        if (rc == 0 && (rc = add_ram(k, err)) == 0) {
            rc = add_table(k, err);
        }
        if (rc != 0) {
            skein_checkpoint_writer_abandon(k->w);
        }
    }
    if (rc == 0) {
        rc = skein_checkpoint_writer_seal(k->w, &k->footer, &footer_xxh64, err);
    }
    if (rc == 0) {
        k->p->last = k->map.number;
        k->p->before_xxh64 = footer_xxh64;
        k->p->contents += k->table.hash_count;
        k->p->cut = k->map.cut;
    }
    return rc;
}

int skein_checkpoint_packer_add(struct skein_checkpoint_packer *p, const char *raw_path,
                                struct skein_error *err) {
    struct packing *k = calloc(1, sizeof(*k));
    int rc;

    if (p->failed || k == NULL) {
        free(k);
        return p->failed ? skein_error_set(err, -EPIPE, "the checkpoint before it was not kept")
                         : out_of_memory(err);
    }
    k->p = p;
    k->path = raw_path;
    k->raw = fopen(raw_path, "re");
    rc = k->raw != NULL ? pack(k, err) : skein_error_sys(err, -errno, "cannot open %s", raw_path);
    p->failed = rc != 0;
    if (k->raw != NULL) {
        fclose(k->raw);
    }
    skein_checkpoint_table_free(&k->table);
    free(k);
    return rc;
}
