#include "replay/raw_memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/checkpoint_raw.h"

#define ABOVE_4G 0x100000000u

struct skein_raw_memory_run {
    uint64_t at, bytes; /* in RAM */
    uint64_t offset;    /* in the file */
};

/* As QEMU's machines lay it out: where RAM ends below 4 GiB. */
static uint64_t low_bytes(const char *machine, uint64_t bytes) {
    if (strncmp(machine, "q35", 3) == 0 || strncmp(machine, "pc-q35", 6) == 0)
        return bytes >= 0xb0000000u ? 0x80000000u : bytes;
    return bytes >= 0xe0000000u ? 0xc0000000u : bytes;
}

static int add(struct skein_raw_memory *m, const struct skein_raw *raw) {
    if (m->count == m->room) {
        const size_t room = m->room > 0 ? m->room * 2 : 1024;
        struct skein_raw_memory_run *grown = realloc(m->runs, room * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        m->runs = grown;
        m->room = room;
    }
    m->runs[m->count++] = (struct skein_raw_memory_run){raw->run_at, raw->run_bytes, raw->at};
    return 0;
}

/* The largest block is the machine's memory; the others are firmware. */
static int read_block(struct skein_raw_memory *m, struct skein_raw *raw, struct skein_error *err) {
    const bool largest = raw->block.bytes > m->bytes;
    int rc;
    if (largest) {
        m->bytes = raw->block.bytes;
        m->count = 0;
    }
    while ((rc = skein_raw_next_run(raw, err)) == 1) {
        rc = largest ? add(m, raw) : 0;
        if (rc != 0)
            return skein_error_sys(err, rc, "cannot read %s", raw->what);
        rc = skein_raw_take(raw, NULL, raw->run_bytes, err);
        if (rc != 0)
            return rc;
    }
    return rc;
}

static int read_sections(struct skein_raw_memory *m, struct skein_raw *raw,
                         struct skein_error *err) {
    int rc = skein_raw_begin(raw, err);
    while (rc == 0) {
        rc = skein_raw_next(raw, err);
        if (rc != 0 || raw->type == SKEIN_RAW_END)
            break;
        rc = raw->type == SKEIN_RAW_RAM ? read_block(m, raw, err)
                                        : skein_raw_take(raw, NULL, raw->bytes, err);
    }
    return rc;
}

int skein_raw_memory_open(const char *path, const char *machine, struct skein_raw_memory *m,
                          struct skein_error *err) {
    FILE *f = fopen(path, "rbe");
    struct skein_raw raw = {.read = skein_raw_read_file, .opaque = f, .what = path};
    int rc;
    *m = (struct skein_raw_memory){.fd = -1};
    if (f == NULL)
        return skein_error_sys(err, -errno, "cannot read %s", path);
    rc = read_sections(m, &raw, err);
    if (rc == 0) {
        m->low = low_bytes(machine, m->bytes);
        m->fd = dup(fileno(f));
        rc = m->fd >= 0 ? 0 : skein_error_sys(err, -errno, "cannot read %s", path);
    }
    fclose(f);
    if (rc != 0)
        skein_raw_memory_close(m);
    return rc;
}

void skein_raw_memory_close(struct skein_raw_memory *m) {
    if (m->fd >= 0)
        close(m->fd);
    free(m->runs);
    *m = (struct skein_raw_memory){.fd = -1};
}

/* The last run that begins at or before it; count: none does. */
static size_t run_at(const struct skein_raw_memory *m, uint64_t at) {
    size_t low = 0, high = m->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (m->runs[middle].at <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : m->count;
}

static int read_piece(const struct skein_raw_memory *m, uint64_t at, void *to, size_t bytes,
                      size_t *done) {
    const size_t run = run_at(m, at), next = run == m->count ? 0 : run + 1;
    const uint64_t within = run == m->count ? 0 : at - m->runs[run].at;
    if (run != m->count && within < m->runs[run].bytes) {
        const uint64_t left = m->runs[run].bytes - within;
        *done = bytes < left ? bytes : (size_t)left;
        return pread(m->fd, to, *done, (off_t)(m->runs[run].offset + within)) == (ssize_t)*done
                   ? 0
                   : -EIO;
    }
    *done =
        next < m->count && m->runs[next].at - at < bytes ? (size_t)(m->runs[next].at - at) : bytes;
    memset(to, 0, *done);
    return 0;
}

static int read_physical(void *opaque, uint64_t address, void *to, size_t bytes) {
    const struct skein_raw_memory *m = opaque;
    const uint64_t at = address < ABOVE_4G ? address : address - ABOVE_4G + m->low;
    const uint64_t end = address < ABOVE_4G ? m->low : m->bytes;
    if (at >= end || bytes > end - at)
        return -EFAULT;
    for (size_t done = 0, piece; done < bytes; done += piece) {
        const int rc = read_piece(m, at + done, (char *)to + done, bytes - done, &piece);
        if (rc != 0)
            return rc;
    }
    return 0;
}

struct skein_guest_memory skein_raw_memory_reader(struct skein_raw_memory *m) {
    return (struct skein_guest_memory){.read = read_physical, .opaque = m};
}

uint64_t skein_raw_memory_end(const struct skein_raw_memory *m) {
    return m->low < m->bytes ? ABOVE_4G + m->bytes - m->low : m->bytes;
}
