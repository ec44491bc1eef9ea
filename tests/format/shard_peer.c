/*
 * shard_peer read|write FILE COUNT: our side of shard 0 of a session, against someone else's.
 *
 *   write  appends COUNT records, record i of kind 1 + i % 13 with arg i and i * 37 % 400 bytes,
 *          byte k of them i + k, and one of 8192 bytes in between; then closes
 *   read   checks that these records come, until the shard is closed; prints how many
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/session_map.h"
#include "pipeline/shard.h"

static size_t make(uint64_t i, uint8_t bytes[SKEIN_RECORD_MAX_BYTES]) {
    const size_t len = i % 100 == 99 ? SKEIN_RECORD_MAX_BYTES : i * 37 % 400;

    for (size_t k = 0; k < len; k++) {
        bytes[k] = (uint8_t)(i + k);
    }
    return len;
}

static int write_all(struct skein_shard_writer *w, uint64_t count) {
    uint8_t bytes[SKEIN_RECORD_MAX_BYTES];

    for (uint64_t i = 0; i < count; i++) {
        const size_t len = make(i, bytes);
        skein_shard_append(w, (uint8_t)(1 + i % 13), 0, (uint32_t)i, bytes, len);
        if (i % 7 == 0) {
            skein_shard_publish(w);
        }
    }
    skein_shard_close(w);
    return 0;
}

static bool same(const struct skein_record *rec, uint64_t i) {
    uint8_t bytes[SKEIN_RECORD_MAX_BYTES];
    const size_t len = make(i, bytes);

    return rec->kind == 1 + i % 13 && rec->arg == i &&
           rec->size_bytes == sizeof(*rec) + ((len + 7) & ~(size_t)7) &&
           memcmp(rec + 1, bytes, len) == 0;
}

static int read_all(struct skein_shard_reader *r, uint64_t count) {
    const struct timespec nap = {.tv_nsec = 50000};
    const struct skein_record *rec;
    uint64_t cursor = r->tail, i = 0;
    bool bad = false;

    while (!skein_shard_drained(r) && !bad) {
        rec = skein_shard_peek(r, &cursor, &bad);
        if (rec == NULL) {
            nanosleep(&nap, NULL);
            continue;
        }
        if (!same(rec, i++)) {
            fprintf(stderr, "shard_peer: record %llu is another\n", (unsigned long long)i);
            return 1;
        }
        skein_shard_release(r, cursor, 1);
    }
    printf("%llu\n", (unsigned long long)i);
    return bad || i != count;
}

int main(int argc, char **argv) {
    struct skein_session *session;
    struct skein_shard_writer w;
    struct skein_shard_reader r;
    struct skein_error err = {""};
    size_t bytes;

    if (argc != 4 || skein_session_open(argv[2], &session, &err) != 0) {
        fprintf(stderr, "shard_peer: %s\n", argc != 4 ? "usage" : err.text);
        return 2;
    }
    const uint64_t count = strtoull(argv[3], NULL, 10);
    void *mem = skein_session_shard(session, 0, &bytes);
    int rc = 2;
    if (strcmp(argv[1], "write") == 0 && skein_shard_writer_open(&w, mem, bytes) == 0) {
        rc = write_all(&w, count);
    } else if (strcmp(argv[1], "read") == 0 && skein_shard_reader_open(&r, mem, bytes) == 0) {
        rc = read_all(&r, count);
    }
    skein_session_close(session);
    return rc;
}
