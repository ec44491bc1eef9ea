#include "pipeline/checkpoint_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "pipeline/checkpoint_parse.h"
#include "pipeline/file.h"
#include "pipeline/frame.h"

#define HEADER_FRAME_MAX 4096u

int skein_checkpoint_path(const char *dir, uint64_t number, char path[], size_t size) {
    const int n =
        snprintf(path, size, "%s/" SKEIN_CHECKPOINTS_NAME "/%06" PRIu64 ".skc", dir, number);

    return n > 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

uint64_t skein_checkpoint_chunks(uint64_t bytes) {
    return bytes / SKEIN_CHECKPOINT_CHUNK_BYTES + (bytes % SKEIN_CHECKPOINT_CHUNK_BYTES != 0);
}

uint64_t skein_checkpoint_contents(const struct skein_checkpoint_footer *footer) {
    return footer->part_bytes[SKEIN_CHECKPOINT_CONTENTS] / SKEIN_PAGE_BYTES;
}

static int damaged(const struct skein_checkpoint_file *f, const char *why,
                   struct skein_error *err) {
    return skein_error_set(err, -EBADMSG, "%s is damaged: %s", f->path, why);
}

static int read_at(const struct skein_checkpoint_file *f, void *bytes, size_t n, uint64_t offset,
                   struct skein_error *err) {
    const int rc = skein_file_read_at(f->fd, bytes, n, offset);

    if (rc == -ENODATA) {
        return damaged(f, "it is cut off", err);
    }
    return rc != 0 ? skein_error_sys(err, rc, "cannot read %s", f->path) : 0;
}

static int reopen(struct skein_checkpoint_file *f, struct skein_error *err) {
    struct stat st;

    if (f->fd >= 0) {
        return 0;
    }
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0 && errno == ENOENT) {
        return skein_error_set(err, -ENOENT, "%s is missing", f->path);
    }
    if (f->fd < 0 || fstat(f->fd, &st) != 0) {
        return skein_error_sys(err, -errno, "cannot open %s", f->path);
    }
    f->size_bytes = (uint64_t)st.st_size;
    return S_ISREG(st.st_mode) ? 0 : damaged(f, "it is no file", err);
}

void skein_checkpoint_file_rest(struct skein_checkpoint_file *f) {
    if (f->fd >= 0) {
        close(f->fd);
    }
    f->fd = -1;
}

/* The frame at the offset, which takes at most so many bytes. */
static int read_frame(struct skein_checkpoint_file *f, uint64_t offset, uint64_t max,
                      const char magic[8], const char *what, uint8_t **frame, size_t *bytes,
                      struct skein_error *err) {
    uint8_t prefix[SKEIN_FRAME_PREFIX_BYTES];
    uint32_t length;
    int rc = read_at(f, prefix, sizeof(prefix), offset, err);

    if (rc != 0) {
        return rc;
    }
    memcpy(&length, prefix + 12, sizeof(length));
    *bytes = SKEIN_FRAME_OVERHEAD_BYTES + (size_t)length;
    if (memcmp(prefix, magic, 8) != 0 || *bytes > max) {
        return skein_error_set(err, -EBADMSG, "%s is damaged: there is no %s", f->path, what);
    }
    *frame = malloc(*bytes);
    if (*frame == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    rc = read_at(f, *frame, *bytes, offset, err);
    /* Of another version is only what is whole. */
    if (rc == 0 && !skein_frame_whole(*frame, *bytes)) {
        rc = skein_error_set(err, -EBADMSG, "%s is damaged: the checksum of its %s is wrong",
                             f->path, what);
    }
    if (rc != 0) {
        free(*frame);
    }
    return rc;
}

static int parse_frame(const struct skein_checkpoint_file *f, const uint8_t *frame, size_t bytes,
                       const char magic[8], const ProtobufCMessageDescriptor *type,
                       const char *what, ProtobufCMessage **msg, struct skein_error *err) {
    struct skein_error why = {""};
    const int rc = skein_frame_parse(frame, bytes, magic, type, what, msg, &why);

    return rc == 0 ? 0 : skein_error_set(err, rc, "%s: %.300s", f->path, why.text);
}

static uint64_t frame_xxh64(const uint8_t *frame, size_t bytes) {
    uint64_t hash;

    memcpy(&hash, frame + bytes - sizeof(hash), sizeof(hash));
    return hash;
}

static int read_header(struct skein_checkpoint_file *f, const struct skein_manifest *m,
                       uint64_t number, uint64_t *frame_bytes, uint64_t *xxh64,
                       struct skein_error *err) {
    ProtobufCMessage *msg;
    uint8_t *frame;
    size_t bytes;
    int rc = read_frame(f, 0, HEADER_FRAME_MAX, SKEIN_FRAME_CHECKPOINT, "checkpoint header", &frame,
                        &bytes, err);

    if (rc != 0) {
        return rc;
    }
    *frame_bytes = bytes;
    *xxh64 = frame_xxh64(frame, bytes);
    rc = parse_frame(f, frame, bytes, SKEIN_FRAME_CHECKPOINT, skein_checkpoint_header_type(),
                     "checkpoint header", &msg, err);
    free(frame);
    if (rc != 0) {
        return rc;
    }
    rc = skein_checkpoint_header_parse(msg, &f->header);
    protobuf_c_message_free_unpacked(msg, NULL);
    if (rc != 0) {
        return damaged(f, "its header is impossible", err);
    }
    if (memcmp(f->header.uuid, m->uuid, sizeof(m->uuid)) != 0 ||
        f->header.cut.vcpu_count != m->vcpu_count) {
        return damaged(f, "it belongs to another recording", err);
    }
    return f->header.number == number ? 0 : damaged(f, "it has another number than its name", err);
}

/* Chunks fill what is between header and footer, to the byte. */
static int place_chunks(struct skein_checkpoint_file *f, uint64_t from, uint64_t to,
                        struct skein_error *err) {
    struct skein_checkpoint_footer *footer = &f->footer;
    uint64_t want = 0;

    for (int part = 0; part < SKEIN_CHECKPOINT_PARTS; part++) {
        want += skein_checkpoint_chunks(footer->part_bytes[part]);
    }
    for (size_t i = 0; i < footer->chunk_count; i++) {
        footer->chunks[i].offset = from;
        if (footer->chunks[i].bytes > to - from) {
            return damaged(f, "its chunks do not fit", err);
        }
        from += footer->chunks[i].bytes;
    }
    return from == to && footer->chunk_count == want ? 0 : damaged(f, "its chunks do not fit", err);
}

static int read_footer(struct skein_checkpoint_file *f, uint64_t header_bytes,
                       uint64_t header_xxh64, struct skein_error *err) {
    struct {
        uint64_t offset;
        char magic[8];
    } trailer;
    ProtobufCMessage *msg;
    uint8_t *frame;
    size_t bytes;
    int rc;

    if (f->size_bytes < header_bytes + SKEIN_CHECKPOINT_TRAILER_BYTES) {
        return damaged(f, "it is cut off", err);
    }
    const uint64_t end = f->size_bytes - SKEIN_CHECKPOINT_TRAILER_BYTES;
    rc = read_at(f, &trailer, sizeof(trailer), end, err);
    if (rc != 0) {
        return rc;
    }
    if (memcmp(trailer.magic, SKEIN_CHECKPOINT_TRAILER, 8) != 0 || trailer.offset < header_bytes ||
        trailer.offset > end) {
        return damaged(f, "it has no end, or is cut off", err);
    }
    rc = read_frame(f, trailer.offset, end - trailer.offset, SKEIN_FRAME_CHECKPOINT_FOOTER,
                    "checkpoint footer", &frame, &bytes, err);
    if (rc != 0) {
        return rc;
    }
    f->footer_xxh64 = frame_xxh64(frame, bytes);
    rc = trailer.offset + bytes != end
             ? damaged(f, "its end does not fit", err)
             : parse_frame(f, frame, bytes, SKEIN_FRAME_CHECKPOINT_FOOTER,
                           skein_checkpoint_footer_type(), "checkpoint footer", &msg, err);
    free(frame);
    if (rc != 0) {
        return rc;
    }
    rc = skein_checkpoint_footer_parse(msg, &f->header, header_xxh64, &f->footer);
    protobuf_c_message_free_unpacked(msg, NULL);
    if (rc != 0) {
        return rc == -ENOMEM ? skein_error_set(err, rc, "out of memory")
                             : damaged(f, "its footer is impossible", err);
    }
    return place_chunks(f, header_bytes, trailer.offset, err);
}

int skein_checkpoint_file_open(const char *dir, const struct skein_manifest *manifest,
                               uint64_t number, struct skein_checkpoint_file **out,
                               struct skein_error *err) {
    struct skein_checkpoint_file *f = calloc(1, sizeof(*f));
    const size_t path_bytes = strlen(dir) + 64;
    uint64_t header_bytes = 0, header_xxh64 = 0;
    int rc;

    if (f == NULL || (f->path = malloc(path_bytes)) == NULL) {
        free(f);
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    f->fd = -1;
    skein_checkpoint_path(dir, number, f->path, path_bytes);
    rc = reopen(f, err);
    if (rc == 0) {
        rc = read_header(f, manifest, number, &header_bytes, &header_xxh64, err);
    }
    if (rc == 0) {
        rc = read_footer(f, header_bytes, header_xxh64, err);
    }
    skein_checkpoint_file_rest(f);
    if (rc != 0) {
        skein_checkpoint_file_close(f);
        return rc;
    }
    *out = f;
    return 0;
}

void skein_checkpoint_file_close(struct skein_checkpoint_file *f) {
    if (f == NULL) {
        return;
    }
    skein_checkpoint_file_rest(f);
    ZSTD_freeDCtx(f->zstd);
    free(f->footer.chunks);
    free(f->path);
    free(f);
}

int skein_checkpoint_file_chunk(struct skein_checkpoint_file *f, enum skein_checkpoint_part part,
                                uint64_t i, uint8_t *to, size_t *bytes, struct skein_error *err) {
    const uint64_t part_bytes = f->footer.part_bytes[part],
                   left = part_bytes - i * SKEIN_CHECKPOINT_CHUNK_BYTES;
    const size_t want =
        left < SKEIN_CHECKPOINT_CHUNK_BYTES ? (size_t)left : SKEIN_CHECKPOINT_CHUNK_BYTES;
    uint8_t *packed;
    int rc = reopen(f, err);

    for (int p = 0; p < (int)part; p++) {
        i += skein_checkpoint_chunks(f->footer.part_bytes[p]);
    }
    if (rc != 0) {
        return rc;
    }
    if (f->zstd == NULL) {
        f->zstd = ZSTD_createDCtx();
    }
    const struct skein_checkpoint_chunk *c = &f->footer.chunks[i];
    packed = malloc(c->bytes + 1);
    if (packed == NULL || f->zstd == NULL) {
        free(packed);
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    rc = read_at(f, packed, c->bytes, c->offset, err);
    if (rc == 0 && (XXH64(packed, c->bytes, 0) != c->xxh64 ||
                    ZSTD_decompressDCtx(f->zstd, to, SKEIN_CHECKPOINT_CHUNK_BYTES, packed,
                                        c->bytes) != want)) {
        rc = damaged(f, "a checksum is wrong", err);
    }
    free(packed);
    *bytes = want;
    return rc;
}

static int read_part(struct skein_checkpoint_file *f, enum skein_checkpoint_part part, uint8_t **to,
                     struct skein_error *err) {
    const uint64_t chunks = skein_checkpoint_chunks(f->footer.part_bytes[part]);
    uint8_t *bytes = malloc(chunks * SKEIN_CHECKPOINT_CHUNK_BYTES + 1);
    size_t used;
    int rc = bytes != NULL ? 0 : skein_error_set(err, -ENOMEM, "out of memory");

    for (uint64_t i = 0; i < chunks && rc == 0; i++) {
        rc = skein_checkpoint_file_chunk(f, part, i, bytes + i * SKEIN_CHECKPOINT_CHUNK_BYTES,
                                         &used, err);
    }
    if (rc != 0) {
        free(bytes);
        return rc;
    }
    *to = bytes;
    return 0;
}

int skein_checkpoint_file_table(struct skein_checkpoint_file *f, struct skein_checkpoint_table *t,
                                struct skein_error *err) {
    const struct skein_checkpoint_footer *footer = &f->footer;
    const struct skein_checkpoint_table_shape shape = {
        .block_count = footer->block_count,
        .blocks = footer->blocks,
        .pages = footer->pages,
        .contents = skein_checkpoint_contents(footer),
        .known = footer->first_content + skein_checkpoint_contents(footer),
    };
    uint8_t *bytes;
    int rc = read_part(f, SKEIN_CHECKPOINT_TABLE, &bytes, err);

    if (rc != 0) {
        return rc;
    }
    rc = skein_checkpoint_table_parse(bytes, footer->part_bytes[SKEIN_CHECKPOINT_TABLE], &shape, t);
    free(bytes);
    if (rc != 0) {
        return rc == -ENOMEM ? skein_error_set(err, rc, "out of memory")
                             : damaged(f, "its table of pages is impossible", err);
    }
    return 0;
}

int skein_checkpoint_state_read(void *state, void *to, size_t bytes) {
    struct skein_checkpoint_state *s = state;
    uint8_t *out = to;

    while (bytes != 0) {
        if (s->at == s->used) {
            const uint64_t size = s->file->footer.part_bytes[SKEIN_CHECKPOINT_STATE];
            if (s->next == skein_checkpoint_chunks(size)) {
                return -ENODATA;
            }
            const int rc = skein_checkpoint_file_chunk(s->file, SKEIN_CHECKPOINT_STATE, s->next++,
                                                       s->chunk, &s->used, &s->error);
            s->at = 0;
            if (rc != 0) {
                s->used = 0;
                return rc;
            }
        }
        const size_t n = bytes < s->used - s->at ? bytes : s->used - s->at;
        if (out != NULL) {
            memcpy(out, s->chunk + s->at, n);
            out += n;
        }
        s->at += n;
        bytes -= n;
    }
    return 0;
}
