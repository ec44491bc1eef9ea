/*
 * mutate SRC DST CHANGE N: copies a recording with one change, and all checksums valid, so that
 * only the replay can notice. Prints where, as JSON.
 *
 *   user-read N   one byte of the N-th USER_READ of at most 8 bytes
 *   value N       bit 12 of the N-th TSC value
 *   icount N      the N-th hardware INTERRUPT comes one instruction later
 *   drop N        the N-th VALUE is missing
 *   swap N        the N-th TOKEN that names another vCPU and the next such one of its shard swap
 *                 their edges
 *   snapshot N    byte N of the kernel's banner ("Linux version …") in the snapshot's RAM:
 * read-only data, which nobody overwrites before the end
 *   seed N        one event, picked by the seed: a bit or a byte of what it carries, its place, or
 * its digest; see seed.h
 *
 * until_tick is the last tick at which the replay can notice: the next one of that vCPU that holds
 * a digest (0: none).
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/reader.h"
#include "pipeline/recording.h"
#include "pipeline/segment.h"
#include "pipeline/snapshot_file.h"
#include "tests/mutate/seed.h"

enum change { USER_READ, VALUE, ICOUNT, DROP, SWAP, SNAPSHOT, SEED };
static const char *const change_names[] = {"user-read", "value",    "icount", "drop",
                                           "swap",      "snapshot", "seed"};

struct place {
    uint32_t shard;
    uint64_t tick;
    uint64_t slice;
    uint64_t until_tick;
    const char *kind;
};

struct mutation {
    const char *src;
    const char *dst;
    enum change change;
    uint64_t n;
    struct skein_recording *rec;
    struct skein_manifest manifest;
    struct place place;
    struct skein_record *a; /* what takes the place of the event at place.tick; NULL: nothing */
    struct skein_record *b; /* SWAP: and of the one at until_tick */
    struct seeded seeded;   /* SEED: what it picks */
    uint64_t low_icount;    /* of the shard's stop in front of the event; of the one behind it */
    uint64_t high_icount;
    struct skein_error err;
};

static _Noreturn void die(const char *what) {
    fprintf(stderr, "mutate: %s\n", what);
    exit(1);
}

static void check(struct mutation *m, int ret) {
    if (ret < 0)
        die(m->err.text);
}

static bool is_wanted(const struct mutation *m, const struct skein_event *e) {
    const struct skein_record *r = e->record;
    switch (m->change) {
    case USER_READ:
        return r->kind == SKEIN_USER_READ && r->arg <= 8;
    case VALUE:
        return r->kind == SKEIN_VALUE && (r->arg & 0xff) == SKEIN_VALUE_TSC;
    case ICOUNT:
        return r->kind == SKEIN_INTERRUPT && (r->arg & 0xff) == SKEIN_INTR_HARD;
    case DROP:
        return r->kind == SKEIN_VALUE;
    case SWAP:
        return r->kind == SKEIN_TOKEN && r->arg != e->shard && r->arg < m->manifest.vcpu_count &&
               e->shard < m->manifest.vcpu_count;
    case SEED:
        return seed_wants(&m->seeded, e, m->manifest.vcpu_count);
    case SNAPSHOT:
        break;
    }
    return false;
}

static struct skein_record *copy_record(const struct skein_record *r) {
    struct skein_record *copy = malloc(r->size_bytes);
    if (copy == NULL)
        die("out of memory");
    return memcpy(copy, r, r->size_bytes);
}

static void swap_edges(struct skein_record *a, struct skein_record *b) {
    struct skein_token_payload *pa = (void *)(a + 1);
    struct skein_token_payload *pb = (void *)(b + 1);
    uint32_t arg = a->arg;
    uint64_t tick = pa->edge_tick;
    a->arg = b->arg;
    pa->edge_tick = pb->edge_tick;
    b->arg = arg;
    pb->edge_tick = tick;
}

/* Changes the copy of the event that was found. */
static void change_record(struct mutation *m) {
    uint64_t *words = (void *)(m->a + 1);
    switch (m->change) {
    case USER_READ:
        ((uint8_t *)(words + 1))[0] ^= 0x01;
        break;
    case VALUE:
        words[0] ^= 0x1000;
        break;
    case ICOUNT:
        words[0] += 1;
        break;
    case DROP:
        free(m->a);
        m->a = NULL;
        break;
    case SEED:
        seed_change(&m->seeded, m->a, m->low_icount);
        break;
    case SWAP:
    case SNAPSHOT:
        break;
    }
}

static bool has_digest(const struct skein_record *r) {
    return r->kind == SKEIN_DIGEST || r->kind == SKEIN_TOKEN || r->kind == SKEIN_END;
}

static void take_place(struct mutation *m, const struct skein_event *e) {
    m->place = (struct place){.shard = e->shard,
                              .tick = e->tick,
                              .slice = e->slice,
                              .kind = skein_kind_name(e->record->kind)};
    m->a = copy_record(e->record);
}

/* How many events the seed may pick from; it then picks one of them. */
static void pick(struct mutation *m) {
    struct skein_reader *reader = NULL;
    struct skein_event e;
    uint64_t count = 0;
    int ret;
    seed_begin(&m->seeded, m->n);
    check(m, skein_reader_open(m->rec, &reader, &m->err));
    while ((ret = skein_reader_next(reader, &e, &m->err)) == 1)
        count += is_wanted(m, &e);
    check(m, ret);
    skein_reader_close(reader);
    if (count == 0)
        die("the recording has no event of the kind that the seed wants");
    m->n = 1 + seed_next(&m->seeded) % count;
}

/* The stops of the event's shard around it. */
static void find_stops(struct mutation *m) {
    struct skein_reader *reader = NULL;
    struct skein_event e;
    uint64_t icount;
    int ret = 1;
    check(m, skein_reader_open_shard(m->rec, m->place.shard, 1, &reader, &m->err));
    while (m->high_icount == 0 && (ret = skein_reader_next(reader, &e, &m->err)) == 1) {
        if (e.tick == m->place.tick || !skein_record_is_stop(e.record, &icount))
            continue;
        if (e.tick < m->place.tick)
            m->low_icount = icount;
        else
            m->high_icount = icount;
    }
    check(m, ret);
    skein_reader_close(reader);
}

/* Where the change goes, and where the next digest of that shard is. */
static void find(struct mutation *m) {
    struct skein_reader *reader = NULL;
    struct skein_event e;
    uint64_t seen = 0;
    bool found = false;
    int ret;
    check(m, skein_reader_open(m->rec, &reader, &m->err));
    while ((ret = skein_reader_next(reader, &e, &m->err)) == 1 && m->place.until_tick == 0) {
        if (!found && is_wanted(m, &e) && ++seen == m->n) {
            take_place(m, &e);
            found = true;
        } else if (found && e.shard == m->place.shard &&
                   (m->change == SWAP ? is_wanted(m, &e) : has_digest(e.record))) {
            m->place.until_tick = e.tick;
            m->b = m->change == SWAP ? copy_record(e.record) : NULL;
        }
    }
    check(m, ret);
    skein_reader_close(reader);
    if (!found || (m->change == SWAP && m->b == NULL))
        die("the recording has no such event");
    find_stops(m);
    change_record(m);
    if (m->change == SWAP)
        swap_edges(m->a, m->b);
}

static const struct skein_record *changed(const struct mutation *m, uint32_t shard, uint64_t tick,
                                          const struct skein_record *record) {
    if (m->change == SNAPSHOT || shard != m->place.shard)
        return record;
    if (tick == m->place.tick)
        return m->a;
    return m->b != NULL && tick == m->place.until_tick ? m->b : record;
}

static void rewrite_block(struct mutation *m, const struct skein_block *block, uint64_t *ticks,
                          struct skein_block_encoder *encoder, struct skein_segment_writer *out,
                          struct skein_stats *stats) {
    for (uint32_t i = 0; i < block->info.events; i++) {
        uint32_t shard = block->events[i].shard;
        const struct skein_record *r =
            changed(m, shard, ++ticks[shard], skein_block_record(block, i));
        if (r == NULL)
            continue;
        skein_stats_count(stats, shard, r);
        if (skein_block_encoder_add(encoder, shard, r) != 0)
            die("cannot encode");
    }
    struct skein_block_info info;
    const uint8_t *data;
    size_t bytes;
    if (skein_block_encoder_finish(encoder, &info, &data, &bytes) != 0)
        die("cannot encode");
    check(m, skein_segment_writer_block(out, &info, data, bytes, &m->err));
}

static void rewrite_segment(struct mutation *m, const struct skein_segment *segment,
                            uint64_t *ticks, struct skein_block_encoder *encoder,
                            struct skein_stats *all) {
    const struct skein_block_info *at = skein_block_encoder_info(encoder);
    struct skein_segment_start start = segment->start;
    struct skein_stats stats = {.shard_count = start.shard_count};
    struct skein_segment_writer *out = NULL;
    memcpy(start.clock, at->clock, sizeof(start.clock));
    check(m, skein_segment_writer_open(m->dst, &start, SKEIN_DURABILITY_NONE, &out, &m->err));
    for (size_t i = 0; i < segment->block_count; i++) {
        struct skein_block *block = NULL;
        check(m, skein_segment_load(segment, i, &block, &m->err));
        rewrite_block(m, block, ticks, encoder, out, &stats);
        skein_block_free(block);
    }
    check(m, skein_segment_writer_seal(out, &stats, &m->err));
    skein_stats_add(all, &stats);
}

static void rewrite_segments(struct mutation *m) {
    static uint64_t ticks[SKEIN_MAX_SHARDS];
    struct skein_stats all = {.shard_count = m->manifest.stats.shard_count};
    struct skein_block_encoder *encoder = NULL;
    if (skein_block_encoder_create(skein_recording_shard_count(m->rec), 0, &encoder) != 0)
        die("out of memory");
    for (size_t i = 0; i < skein_recording_segment_count(m->rec); i++) {
        struct skein_segment_info info;
        struct skein_segment *segment = NULL;
        skein_recording_segment(m->rec, i, &info);
        check(m, skein_segment_open(info.path, SKEIN_READ_STRICT, &segment, &m->err));
        rewrite_segment(m, segment, ticks, encoder, &all);
        skein_segment_close(segment);
    }
    skein_block_encoder_free(encoder);
    m->manifest.stats = all;
}

/* Flips a bit of the kernel's banner in the raw snapshot. */
static void change_banner(const char *path, uint64_t n) {
    static const char banner[] = "Linux version ";
    int fd = open(path, O_RDWR);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        die("cannot open the raw snapshot");
    size_t size = (size_t)st.st_size;
    uint8_t *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        die("cannot map the raw snapshot");
    uint8_t *at = memmem(map, size, banner, sizeof(banner) - 1);
    if (at == NULL || (size_t)(at - map) + n >= size)
        die("there is no Linux kernel in the snapshot");
    at[n] ^= 0x01;
    munmap(map, size);
    close(fd);
}

static char raw[64]; /* the raw snapshot */

static void remove_raw(void) {
    unlink(raw);
}

static void rewrite_snapshot(struct mutation *m) {
    snprintf(raw, sizeof(raw), "/dev/shm/skein-mutate-%d", (int)getpid());
    atexit(remove_raw);
    check(m, skein_snapshot_expand(m->src, &m->manifest, raw, &m->err));
    if (m->change == SNAPSHOT)
        change_banner(raw, m->n);
    check(m, skein_snapshot_compress(raw, m->dst, &m->manifest.snapshot,
                                     &m->manifest.snapshot_raw_bytes, &m->err));
}

static void copy_console(const struct mutation *m) {
    char path[PATH_MAX];
    char buf[4096];
    size_t got;
    snprintf(path, sizeof(path), "%s/" SKEIN_CONSOLE_NAME, m->src);
    FILE *from = fopen(path, "r");
    snprintf(path, sizeof(path), "%s/" SKEIN_CONSOLE_NAME, m->dst);
    FILE *to = fopen(path, "w");
    if (to == NULL)
        die("cannot write the console");
    while (from != NULL && (got = fread(buf, 1, sizeof(buf), from)) > 0)
        fwrite(buf, 1, got, to);
    if (from != NULL)
        fclose(from);
    fclose(to);
}

static enum change parse_change(const char *word) {
    for (size_t i = 0; i < sizeof(change_names) / sizeof(change_names[0]); i++)
        if (strcmp(word, change_names[i]) == 0)
            return (enum change)i;
    die("unknown change");
}

int main(int argc, char **argv) {
    static struct mutation m;
    if (argc != 5)
        die("usage: mutate SRC DST user-read|value|icount|drop|swap|snapshot|seed N");
    m.src = argv[1];
    m.dst = argv[2];
    m.change = parse_change(argv[3]);
    m.n = strtoull(argv[4], NULL, 10);
    check(&m, skein_recording_open(m.src, SKEIN_READ_STRICT, &m.rec, &m.err));
    m.manifest = *skein_recording_manifest(m.rec);
    if (m.change == SEED)
        pick(&m);
    if (m.change != SNAPSHOT)
        find(&m);
    check(&m, skein_recording_create(m.dst, &m.manifest, &m.err));
    rewrite_segments(&m);
    rewrite_snapshot(&m);
    copy_console(&m);
    check(&m, skein_manifest_write(m.dst, &m.manifest, &m.err));
    printf("{\"change\":\"%s\",\"vcpu\":%" PRIu32 ",\"tick\":%" PRIu64 ",\"slice\":%" PRIu64
           ",\"until_tick\":%" PRIu64 ",\"kind\":\"%s\",\"low_icount\":%" PRIu64
           ",\"high_icount\":%" PRIu64 ",\"what\":\"%s\",\"moved_to\":%" PRIu64 "}\n",
           change_names[m.change], m.place.shard, m.place.tick, m.place.slice, m.place.until_tick,
           m.place.kind != NULL ? m.place.kind : "", m.low_icount, m.high_icount, m.seeded.what,
           m.seeded.moved_to);
    skein_recording_close(m.rec);
    return 0;
}
