#include "pipeline/session_map.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/atomics.h"
#include "pipeline/huge_pages.h"
#include "pipeline/shard.h"
#include "pipeline/shard_layout.h"

#define DIGEST_INTERVAL 64u

struct skein_session {
    struct skein_session_header *header;
    size_t map_bytes;
    int lock_fd; /* of who made it: others see by its lock that he lives; -1: none */
    char path[];
};

int skein_uuid_make(uint8_t uuid[16]) {
    if (getrandom(uuid, 16, 0) != 16) {
        return -errno;
    }
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    return 0;
}

void skein_uuid_format(const uint8_t uuid[16], char text[37]) {
    char *at = text;

    for (int i = 0; i < 16; i++) {
        at += sprintf(at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
    }
}

void skein_session_path(const struct skein_session_params *params, char *path, size_t size) {
    char uuid[37], instance[16] = "";

    skein_uuid_format(params->uuid, uuid);
    if (params->instance != 0) {
        snprintf(instance, sizeof(instance), "-%" PRIu32, params->instance);
    }
    snprintf(path, size, "/dev/shm/skein-%s-%d-%s%s", uuid, (int)getpid(),
             params->mode == SKEIN_MODE_RECORD ? "record" : "replay", instance);
}

static uint64_t shard_stride(uint64_t ring_bytes) {
    return (skein_shard_mem_bytes(ring_bytes) + 4095) & ~4095ull;
}

size_t skein_session_bytes(uint32_t vcpu_count, uint64_t ring_bytes) {
    return SKEIN_SESSION_SHARDS_OFFSET + (vcpu_count + 1) * shard_stride(ring_bytes);
}

static void write_header(struct skein_session_header *h, const struct skein_session_params *params,
                         uint64_t ring_bytes) {
    h->version = SKEIN_SESSION_VERSION;
    h->mode = params->mode;
    h->scope = params->scope;
    h->vcpu_count = params->vcpu_count;
    h->shard_count = params->vcpu_count + 1;
    h->shard_stride = shard_stride(ring_bytes);
    h->ring_bytes = ring_bytes;
    memcpy(h->uuid, params->uuid, sizeof(h->uuid));
    h->skein_pid = getpid();
    h->digest_interval = params->digest_interval != 0 ? params->digest_interval : DIGEST_INTERVAL;
    /* Last, so that nobody opens half a session; pairs with the acquire in header_valid(). */
    skein_store_release_64(&h->magic, SKEIN_SESSION_MAGIC);
}

static int map_file(const char *path, int fd, size_t bytes, struct skein_session **out,
                    struct skein_error *err) {
    const size_t path_bytes = strlen(path) + 1;
    struct skein_session *s = malloc(sizeof(*s) + path_bytes);
    void *map;

    if (s == NULL) {
        return skein_error_set(err, -ENOMEM, "out of memory");
    }
    map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        const int code = -errno;
        free(s);
        return skein_error_sys(err, code, "cannot map the session %s", path);
    }
    s->header = map;
    s->map_bytes = bytes;
    s->lock_fd = -1;
    memcpy(s->path, path, path_bytes);
    *out = s;
    return 0;
}

static int lay_out(struct skein_session *s, const struct skein_session_params *params,
                   uint64_t ring_bytes) {
    uint8_t *shards = (uint8_t *)s->header + SKEIN_SESSION_SHARDS_OFFSET;

    for (uint32_t i = 0; i <= params->vcpu_count; i++) {
        int rc =
            skein_shard_create(shards + i * shard_stride(ring_bytes), ring_bytes, i, params->uuid);
        if (rc != 0) {
            return rc;
        }
    }
    write_header(s->header, params, ring_bytes);
    return 0;
}

/* Gives the file its memory now: a full /dev/shm is an error here instead of a SIGBUS later. */
static int allocate(const char *path, int fd, size_t bytes, bool huge_pages,
                    struct skein_session **out, struct skein_error *err) {
    int rc = huge_pages && ftruncate(fd, (off_t)bytes) != 0 ? -errno : 0;

    if (!huge_pages) {
        rc = -posix_fallocate(fd, 0, (off_t)bytes);
    }
    if (rc == 0) {
        rc = map_file(path, fd, bytes, out, err);
        if (rc != 0 || !huge_pages) {
            return rc;
        }
        rc = skein_huge_pages_fill((*out)->header, bytes);
        if (rc == -EINVAL) {
            rc = -posix_fallocate(fd, 0, (off_t)bytes);
        }
    }
    if (rc != 0) {
        skein_session_close(*out);
        *out = NULL;
        return skein_error_sys(err, rc, "no room for a session of %zu MiB in %s", bytes >> 20,
                               path);
    }
    return 0;
}

int skein_session_create(const char *path, const struct skein_session_params *params,
                         struct skein_session **out, struct skein_error *err) {
    const uint64_t ring = params->ring_bytes != 0 ? params->ring_bytes : SKEIN_SESSION_RING_BYTES;
    const size_t bytes = skein_session_bytes(params->vcpu_count, ring);
    struct skein_session *session = NULL;
    int fd, rc;

    if (params->vcpu_count == 0 || params->vcpu_count > SKEIN_MAX_VCPUS) {
        return skein_error_set(err, -EINVAL, "%u vCPUs: a session has 1 to %u", params->vcpu_count,
                               SKEIN_MAX_VCPUS);
    }
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return skein_error_sys(err, -errno, "cannot create the session %s", path);
    }
    flock(fd, LOCK_SH);
    rc = allocate(path, fd, bytes, params->huge_pages, &session, err);
    if (rc == 0) {
        session->lock_fd = fd;
    } else {
        close(fd);
    }
    if (rc == 0 && (rc = lay_out(session, params, ring)) != 0) {
        skein_error_set(err, rc, "%" PRIu64 " bytes is no size for a shard's ring", ring);
        skein_session_close(session);
    }
    if (rc != 0) {
        unlink(path);
        return rc;
    }
    *out = session;
    return 0;
}

static bool header_valid(const struct skein_session_header *h, size_t file_bytes) {
    return skein_load_acquire_64(&h->magic) == SKEIN_SESSION_MAGIC &&
           h->version == SKEIN_SESSION_VERSION && h->vcpu_count != 0 &&
           h->vcpu_count <= SKEIN_MAX_VCPUS && h->shard_count == h->vcpu_count + 1 &&
           h->ring_bytes <= file_bytes && h->shard_stride == shard_stride(h->ring_bytes) &&
           SKEIN_SESSION_SHARDS_OFFSET + h->shard_count * h->shard_stride == file_bytes;
}

int skein_session_open(const char *path, struct skein_session **out, struct skein_error *err) {
    struct skein_session *session;
    struct stat st;
    int fd = open(path, O_RDWR | O_CLOEXEC), rc;

    if (fd < 0) {
        return skein_error_sys(err, -errno, "cannot open the session %s", path);
    }
    if (fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof(struct skein_session_header)) {
        close(fd);
        return skein_error_set(err, -EPROTO, "%s is not a session", path);
    }
    rc = map_file(path, fd, (size_t)st.st_size, &session, err);
    close(fd);
    if (rc != 0) {
        return rc;
    }
    if (!header_valid(session->header, session->map_bytes)) {
        skein_session_close(session);
        return skein_error_set(err, -EPROTO, "%s is not a session of this version", path);
    }
    *out = session;
    return 0;
}

void skein_session_close(struct skein_session *session) {
    if (session == NULL) {
        return;
    }
    munmap(session->header, session->map_bytes);
    if (session->lock_fd >= 0) {
        close(session->lock_fd);
    }
    free(session);
}

int skein_session_unlink(struct skein_session *session) {
    return unlink(session->path) == 0 ? 0 : -errno;
}

const char *skein_session_name(const struct skein_session *session) {
    return session->path;
}

struct skein_session_header *skein_session_header(struct skein_session *session) {
    return session->header;
}

enum skein_session_state skein_session_state(const struct skein_session *session) {
    /* Pairs with QEMU's release store: the fields that belong to the state are there. */
    return skein_load_acquire_32(&session->header->state);
}

void *skein_session_shard(struct skein_session *session, uint32_t shard, size_t *mem_bytes) {
    *mem_bytes = session->header->shard_stride;
    return (uint8_t *)session->header + SKEIN_SESSION_SHARDS_OFFSET +
           shard * session->header->shard_stride;
}

void skein_session_waits(const struct skein_session *session, uint64_t *waits, uint64_t *wait_ns) {
    const uint8_t *at = (const uint8_t *)session->header + SKEIN_SESSION_SHARDS_OFFSET;

    *waits = 0;
    *wait_ns = 0;
    for (uint32_t i = 0; i < session->header->shard_count; i++) {
        const struct skein_shard_mem *shard = (const void *)at;
        *waits += skein_load_relaxed_64(&shard->waits);
        *wait_ns += skein_load_relaxed_64(&shard->wait_ns);
        at += session->header->shard_stride;
    }
}

uint64_t skein_session_huge_bytes(const struct skein_session *session) {
    return skein_huge_pages_mapped(session->header);
}
