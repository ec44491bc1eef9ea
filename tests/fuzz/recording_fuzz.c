/*
 * A whole recording: any events, put in order as the collector does (or not), written by our own
 * writer, so that all checksums fit; then damaged; then read in every way there is.
 *
 * Input: how (1 byte, below), shards (1), changes to files (1, then 4 for each: file, place, mask),
 * then events: shard, kind, flags, arg (1 each), words (1), and each word: one byte if it is below
 * 128, or any byte and 8 of the value.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/cut.h"
#include "pipeline/feeder.h"
#include "pipeline/log_writer.h"
#include "pipeline/order.h"
#include "pipeline/reader.h"
#include "pipeline/recording.h"
#include "pipeline/shard.h"
#include "pipeline/shard_layout.h"
#include "tests/fuzz/fuzz.h"
#include "tests/pipeline/fixture.h"

#define UNORDERED 1u   /* the events are written as they come */
#define UNFINISHED 2u  /* the last segment is not sealed, the manifest not complete */
#define TINY_BLOCKS 4u /* several blocks and segments */
#define FORCE 8u       /* the order takes events although shards without events are open */

#define EVENTS_MAX 300u
#define LONGEST_WORDS (SKEIN_RECORD_MAX_BYTES / 8) /* fits in a shard */
#define TOO_LONG_WORDS (LONGEST_WORDS + 100)       /* does not: a reader must refuse it */
#define FEED_TIMEOUT_NS 10000000000ull

struct made {
    uint8_t how;
    uint32_t shards;
    char dir[300];
    struct skein_manifest manifest;
    struct skein_log_writer *log;
    uint64_t written;
    bool damaged;
};

struct long_record {
    struct skein_record header;
    uint8_t payload[8 * TOO_LONG_WORDS];
};

static void take_event(struct fuzz_input *in, uint32_t shards, uint32_t *shard,
                       struct long_record *rec) {
    size_t words;

    *shard = (uint32_t)fuzz_take(in, 1) % shards;
    rec->header.kind = (uint8_t)(1 + fuzz_take(in, 1) % (SKEIN_KIND_COUNT - 1));
    if (rec->header.kind == SKEIN_PAD) {
        rec->header.kind = SKEIN_TOKEN;
    }
    rec->header.flags = (uint8_t)fuzz_take(in, 1);
    rec->header.arg = (uint32_t)fuzz_take(in, 1);
    words = fuzz_take(in, 1);
    words = words == 255 ? LONGEST_WORDS : words == 254 ? TOO_LONG_WORDS : words;
    for (size_t i = 0; i < words; i++) {
        uint64_t word = fuzz_take(in, 1);
        if (word >= 128) {
            word = fuzz_take(in, 8);
        }
        memcpy(rec->payload + 8 * i, &word, 8);
    }
    rec->header.size_bytes = (uint16_t)(sizeof(rec->header) + 8 * words);
}

static void put(struct made *m, uint32_t shard, const struct skein_record *rec) {
    m->damaged |= rec->size_bytes > SKEIN_RECORD_LIMIT_BYTES;
    FUZZ_CHECK(skein_log_writer_add(m->log, shard, rec, NULL) == 0);
    m->written++;
}

/* Everything that the order gives; an event never comes before the one that it names. */
static void put_ordered(struct made *m, struct skein_order *order, uint64_t *ticks, bool force) {
    const struct skein_record *rec;
    uint32_t shard;

    while ((rec = skein_order_next(order, force, &shard)) != NULL) {
        uint64_t edge;
        FUZZ_CHECK(shard < m->shards);
        if (rec->kind == SKEIN_TOKEN && rec->arg < m->shards &&
            rec->size_bytes >= sizeof(*rec) + sizeof(struct skein_token_payload)) {
            memcpy(&edge, rec + 1, sizeof(edge));
            FUZZ_CHECK(edge <= ticks[rec->arg]);
        }
        ticks[shard]++;
        put(m, shard, rec);
    }
}

static void put_events(struct made *m, struct fuzz_input *in) {
    static struct long_record rec;
    uint64_t ticks[SKEIN_MAX_SHARDS] = {0};
    struct skein_order *order;
    uint32_t shard;

    FUZZ_CHECK(skein_order_create(m->shards, &order) == 0);
    for (unsigned i = 0; i < EVENTS_MAX && in->left != 0; i++) {
        take_event(in, m->shards, &shard, &rec);
        if ((m->how & UNORDERED) != 0) {
            put(m, shard, &rec.header);
            continue;
        }
        struct skein_chunk *chunk = skein_chunk_new(rec.header.size_bytes);
        memcpy(chunk->bytes, &rec, rec.header.size_bytes);
        chunk->used = rec.header.size_bytes;
        skein_order_push(order, shard, chunk);
        put_ordered(m, order, ticks, (m->how & FORCE) != 0);
    }
    for (shard = 0; shard < m->shards; shard++) {
        skein_order_close(order, shard);
    }
    put_ordered(m, order, ticks, true);
    skein_order_free(order);
}

static void make_recording(struct made *m, struct fuzz_input *in) {
    const bool tiny = (m->how & TINY_BLOCKS) != 0;
    struct skein_log_writer_opts opts = {.dir = m->dir,
                                         .shard_count = m->shards,
                                         .block_bytes = tiny ? 200 : 0,
                                         .segment_bytes = tiny ? 1000 : 0};

    m->manifest = fixture_manifest(m->shards);
    memcpy(opts.uuid, m->manifest.uuid, sizeof(opts.uuid));
    snprintf(m->dir, sizeof(m->dir), "%s/recording", fuzz_dir());
    FUZZ_CHECK(skein_recording_create(m->dir, &m->manifest, NULL) == 0);
    FUZZ_CHECK(skein_log_writer_create(&opts, &m->log, NULL) == 0);
    put_events(m, in);
    if ((m->how & UNFINISHED) == 0) {
        FUZZ_CHECK(skein_log_writer_finish(m->log, NULL) == 0);
        m->manifest.stats = *skein_log_writer_stats(m->log);
        m->manifest.complete = true;
        FUZZ_CHECK(skein_manifest_write(m->dir, &m->manifest, NULL) == 0);
    }
    skein_log_writer_free(m->log);
}

/* file: 0 the manifest, else a segment; the mask 0 cuts the file off there. */
static void damage(const struct made *m, uint64_t file, uint64_t at, uint8_t mask) {
    char path[400];
    uint8_t *bytes;
    size_t size;

    snprintf(path, sizeof(path), "%s/segments/%06u.skn%s", m->dir, (unsigned)(file % 4),
             (file & 128) != 0 ? ".partial" : "");
    if (file == 0) {
        snprintf(path, sizeof(path), "%s/manifest", m->dir);
    }
    if (access(path, F_OK) != 0) {
        return;
    }
    bytes = fixture_read(path, &size);
    at = size != 0 ? at % size : 0;
    if (size != 0 && mask != 0) {
        bytes[at] ^= mask;
    }
    fixture_write(path, bytes, mask != 0 ? size : at);
    free(bytes);
}

static void read_shards(struct skein_recording *rec) {
    for (uint32_t shard = 0; shard < skein_recording_shard_count(rec); shard++) {
        struct skein_reader *reader;
        struct skein_event e;
        uint64_t tick = 1;
        FUZZ_CHECK(skein_reader_open_shard(rec, shard, 2, &reader, NULL) == 0);
        while (skein_reader_next(reader, &e, NULL) == 1) {
            FUZZ_CHECK(e.shard == shard && e.tick > tick);
            tick = e.tick;
        }
        skein_reader_close(reader);
    }
}

static uint64_t now_ns(void) {
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void consume(struct skein_session *s, uint32_t shards) {
    for (uint32_t i = 0; i < shards; i++) {
        struct skein_shard_reader r;
        size_t bytes;
        void *mem = skein_session_shard(s, i, &bytes);
        uint64_t cursor;
        bool bad;
        FUZZ_CHECK(skein_shard_reader_open(&r, mem, bytes) == 0);
        cursor = r.tail;
        while (skein_shard_peek(&r, &cursor, &bad) != NULL) {
            FUZZ_CHECK(!bad);
            skein_shard_release(&r, cursor, 1);
        }
    }
}

/* Feeds a replay and reads it as fast as it comes: that ends, one way or the other. */
static void feed(struct skein_recording *rec) {
    struct skein_session *session =
        fixture_session(skein_recording_manifest(rec), SKEIN_MODE_REPLAY);
    const struct skein_feeder_opts opts = {.recording = rec, .session = session};
    const uint64_t until = now_ns() + FEED_TIMEOUT_NS;
    struct skein_feeder_status status = {.state = SKEIN_FEEDER_RUNNING};
    struct skein_error err = {""};
    struct skein_feeder *feeder;

    if (skein_feeder_start(&opts, &feeder, &err) == 0) {
        while (status.state == SKEIN_FEEDER_RUNNING) {
            FUZZ_CHECK(now_ns() < until);
            consume(session, skein_recording_shard_count(rec));
            skein_feeder_poll(feeder, &status);
        }
        FUZZ_CHECK(status.events_fed <= status.events_total);
        FUZZ_CHECK(status.state != SKEIN_FEEDER_FAILED || status.error.text[0] != '\0');
        skein_feeder_free(feeder);
    }
    skein_session_close(session);
}

/* Of what is damaged, anything may fail to be read; otherwise all that was written is there. */
static void read_recording(const struct made *m, enum skein_read_mode mode) {
    static struct skein_stats stats;
    struct skein_recording *rec;
    struct skein_error err = {""};
    struct skein_clock cut;
    bool truncated;
    int rc = skein_recording_open(m->dir, mode, &rec, &err);

    FUZZ_CHECK(rc == 0 || m->damaged);
    if (rc != 0) {
        FUZZ_CHECK(err.text[0] != '\0');
        return;
    }
    rc = skein_recording_check(rec, &err);
    FUZZ_CHECK(rc == 0 || m->damaged);
    if (!m->damaged && (m->how & UNFINISHED) == 0) {
        FUZZ_CHECK(skein_recording_events(rec) == m->written);
    }
    skein_recording_stats(rec, &stats, &err);
    rc = skein_cut_find(rec, &cut, &truncated, &err);
    FUZZ_CHECK(rc == 0 || m->damaged);
    read_shards(rec);
    feed(rec);
    skein_recording_close(rec);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct made m;
    struct fuzz_input in = {bytes, size};
    uint64_t changes;
    uint32_t patch[3];

    m = (struct made){.how = (uint8_t)fuzz_take(&in, 1)};
    m.shards = 2 + (uint32_t)fuzz_take(&in, 1) % 4;
    changes = fuzz_take(&in, 1) % 3;
    for (uint64_t i = 0; i < changes; i++) {
        patch[i] = (uint32_t)fuzz_take(&in, 4);
    }
    make_recording(&m, &in);
    for (uint64_t i = 0; i < changes; i++) {
        m.damaged = true;
        damage(&m, patch[i] & 0xff, patch[i] >> 8 & 0xffff, (uint8_t)(patch[i] >> 24));
    }
    read_recording(&m, SKEIN_READ_STRICT);
    read_recording(&m, SKEIN_READ_SALVAGE);
    fixture_remove(m.dir);
    return 0;
}

/* A history in the input's form. */
static void add_history(fuzz_add add, uint8_t how, uint32_t shards, const char *changes) {
    struct history h = history_make(how + 1u, shards, 60, (how & UNFINISHED) == 0);
    uint8_t *seed = malloc(3 + 8 + h.count * 5 + h.bytes * 9 / 8), *to = seed;

    *to++ = how;
    *to++ = (uint8_t)(shards - 2);
    *to++ = (uint8_t)(strlen(changes) / 4);
    to = (uint8_t *)stpcpy((char *)to, changes);
    for (size_t i = 0; i < h.count; i++) {
        const struct skein_record *r = history_record(&h, i);
        const uint8_t *words = (const uint8_t *)(r + 1);
        const size_t n = (r->size_bytes - sizeof(*r)) / 8;
        if (n >= 254) {
            continue;
        }
        const uint8_t head[] = {(uint8_t)h.events[i].shard, (uint8_t)(r->kind - 1), r->flags,
                                (uint8_t)r->arg, (uint8_t)n};
        memcpy(to, head, sizeof(head));
        to += sizeof(head);
        for (size_t k = 0; k < n; k++, words += 8) {
            *to++ = 255;
            memcpy(to, words, 8);
            to += 8;
        }
    }
    add(seed, (size_t)(to - seed));
    free(seed);
    history_free(&h);
}

void fuzz_seeds(fuzz_add add) {
    add_history(add, 0, 3, "");
    add_history(add, TINY_BLOCKS, 4, "");
    add_history(add, UNFINISHED | TINY_BLOCKS, 3, "");
    add_history(add, UNORDERED | TINY_BLOCKS, 3, "");
    add_history(add, FORCE, 2, "");
    add_history(add, TINY_BLOCKS, 3, "\001\100\001\020");
    add_history(add, TINY_BLOCKS, 3, "\002\001\001\001");
}
