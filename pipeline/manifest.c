#include "pipeline/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "pipeline/file.h"
#include "pipeline/frame.h"
#include "pipeline/stats_proto.h"
#include "pipeline/test_point.h"
#include "proto/skein.pb-c.h"

#define MANIFEST_MAX_BYTES (16u << 20)
#define READ_BYTES (1u << 20)

/* The message and what it points to. */
struct manifest_message {
    Skein__Manifest msg;
    Skein__File kernel, initrd, snapshot, console;
    struct skein_stats_message stats;
};

static Skein__File *file_to_message(struct skein_manifest_file *file, Skein__File *msg) {
    skein__file__init(msg);
    msg->path = file->path;
    msg->size_bytes = file->size_bytes;
    msg->xxh64 = file->xxh64;
    return msg;
}

static void to_message(struct skein_manifest *m, struct manifest_message *to) {
    Skein__Manifest *msg = &to->msg;

    skein__manifest__init(msg);
    msg->uuid = (ProtobufCBinaryData){sizeof(m->uuid), m->uuid};
    msg->created_unix_ns = m->created_unix_ns;
    msg->host = m->host;
    msg->qemu_version = m->qemu_version;
    msg->machine = m->machine;
    msg->cpu_model = m->cpu_model;
    msg->vcpu_count = m->vcpu_count;
    msg->memory_bytes = m->memory_bytes;
    msg->scope = m->scope;
    msg->digest_interval = m->digest_interval;
    msg->kernel = file_to_message(&m->kernel, &to->kernel);
    msg->initrd = file_to_message(&m->initrd, &to->initrd);
    msg->cmdline = m->cmdline;
    msg->start = m->start;
    msg->stop = m->stop;
    msg->snapshot = file_to_message(&m->snapshot, &to->snapshot);
    msg->snapshot_raw_bytes = m->snapshot_raw_bytes;
    msg->console = file_to_message(&m->console, &to->console);
    msg->complete = m->complete;
    msg->end = m->end;
    msg->end_reason = m->end_reason;
    msg->duration_ns = m->duration_ns;
    msg->tsc_start = m->tsc_start;
    msg->tsc_hz = m->tsc_hz;
    msg->chaos = m->chaos;
    msg->exit_report = m->exit_report;
    msg->checkpoint_ns = m->checkpoint_ns;
    msg->kernel_icount = m->kernel_icount;
    msg->token_waits = m->token_waits;
    msg->token_wait_ns = m->token_wait_ns;
    msg->ring_waits = m->ring_waits;
    msg->ring_wait_ns = m->ring_wait_ns;
    msg->loss = m->loss;
    skein_stats_to_message(&m->stats, &to->stats);
    msg->stats = &to->stats.stats;
}

#define COPY_TEXT(to, from) snprintf(to, sizeof(to), "%s", from)

static void file_from_message(const Skein__File *msg, struct skein_manifest_file *file) {
    if (msg != NULL) {
        COPY_TEXT(file->path, msg->path);
        file->size_bytes = msg->size_bytes;
        file->xxh64 = msg->xxh64;
    }
}

static int from_message(const Skein__Manifest *msg, struct skein_manifest *m) {
    *m = (struct skein_manifest){.format_version = SKEIN_FORMAT_VERSION};
    if (msg->uuid.len != sizeof(m->uuid) || msg->vcpu_count == 0 ||
        msg->vcpu_count > SKEIN_MAX_VCPUS) {
        return -EBADMSG;
    }
    memcpy(m->uuid, msg->uuid.data, sizeof(m->uuid));
    m->created_unix_ns = msg->created_unix_ns;
    COPY_TEXT(m->host, msg->host);
    COPY_TEXT(m->qemu_version, msg->qemu_version);
    COPY_TEXT(m->machine, msg->machine);
    COPY_TEXT(m->cpu_model, msg->cpu_model);
    m->vcpu_count = msg->vcpu_count;
    m->memory_bytes = msg->memory_bytes;
    m->scope = msg->scope;
    m->digest_interval = msg->digest_interval;
    file_from_message(msg->kernel, &m->kernel);
    file_from_message(msg->initrd, &m->initrd);
    COPY_TEXT(m->cmdline, msg->cmdline);
    COPY_TEXT(m->start, msg->start);
    COPY_TEXT(m->stop, msg->stop);
    file_from_message(msg->snapshot, &m->snapshot);
    m->snapshot_raw_bytes = msg->snapshot_raw_bytes;
    file_from_message(msg->console, &m->console);
    m->complete = msg->complete;
    m->end = msg->end;
    COPY_TEXT(m->end_reason, msg->end_reason);
    m->duration_ns = msg->duration_ns;
    m->tsc_start = msg->tsc_start;
    m->tsc_hz = msg->tsc_hz;
    m->chaos = msg->chaos;
    m->exit_report = msg->exit_report;
    m->checkpoint_ns = msg->checkpoint_ns;
    m->kernel_icount = msg->kernel_icount;
    m->token_waits = msg->token_waits;
    m->token_wait_ns = msg->token_wait_ns;
    m->ring_waits = msg->ring_waits;
    m->ring_wait_ns = msg->ring_wait_ns;
    m->loss = msg->loss;
    skein_stats_from_message(msg->stats, &m->stats);
    return 0;
}

/* Writes and syncs a file that does not have the final name yet. */
static int write_new(const char *path, const uint8_t *bytes, size_t n) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), rc;

    if (fd < 0) {
        return -errno;
    }
    SKEIN_TEST_POINT("manifest.created");
    rc = skein_file_write(fd, bytes, n);
    SKEIN_TEST_POINT("manifest.written");
    if (rc == 0 && fsync(fd) != 0) {
        rc = -errno;
    }
    close(fd);
    return rc;
}

int skein_manifest_write(const char *dir, const struct skein_manifest *manifest,
                         struct skein_error *err) {
    struct skein_manifest copy = *manifest;
    struct manifest_message message;
    char path[PATH_MAX], draft[PATH_MAX + 8];
    uint8_t *frame;
    size_t bytes;
    int rc;

    snprintf(path, sizeof(path), "%s/manifest", dir);
    snprintf(draft, sizeof(draft), "%s.partial", path);
    to_message(&copy, &message);
    rc = skein_frame_build(SKEIN_FRAME_MANIFEST, &message.msg.base, &frame, &bytes);
    if (rc != 0) {
        return skein_error_set(err, rc, "out of memory");
    }
    rc = write_new(draft, frame, bytes);
    free(frame);
    if (rc == 0 && rename(draft, path) != 0) {
        rc = -errno;
    }
    SKEIN_TEST_POINT("manifest.renamed");
    if (rc == 0) {
        rc = skein_file_sync_parent(path);
    }
    return rc == 0 ? 0 : skein_error_sys(err, rc, "cannot write %s", path);
}

static int read_whole(const char *path, uint8_t **bytes, size_t *n) {
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
    struct stat st;

    if (fd < 0) {
        return -errno;
    }
    if (fstat(fd, &st) != 0) {
        rc = -errno;
    } else if (!S_ISREG(st.st_mode) || st.st_size > MANIFEST_MAX_BYTES) {
        rc = -EINVAL;
    } else if ((*bytes = malloc((size_t)st.st_size + 1)) == NULL) {
        rc = -ENOMEM;
    } else {
        *n = (size_t)st.st_size;
        rc = skein_file_read_at(fd, *bytes, *n, 0);
        if (rc != 0) {
            free(*bytes);
        }
    }
    close(fd);
    return rc;
}

int skein_manifest_read(const char *dir, struct skein_manifest *manifest, struct skein_error *err) {
    struct skein_error why = {""};
    ProtobufCMessage *base = NULL;
    char path[PATH_MAX];
    uint8_t *bytes = NULL;
    size_t n = 0;
    int rc;

    snprintf(path, sizeof(path), "%s/manifest", dir);
    rc = read_whole(path, &bytes, &n);
    if (rc == -ENOENT || rc == -ENOTDIR) {
        return skein_error_set(err, rc, "%s is not a recording: it has no manifest", dir);
    }
    if (rc != 0) {
        return skein_error_sys(err, rc, "cannot read %s", path);
    }
    rc = skein_frame_parse(bytes, n, SKEIN_FRAME_MANIFEST, &skein__manifest__descriptor, "manifest",
                           &base, &why);
    free(bytes);
    if (rc == 0) {
        rc = from_message((const void *)base, manifest);
        protobuf_c_message_free_unpacked(base, NULL);
        skein_error_set(&why, rc, "the manifest holds impossible values");
    }
    return rc == 0 ? 0 : skein_error_set(err, rc, "%s: %.300s", path, why.text);
}

int skein_manifest_file_fill(struct skein_manifest_file *file, const char *path,
                             struct skein_error *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    XXH64_state_t *hash = XXH64_createState();
    uint8_t *buffer = malloc(READ_BYTES);
    ssize_t n = -1;
    int rc = 0;

    if (fd >= 0 && hash != NULL && buffer != NULL) {
        XXH64_reset(hash, 0);
        file->size_bytes = 0;
        while ((n = read(fd, buffer, READ_BYTES)) > 0) {
            XXH64_update(hash, buffer, (size_t)n);
            file->size_bytes += (uint64_t)n;
        }
    }
    if (n != 0) {
        rc = skein_error_sys(err, -errno, "cannot read %s", path);
    } else {
        file->xxh64 = XXH64_digest(hash);
        COPY_TEXT(file->path, path);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(buffer);
    XXH64_freeState(hash);
    return rc;
}
