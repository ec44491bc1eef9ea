/* The small raw file for until=: HEAD, CUT and the vCPUs of a checkpoint. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/checkpoint_chain.h"

#define COPY_BYTES (64u << 10)

struct copy {
    struct skein_checkpoint_state state;
    struct skein_raw raw;
    FILE *out;
    uint8_t buffer[COPY_BYTES];
};

static bool is_wanted(uint32_t type) {
    return type == SKEIN_RAW_HEAD || type == SKEIN_RAW_CUT || type == SKEIN_RAW_VCPU ||
           type == SKEIN_RAW_END;
}

static int copy_section(struct copy *c, struct skein_error *err) {
    const struct {
        uint32_t type, name_bytes;
        uint64_t bytes;
    } header = {c->raw.type, (uint32_t)strlen(c->raw.block.name), c->raw.bytes};
    uint64_t left = c->raw.bytes;
    int rc = 0;

    fwrite(&header, sizeof(header), 1, c->out);
    fwrite(c->raw.block.name, 1, header.name_bytes, c->out);
    while (left != 0 && rc == 0) {
        const size_t n = left < sizeof(c->buffer) ? (size_t)left : sizeof(c->buffer);
        rc = skein_raw_take(&c->raw, c->buffer, n, err);
        if (rc == 0) {
            fwrite(c->buffer, 1, n, c->out);
            left -= n;
        }
    }
    return rc;
}

static int copy_sections(struct copy *c, struct skein_error *err) {
    int rc = skein_raw_begin(&c->raw, err);

    fwrite(SKEIN_RAW_MAGIC, 1, sizeof(SKEIN_RAW_MAGIC) - 1, c->out);
    while (rc == 0 && (rc = skein_raw_next(&c->raw, err)) == 0) {
        if (is_wanted(c->raw.type)) {
            rc = copy_section(c, err);
        } else if (c->raw.type == SKEIN_RAW_RAM) {
            rc = skein_error_set(err, -EBADMSG, "%s is damaged: its state is impossible",
                                 c->raw.what);
        } else {
            rc = skein_raw_take(&c->raw, NULL, c->raw.bytes, err);
        }
        if (c->raw.type == SKEIN_RAW_END) {
            break;
        }
    }
    if (rc != 0 && c->state.error.text[0] != '\0') {
        skein_error_set(err, rc, "%s", c->state.error.text);
    }
    return rc;
}

static int copy_to(struct skein_checkpoint_file *f, const char *raw_path, struct skein_error *err) {
    struct copy *c = calloc(1, sizeof(*c));
    int rc;

    if (c == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    c->state.file = f;
    c->raw = (struct skein_raw){
        .read = skein_checkpoint_state_read, .opaque = &c->state, .what = f->path};
    c->out = fopen(raw_path, "we");
    if (c->out == NULL) {
        rc = skein_error_sys(err, -errno, "cannot create %s", raw_path);
    } else {
        rc = copy_sections(c, err);
        if (rc != 0) {
            skein_checkpoint_advise(f->header.number, err);
        }
        const bool failed = ferror(c->out) != 0;
        if ((fclose(c->out) != 0 || failed) && rc == 0) {
            rc = skein_error_sys(err, errno != 0 ? -errno : -EIO, "cannot write %s", raw_path);
        }
        if (rc != 0) {
            unlink(raw_path);
        }
    }
    free(c);
    return rc;
}

int skein_checkpoint_expand_state(const struct skein_recording *rec, uint64_t number,
                                  const char *raw_path, struct skein_error *err) {
    struct skein_checkpoint_chain chain;
    int rc;

    if (number == 0) {
        return skein_error_set(err, -ENOENT, "there is no checkpoint 0");
    }
    rc = skein_checkpoint_chain_open(skein_recording_dir(rec), skein_recording_manifest(rec),
                                     number, &chain, err);
    if (rc == 0) {
        rc = copy_to(chain.files[number - 1], raw_path, err);
    }
    skein_checkpoint_chain_close(&chain);
    return rc;
}
