/*
 * A session's shared memory, written by a QEMU that has gone mad: changes to a session with some
 * events in it, each two bytes of place, one of length, and the bytes. The first byte says where:
 * in the session's header, or in a shard from its header on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/session_map.h"
#include "pipeline/shard.h"
#include "pipeline/shard_layout.h"
#include "tests/fuzz/fuzz.h"
#include "tests/pipeline/events.h"
#include "tests/pipeline/fixture.h"

#define SHARDS 2u
#define RING_BYTES (64u << 10)

static char path[300];
static uint8_t *whole; /* the session's file before any change */
static size_t whole_bytes;

static void remove_session(void) {
    free(whole);
}

static void make_session(void) {
    struct skein_session_params params = {
        .mode = SKEIN_MODE_RECORD, .vcpu_count = SHARDS - 1, .ring_bytes = RING_BYTES};
    struct history h = history_make(4, SHARDS, 40, 1);
    struct skein_shard_writer w[SHARDS];
    struct skein_session *s;
    size_t bytes;

    snprintf(path, sizeof(path), "%s/session", fuzz_dir());
    FUZZ_CHECK(skein_session_create(path, &params, &s, NULL) == 0);
    for (uint32_t i = 0; i < SHARDS; i++) {
        void *mem = skein_session_shard(s, i, &bytes);
        FUZZ_CHECK(skein_shard_writer_open(&w[i], mem, bytes) == 0);
    }
    for (size_t i = 0; i < h.count; i++) {
        const struct skein_record *r = history_record(&h, i);
        skein_shard_append(&w[h.events[i].shard], r->kind, r->flags, r->arg, r + 1,
                           r->size_bytes - sizeof(*r));
    }
    for (uint32_t i = 0; i < SHARDS; i++) {
        skein_shard_close(&w[i]);
    }
    skein_session_close(s);
    history_free(&h);
    whole = fixture_read(path, &whole_bytes);
    atexit(remove_session);
}

/* Reads until nothing more is there, as the collector does. */
static void drain(struct skein_session *s, uint32_t shard) {
    struct skein_shard_reader r;
    size_t bytes;
    void *mem = skein_session_shard(s, shard, &bytes);
    uint64_t records = 0;

    if (skein_shard_reader_open(&r, mem, bytes) != 0) {
        return;
    }
    for (;;) {
        uint64_t cursor = r.tail;
        bool bad;
        const struct skein_record *rec = skein_shard_peek(&r, &cursor, &bad);
        if (rec == NULL) {
            break;
        }
        FUZZ_CHECK(!bad && (const uint8_t *)rec + rec->size_bytes <= r.ring + r.mask + 1);
        FUZZ_CHECK(++records <= (r.mask + 1) / sizeof(*rec));
        skein_shard_release(&r, cursor, 1);
    }
    skein_shard_drained(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct fuzz_input in = {bytes, size};
    struct skein_error err = {""};
    struct skein_session *s;
    uint64_t waits, wait_ns;
    size_t shard_bytes;

    if (whole == NULL) {
        make_session();
    }
    uint8_t *file = malloc(whole_bytes);
    memcpy(file, whole, whole_bytes);
    const bool restamp = fuzz_take(&in, 1) % 2 != 0;
    while (in.left != 0) {
        static const size_t starts[] = {0, SKEIN_SESSION_SHARDS_OFFSET,
                                        SKEIN_SESSION_SHARDS_OFFSET + SKEIN_SHARD_RING_OFFSET};
        const size_t at = starts[fuzz_take(&in, 1) % 3] + fuzz_take(&in, 2);
        for (uint64_t n = fuzz_take(&in, 1) % 17, i = 0; i < n && at + i < whole_bytes; i++) {
            file[at + i] = (uint8_t)fuzz_take(&in, 1);
        }
    }
    fixture_write(path, file, whole_bytes);
    free(file);
    if (skein_session_open(path, &s, &err) == 0) {
        const uint32_t shards = skein_session_header(s)->shard_count;
        for (uint32_t i = 0; i < shards; i++) {
            void *mem = skein_session_shard(s, i, &shard_bytes);
            if (restamp && ((struct skein_shard_mem *)mem)->ring_bytes == RING_BYTES) {
                fixture_restamp(mem); /* so that records are looked at, too */
            }
            drain(s, i);
        }
        skein_session_state(s);
        skein_session_waits(s, &waits, &wait_ns);
        skein_session_close(s);
    } else {
        FUZZ_CHECK(err.text[0] != '\0');
    }
    return 0;
}

void fuzz_seeds(fuzz_add add) {
    static const uint8_t head[] = {1, 1, 64, 0, 2, 0, 1}, ring_bytes[] = {0, 1, 34, 0, 1, 2},
                         shard_count[] = {0, 0, 12, 0, 1, 9},
                         record[] = {1, 2, 0, 0, 4, 16, 0, 5, 0};

    add(head, sizeof(head));
    add(ring_bytes, sizeof(ring_bytes));
    add(shard_count, sizeof(shard_count));
    add(record, sizeof(record));
}
