#include "tests/pipeline/fixture.h"

#include <assert.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/file.h"
#include "pipeline/log_writer.h"
#include "pipeline/recording.h"
#include "pipeline/shard.h"
#include "pipeline/shard_layout.h"

void fixture_dir(char path[256]) {
    const char *base = getenv("TEST_TMPDIR");

    snprintf(path, 256, "%s/skein-test-XXXXXX", base != NULL ? base : "/tmp");
    assert(mkdtemp(path) != NULL);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void fixture_remove(const char *path) {
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct skein_manifest fixture_manifest(uint32_t shard_count) {
    struct skein_manifest m = {.uuid = {0x5c}, .vcpu_count = shard_count - 1};

    m.stats.shard_count = shard_count;
    return m;
}

struct skein_session *fixture_session(const struct skein_manifest *m, enum skein_mode mode) {
    struct skein_session_params params = {
        .mode = mode,
        .vcpu_count = m->vcpu_count,
        .ring_bytes = 64 << 10,
    };
    struct skein_session *session = NULL;
    static int count;
    char path[64];

    memcpy(params.uuid, m->uuid, sizeof(params.uuid));
    snprintf(path, sizeof(path), "/dev/shm/skein-test-%d-%d", (int)getpid(), count++);
    assert(skein_session_create(path, &params, &session, NULL) == 0);
    skein_session_unlink(session);
    return session;
}

void fixture_record(const char *dir, const struct history *h, size_t count, uint64_t block_bytes,
                    uint64_t segment_bytes) {
    struct skein_manifest m = fixture_manifest(h->shard_count);
    struct skein_log_writer_opts opts = {
        .dir = dir,
        .shard_count = h->shard_count,
        .block_bytes = block_bytes,
        .segment_bytes = segment_bytes,
    };
    struct skein_log_writer *log;

    memcpy(opts.uuid, m.uuid, sizeof(opts.uuid));
    assert(skein_recording_create(dir, &m, NULL) == 0);
    assert(skein_log_writer_create(&opts, &log, NULL) == 0);
    for (size_t i = 0; i < count; i++) {
        assert(skein_log_writer_add(log, h->events[i].shard, history_record(h, i), NULL) == 0);
    }
    assert(skein_log_writer_finish(log, NULL) == 0);
    m.stats = *skein_log_writer_stats(log);
    m.complete = count == h->count;
    skein_log_writer_free(log);
    assert(skein_manifest_write(dir, &m, NULL) == 0);
}

uint8_t *fixture_read(const char *path, size_t *bytes) {
    int fd = open(path, O_RDONLY);
    struct stat st;
    uint8_t *data;

    assert(fd >= 0 && fstat(fd, &st) == 0);
    *bytes = (size_t)st.st_size;
    data = malloc(*bytes + 1);
    assert(skein_file_read_at(fd, data, *bytes, 0) == 0);
    close(fd);
    return data;
}

void fixture_write(const char *path, const uint8_t *bytes, size_t n) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

    assert(fd >= 0);
    assert(skein_file_write(fd, bytes, n) == 0);
    close(fd);
}

void fixture_restamp(void *shard) {
    struct skein_shard_mem *s = shard;
    const uint64_t *ring = (const void *)((const uint8_t *)shard + SKEIN_SHARD_RING_OFFSET);
    const uint64_t words = s->ring_bytes / 8;
    struct skein_shard_mark m = s->released[0].at == s->tail ? s->released[0] : s->released[1];

    m.at = s->tail;
    s->released[0] = m;
    for (; m.at != s->head && m.at - s->tail < s->ring_bytes; m.at += 8) {
        m.sum += ring[m.at / 8 % words];
        m.sum_of_sums += m.sum;
    }
    m.at = s->head;
    s->published[0] = m;
}
