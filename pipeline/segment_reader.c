#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "pipeline/file.h"
#include "pipeline/segment.h"
#include "pipeline/segment_scan.h"

/* How much of a file is read. */
enum extent { ALL, ENDS };

static int read_mapped(struct skein_segment *seg, int fd, enum skein_read_mode mode,
                       enum extent extent, struct skein_error *err) {
    struct stat st;
    void *map;
    int rc;

    if (fstat(fd, &st) != 0) {
        return skein_error_sys(err, -errno, "it cannot be opened");
    }
    seg->size_bytes = (uint64_t)st.st_size;
    if (seg->size_bytes == 0) {
        return skein_error_set(err, -EBADMSG, "it is empty");
    }
    map = mmap(NULL, seg->size_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        return skein_error_sys(err, -errno, "it cannot be mapped");
    }
    if (extent == ENDS) {
        /* A page or two at each end are all that is wanted, not what stands around them. */
        madvise(map, seg->size_bytes, MADV_RANDOM);
    }
    rc = extent == ALL ? skein_segment_scan(seg, map, mode, err)
                       : skein_segment_scan_ends(seg, map, err);
    munmap(map, seg->size_bytes);
    return rc;
}

static int read_file(const char *path, enum skein_read_mode mode, enum extent extent,
                     struct skein_segment **out, struct skein_error *err) {
    struct skein_segment *seg = calloc(1, sizeof(*seg));
    struct skein_error why = {""};
    int fd, rc;

    if (seg == NULL || (seg->path = strdup(path)) == NULL) {
        free(seg);
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    pthread_mutex_init(&seg->lock, NULL);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        rc = skein_error_sys(&why, -errno, "it cannot be opened");
    } else {
        rc = read_mapped(seg, fd, mode, extent, &why);
        close(fd);
    }
    if (rc != 0) {
        skein_error_set(err, rc, "segment %s: %.300s", path, why.text);
        skein_segment_close(seg);
        return rc;
    }
    seg->on_demand = extent == ENDS;
    *out = seg;
    return 0;
}

int skein_segment_open(const char *path, enum skein_read_mode mode, struct skein_segment **out,
                       struct skein_error *err) {
    return read_file(path, mode, ALL, out, err);
}

int skein_segment_glance(const char *path, struct skein_segment **out, struct skein_error *err) {
    return read_file(path, SKEIN_READ_STRICT, ENDS, out, NULL) == 0
               ? 0
               : read_file(path, SKEIN_READ_STRICT, ALL, out, err);
}

/* Reads the headers; the file must still be the one that was glanced at. */
static int read_blocks(struct skein_segment *seg, struct skein_error *err) {
    struct skein_segment *all;
    int rc = read_file(seg->path, SKEIN_READ_STRICT, ALL, &all, err);

    if (rc != 0) {
        return rc;
    }
    if (!all->sealed || all->size_bytes != seg->size_bytes ||
        memcmp(&all->start, &seg->start, sizeof(all->start)) != 0 ||
        memcmp(&all->stats, &seg->stats, sizeof(all->stats)) != 0) {
        rc = skein_error_set(err, -EBADMSG, "segment %s has changed while it was read", seg->path);
    } else {
        seg->blocks = all->blocks;
        all->blocks = NULL;
    }
    skein_segment_close(all);
    return rc;
}

int skein_segment_acquire(struct skein_segment *seg, struct skein_error *err) {
    int rc = 0;

    if (!seg->on_demand) {
        return 0;
    }
    pthread_mutex_lock(&seg->lock);
    if (seg->users == 0) {
        rc = read_blocks(seg, err);
    }
    seg->users += rc == 0;
    pthread_mutex_unlock(&seg->lock);
    return rc;
}

void skein_segment_release(struct skein_segment *seg) {
    if (!seg->on_demand) {
        return;
    }
    pthread_mutex_lock(&seg->lock);
    assert(seg->users != 0);
    if (--seg->users == 0) {
        free(seg->blocks);
        seg->blocks = NULL;
    }
    pthread_mutex_unlock(&seg->lock);
}

static int load_data(const struct skein_segment *seg, const struct skein_segment_block *b,
                     uint8_t *data, struct skein_error *why) {
    int fd = open(seg->path, O_RDONLY | O_CLOEXEC), rc;

    if (fd < 0) {
        return skein_error_sys(why, -errno, "cannot open it");
    }
    rc = skein_file_read_at(fd, data, b->data_bytes, b->offset);
    close(fd);
    if (rc != 0) {
        return skein_error_sys(why, rc, "cannot read it");
    }
    if (XXH64(data, b->data_bytes, 0) != b->data_xxh64) {
        return skein_error_set(why, -EBADMSG, "it is damaged (checksum)");
    }
    return 0;
}

int skein_segment_load(const struct skein_segment *seg, size_t i, struct skein_block **out,
                       struct skein_error *err) {
    const struct skein_segment_block *b = &seg->blocks[i];
    struct skein_error why = {""};
    uint8_t *data = malloc(b->data_bytes + 1);
    int rc;

    if (data == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    rc = load_data(seg, b, data, &why);
    if (rc == 0) {
        rc = skein_block_decode(data, b->data_bytes, &b->info, seg->start.shard_count, out, &why);
    }
    free(data);
    if (rc != 0) {
        skein_error_set(err, rc, "segment %s, block %" PRIu64 ": %.300s", seg->path, b->number,
                        why.text);
    }
    return rc;
}

void skein_segment_close(struct skein_segment *seg) {
    if (seg == NULL) {
        return;
    }
    free(seg->path);
    free(seg->blocks);
    pthread_mutex_destroy(&seg->lock);
    free(seg);
}
