/*
 * A shard: a byte ring in shared memory with one writer and one reader, which may be different
 * processes. Back-pressure, never drops.
 *
 * Layout of a shard, in bytes from its start (all little-endian, 64-byte cache lines):
 *
 *   offset  size  field            written by
 *        0     8  magic "SKNSHARD" creator
 *        8     4  version = 2      creator
 *       12     4  shard id         creator
 *       16    16  recording UUID   creator
 *       32     8  ring_bytes       creator (a power of two)
 *       64     8  head             writer: bytes ever published
 *       72     8  waits            writer: times it waited for room
 *       80     8  wait_ns          writer: nanoseconds waited
 *       88     4  closed           writer: 1 when no more will come
 *      128  2×32  published        writer: marks, one of which belongs to head
 *      192     8  tail             reader: bytes ever released
 *      256  2×32  released         reader: marks, one of which belongs to tail
 *     4096     …  ring
 *
 * head and tail never wrap; the ring index is their low bits. A record never straddles the ring's
 * end: the writer fills the rest with a SKEIN_PAD record (a pad of 8 bytes is a bare header) whose
 * payload is zeros.
 *
 * Marks. Each side tells what lies before its position, so that a reader, or whoever comes when
 * both sides are dead, can tell whether what is between them is what was written:
 *
 *   offset  size  field
 *        0     8  at           the position
 *        8     8  ticks        records (without pads) before it
 *       16     8  sum          of all 8-byte words before it, modulo 2^64
 *       24     8  sum_of_sums  of the values that `sum` took on after each word, modulo 2^64
 *
 * A side that moves overwrites the mark that does not belong to its position, then stores the
 * position: a process killed in between leaves the old position with its old mark. A reader that
 * finds no mark for the position it has read looks again; if the position is still the same, the
 * shard is damaged.
 *
 * Thread rules: one thread appends, publishes and closes; one thread peeks and releases. The
 * appending thread may change if the hand-off is itself synchronized (the kernel token does that
 * for the device shard).
 */
#ifndef SKEIN_PIPELINE_SHARD_H
#define SKEIN_PIPELINE_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pipeline/event.h"
#include "pipeline/test_point.h"

#define SKEIN_SHARD_MAGIC 0x44524148534e4b53ull
#define SKEIN_SHARD_RING_OFFSET 4096u

struct skein_shard_mem; /* the shared memory, laid out as above */

/* The sums of a mark. */
struct skein_shard_sums {
    uint64_t sum;
    uint64_t sum_of_sums;
};

/* The writer's private state: on its own cache lines, never shared. */
struct skein_shard_writer {
    struct skein_shard_mem *mem;
    uint8_t *ring;
    uint64_t mask;
    uint64_t head;  /* bytes appended, published or not */
    uint64_t limit; /* up to here there is room, and no pad is needed */
    uint64_t tick;  /* of the last record appended */
    struct skein_shard_sums sums;
    uint64_t published;   /* bytes published */
    uint64_t cached_tail; /* the reader's position as last seen */
    uint32_t next_mark;   /* of the two in shared memory */
    /* Called while the ring is full, between naps; non-zero gives up (the peer is gone). */
    int (*on_full)(void *opaque);
    void *opaque;
};

struct skein_shard_reader {
    struct skein_shard_mem *mem;
    const uint8_t *ring;
    uint64_t mask;
    uint64_t tail;        /* bytes released */
    uint64_t cached_head; /* the writer's position as last seen; the sums up to there are right */
    uint64_t tick;        /* of the last record released */
    struct skein_shard_sums seen;     /* at cached_head */
    struct skein_shard_sums released; /* at tail */
    uint32_t next_mark;
};

/* Bytes of shared memory for a ring of that size. */
size_t skein_shard_mem_bytes(uint64_t ring_bytes);

/* Lays out an empty shard. -EINVAL: ring_bytes is no power of two from 64 KiB to 1 GiB. */
int skein_shard_create(void *mem, uint64_t ring_bytes, uint32_t shard_id, const uint8_t uuid[16]);

/*
 * -EPROTO: not a shard of this version, or its size does not fit in mem_bytes. -EBADMSG: its
 * positions or marks are damaged.
 */
int skein_shard_writer_open(struct skein_shard_writer *w, void *mem, size_t mem_bytes);
int skein_shard_reader_open(struct skein_shard_reader *r, void *mem, size_t mem_bytes);

/*
 * Appends one record and returns its tick, or 0 when on_full gave up (nothing was appended). Waits
 * while the ring is full, publishing first. payload: len bytes, copied; padded with zeros.
 */
uint64_t skein_shard_append(struct skein_shard_writer *w, uint8_t kind, uint8_t flags, uint32_t arg,
                            const void *payload, size_t len);

/* The same with the payload in two pieces: a fixed part and bytes. */
uint64_t skein_shard_append2(struct skein_shard_writer *w, uint8_t kind, uint8_t flags,
                             uint32_t arg, const void *fixed, size_t fixed_len, const void *bytes,
                             size_t len);

/* In shard.c: pads, waits for room. */
uint64_t skein_shard_append_slowly(struct skein_shard_writer *w, struct skein_record rec,
                                   const uint64_t *words);

/*
 * The same for a payload of n words, where n is a constant: the hot path. No call, no loop, no
 * branch but the one for room.
 */
static inline __attribute__((always_inline)) uint64_t
skein_shard_append_words(struct skein_shard_writer *w, uint8_t kind, uint8_t flags, uint32_t arg,
                         const uint64_t *words, uint32_t n) {
    const uint64_t size = sizeof(struct skein_record) + 8ull * n;
    const struct skein_record rec = {(uint16_t)size, kind, flags, arg};
    uint8_t *at = w->ring + (w->head & w->mask);
    struct skein_shard_sums sums = w->sums;
    uint64_t header;

    if (__builtin_expect(w->limit - w->head < size, 0)) {
        return skein_shard_append_slowly(w, rec, words);
    }
    memcpy(&header, &rec, sizeof(header));
    memcpy(at, &header, sizeof(header));
    sums.sum += header;
    sums.sum_of_sums += sums.sum;
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t word = words[i];
        /* One by one: a wide load right after the caller's stores of words waits for them. */
        memcpy(at + sizeof(header) + 8ull * i, &word, sizeof(word));
        sums.sum += word;
        sums.sum_of_sums += sums.sum;
    }
    w->sums = sums;
    w->head += size;
    SKEIN_TEST_POINT("shard.record_appended");
    return ++w->tick;
}

/* Makes all that was appended visible to the reader. Cheap when there is nothing new. */
void skein_shard_publish(struct skein_shard_writer *w);

/* Publishes and marks the shard as closed. */
void skein_shard_close(struct skein_shard_writer *w);

/* Takes that back. Nobody may ask skein_shard_drained() meanwhile. */
void skein_shard_reopen(struct skein_shard_writer *w);

/*
 * The record at `*cursor` (a byte position ≥ r->tail, start with r->tail), or NULL when nothing
 * more is published. Skips pads. Advances *cursor past the record. Looking ahead consumes nothing;
 * the pointer stays good until the reader releases past it. Input from shared memory is validated:
 * sums that do not fit, or a record that does not, set *bad to true and return NULL. Nothing that
 * was published together with what has wrong sums is given out.
 */
const struct skein_record *skein_shard_peek(struct skein_shard_reader *r, uint64_t *cursor,
                                            bool *bad);

/*
 * What is published from `cursor` on and lies in one piece, not looked at: whole records, and
 * perhaps a pad behind them. NULL: there is nothing more; *bad as above.
 */
const uint8_t *skein_shard_span(struct skein_shard_reader *r, uint64_t cursor, uint64_t *bytes,
                                bool *bad);

/* Gives the room of everything before `cursor` back to the writer; `ticks` records were in it. */
void skein_shard_release(struct skein_shard_reader *r, uint64_t cursor, uint64_t ticks);

/*
 * The same for what nobody wants to see: finds out how many records it was. -EBADMSG: the shard is
 * damaged, or no record that is published begins or will begin at `cursor`.
 */
int skein_shard_skip(struct skein_shard_reader *r, uint64_t cursor);

/* True when the writer has closed it and everything was consumed. */
bool skein_shard_drained(const struct skein_shard_reader *r);

#endif
