#include "pipeline/checkpoint_raw.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "integers are stored as they are");

bool skein_raw_block_same(const struct skein_raw_block *a, const struct skein_raw_block *b) {
    return strcmp(a->name, b->name) == 0 && a->offset == b->offset && a->bytes == b->bytes;
}

int skein_raw_read_file(void *opaque, void *to, size_t bytes) {
    FILE *f = opaque;

    if (to == NULL) {
        return fseeko(f, (off_t)bytes, SEEK_CUR) == 0 ? 0 : -errno;
    }
    if (fread(to, 1, bytes, f) == bytes) {
        return 0;
    }
    return ferror(f) ? -EIO : -ENODATA;
}

static int damaged(const struct skein_raw *raw, const char *why, struct skein_error *err) {
    return skein_error_set(err, -EBADMSG, "%s is no state of a machine as QEMU writes it: %s",
                           raw->what, why);
}

int skein_raw_take(struct skein_raw *raw, void *to, uint64_t bytes, struct skein_error *err) {
    int rc;

    if (bytes > INT64_MAX - raw->at) {
        return damaged(raw, "an impossible length", err);
    }
    rc = bytes == 0 ? 0 : raw->read(raw->opaque, to, bytes);
    if (rc == -ENODATA) {
        return damaged(raw, "it is cut off", err);
    }
    if (rc != 0) {
        return rc == -EBADMSG ? skein_error_set(err, rc, "%s is damaged", raw->what)
                              : skein_error_sys(err, rc, "cannot read %s", raw->what);
    }
    raw->at += bytes;
    return 0;
}

int skein_raw_begin(struct skein_raw *raw, struct skein_error *err) {
    char magic[sizeof(SKEIN_RAW_MAGIC) - 1];
    int rc = skein_raw_take(raw, magic, sizeof(magic), err);

    if (rc == 0 && memcmp(magic, SKEIN_RAW_MAGIC, sizeof(magic)) != 0) {
        rc = damaged(raw, "it begins with something else", err);
    }
    return rc;
}

static int take_place(struct skein_raw *raw, struct skein_error *err) {
    uint64_t place[2];
    int rc = skein_raw_take(raw, place, sizeof(place), err);

    if (rc != 0) {
        return rc;
    }
    raw->block.offset = place[0];
    raw->block.bytes = place[1];
    raw->run_at = raw->run_bytes = 0;
    if (raw->bytes != 0 || raw->block.name[0] == '\0' || place[1] % SKEIN_PAGE_BYTES != 0 ||
        place[1] > INT64_MAX) {
        return damaged(raw, "a block of RAM is impossible", err);
    }
    return 0;
}

int skein_raw_next(struct skein_raw *raw, struct skein_error *err) {
    struct {
        uint32_t type, name_bytes;
        uint64_t bytes;
    } header;
    int rc = skein_raw_take(raw, &header, sizeof(header), err);

    static_assert(sizeof(header) == SKEIN_RAW_HEADER_BYTES, "as QEMU writes it");
    if (rc != 0) {
        return rc;
    }
    if (header.name_bytes >= sizeof(raw->block.name) || header.type == 0) {
        return damaged(raw, "a section is impossible", err);
    }
    raw->block = (struct skein_raw_block){.bytes = 0};
    rc = skein_raw_take(raw, raw->block.name, header.name_bytes, err);
    if (rc == 0 && memchr(raw->block.name, '\0', header.name_bytes) != NULL) {
        rc = damaged(raw, "a name is impossible", err);
    }
    raw->type = header.type;
    raw->bytes = header.bytes;
    if (rc == 0 && raw->type == SKEIN_RAW_RAM) {
        rc = take_place(raw, err);
    }
    return rc;
}

int skein_raw_next_run(struct skein_raw *raw, struct skein_error *err) {
    const uint64_t before = raw->run_at + raw->run_bytes;
    uint64_t run[2];
    int rc = skein_raw_take(raw, run, sizeof(run), err);

    if (rc != 0 || run[1] == 0) {
        return rc;
    }
    if (run[0] % SKEIN_PAGE_BYTES != 0 || run[1] % SKEIN_PAGE_BYTES != 0 ||
        run[1] > SKEIN_RAW_RUN_MAX || run[0] < before || run[0] > raw->block.bytes ||
        run[1] > raw->block.bytes - run[0]) {
        return damaged(raw, "a run of RAM is impossible", err);
    }
    raw->run_at = run[0];
    raw->run_bytes = run[1];
    return 1;
}

/* Walks once over a raw checkpoint. */
struct walk {
    struct skein_raw raw;
    struct skein_raw_map *map;
    uint32_t cpus, vcpus;
    bool head, cut;
};

static int take_head(struct walk *w, struct skein_error *err) {
    struct {
        uint8_t uuid[16];
        uint32_t vcpus, number;
    } head;
    int rc;

    if (w->head || w->raw.bytes != sizeof(head)) {
        return damaged(&w->raw, "its HEAD is impossible", err);
    }
    rc = skein_raw_take(&w->raw, &head, sizeof(head), err);
    if (rc != 0) {
        return rc;
    }
    if (head.vcpus == 0 || head.vcpus > SKEIN_MAX_VCPUS || head.number == 0) {
        return damaged(&w->raw, "its HEAD is not that of a checkpoint", err);
    }
    memcpy(w->map->uuid, head.uuid, sizeof(head.uuid));
    w->map->vcpus = head.vcpus;
    w->map->number = head.number;
    w->map->cut.vcpu_count = head.vcpus;
    w->map->cut.clock.shard_count = head.vcpus + 1;
    w->head = true;
    return 0;
}

/* As QEMU writes it; one tick per shard follows. */
struct raw_cut {
    uint64_t number;
    uint32_t shards, released_shard;
    uint64_t released_tick, slices, console_bytes, console_hash, ram_digest;
    uint32_t uart_lcr, uart_mcr;
};
static_assert(sizeof(struct raw_cut) == 64, "as QEMU writes it");

static int take_cut(struct walk *w, struct skein_error *err) {
    struct skein_checkpoint_cut *cut = &w->map->cut;
    const uint64_t clock_bytes = (uint64_t)cut->clock.shard_count * sizeof(uint64_t);
    struct raw_cut raw;
    int rc;

    if (w->cut || w->raw.bytes < sizeof(raw) + clock_bytes) {
        return damaged(&w->raw, "its CUT is impossible", err);
    }
    w->cut = true;
    rc = skein_raw_take(&w->raw, &raw, sizeof(raw), err);
    if (rc != 0) {
        return rc;
    }
    if (raw.shards != cut->clock.shard_count || raw.number != w->map->number ||
        (raw.released_shard >= raw.shards && raw.released_shard != SKEIN_SHARD_NONE)) {
        return damaged(&w->raw, "its CUT and its HEAD do not agree", err);
    }
    cut->released_shard = raw.released_shard;
    cut->released_tick = raw.released_tick;
    cut->slices = raw.slices;
    cut->console_bytes = raw.console_bytes;
    cut->console_hash = raw.console_hash;
    cut->ram_digest = raw.ram_digest;
    rc = skein_raw_take(&w->raw, cut->clock.tick, clock_bytes, err);
    return rc != 0 ? rc
                   : skein_raw_take(&w->raw, NULL, w->raw.bytes - sizeof(raw) - clock_bytes, err);
}

static int take_vcpu(struct walk *w, struct skein_error *err) {
    struct skein_checkpoint_cut *cut = &w->map->cut;
    uint64_t first[3];
    int rc;

    if (w->vcpus == w->map->vcpus || w->raw.bytes < sizeof(first)) {
        return damaged(&w->raw, "a VCPU is impossible", err);
    }
    rc = skein_raw_take(&w->raw, first, sizeof(first), err);
    if (rc != 0) {
        return rc;
    }
    cut->vcpu[w->vcpus++] = (struct skein_checkpoint_vcpu){
        .icount = first[0], .digest = first[1], .in_kernel = first[2] != 0};
    cut->icount += first[0];
    return skein_raw_take(&w->raw, NULL, w->raw.bytes - sizeof(first), err);
}

static int walk_ram(struct walk *w, struct skein_error *err) {
    struct skein_raw_map *m = w->map;
    int rc;

    for (size_t i = 0; i < m->block_count; i++) {
        if (strcmp(m->blocks[i].name, w->raw.block.name) == 0) {
            return damaged(&w->raw, "a block of RAM comes twice", err);
        }
    }
    if (m->block_count == SKEIN_RAW_BLOCKS_MAX) {
        return damaged(&w->raw, "too many blocks of RAM", err);
    }
    m->blocks[m->block_count++] = w->raw.block;
    while ((rc = skein_raw_next_run(&w->raw, err)) == 1) {
        m->pages += w->raw.run_bytes / SKEIN_PAGE_BYTES;
        if ((rc = skein_raw_take(&w->raw, NULL, w->raw.run_bytes, err)) != 0) {
            return rc;
        }
    }
    return rc;
}

/* All sections but RAM are kept as they are. Where no RAM changed, its place is before END. */
static void keep(struct skein_raw_map *m, uint32_t type, uint64_t from, uint64_t to) {
    struct skein_raw_extent *last = m->extent_count != 0 ? &m->extents[m->extent_count - 1] : NULL;

    if (last != NULL && last->at + last->bytes == from) {
        last->bytes += to - from;
    } else {
        m->extents[m->extent_count++] = (struct skein_raw_extent){from, to - from};
    }
    m->state_bytes += to - from;
    if (m->block_count == 0 && type != SKEIN_RAW_END) {
        m->state_before_ram += to - from;
    }
}

static int walk_section(struct walk *w, struct skein_error *err) {
    if (!w->head && w->raw.type != SKEIN_RAW_HEAD) {
        return damaged(&w->raw, "it does not begin with HEAD", err);
    }
    switch (w->raw.type) {
    case SKEIN_RAW_HEAD:
        return take_head(w, err);
    case SKEIN_RAW_CUT:
        return take_cut(w, err);
    case SKEIN_RAW_VCPU:
        return take_vcpu(w, err);
    case SKEIN_RAW_RAM:
        return walk_ram(w, err);
    case SKEIN_RAW_CPU:
        w->cpus++;
        break;
    default:
        break;
    }
    return skein_raw_take(&w->raw, NULL, w->raw.bytes, err);
}

static int walk(struct walk *w, struct skein_error *err) {
    struct skein_raw_map *m = w->map;
    int rc = skein_raw_begin(&w->raw, err);

    if (rc != 0) {
        return rc;
    }
    keep(m, SKEIN_RAW_HEAD, 0, w->raw.at);
    do {
        const uint64_t from = w->raw.at;
        if ((rc = skein_raw_next(&w->raw, err)) != 0 || (rc = walk_section(w, err)) != 0) {
            return rc;
        }
        /* Who seeks does not notice the end of a file. */
        if (w->raw.at > m->bytes) {
            return damaged(&w->raw, "it is cut off", err);
        }
        if (w->raw.type != SKEIN_RAW_RAM) {
            keep(m, w->raw.type, from, w->raw.at);
        }
    } while (w->raw.type != SKEIN_RAW_END);
    if (w->raw.bytes != 0 || w->raw.at != m->bytes) {
        return damaged(&w->raw, "something follows its end", err);
    }
    if (!w->cut || w->vcpus != m->vcpus || w->cpus != m->vcpus) {
        return damaged(&w->raw, "a section is missing", err);
    }
    return 0;
}

int skein_raw_map(const struct skein_raw *raw, uint64_t bytes, struct skein_raw_map *map,
                  struct skein_error *err) {
    struct walk w = {.raw = *raw, .map = map};

    *map = (struct skein_raw_map){.bytes = bytes};
    return walk(&w, err);
}

int skein_raw_map_file(FILE *f, const char *path, struct skein_raw_map *map,
                       struct skein_error *err) {
    const struct skein_raw raw = {.read = skein_raw_read_file, .opaque = f, .what = path};
    off_t end;

    if (fseeko(f, 0, SEEK_END) != 0 || (end = ftello(f)) < 0 || fseeko(f, 0, SEEK_SET) != 0) {
        return skein_error_sys(err, -errno, "cannot read %s", path);
    }
    return skein_raw_map(&raw, (uint64_t)end, map, err);
}
