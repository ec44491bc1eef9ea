/*
 * make_events DIR TRUTH SEED EVENTS [odd] [frozen] [change=N]: a recording of random events of all
 * kinds, and in TRUTH what its events are: shard (4 bytes), tick (8), slice (8) and the record, for
 * each.
 *
 * odd: some records have not the shape of their kind. frozen: the guest's counter stands still.
 * change=N: event N (0, 1, …) is another one.
 * Blocks are small, and the guest reads its counter in each slice.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/log_writer.h"
#include "pipeline/recording.h"
#include "tests/pipeline/fixture.h"

#define SHARDS 4u
#define TSC_START 1000000u
#define TSC_HZ 1000000000u

struct maker {
    struct random rng;
    struct skein_log_writer *log;
    FILE *truth;
    uint64_t events, change, slices, tsc;
    uint64_t tick[SHARDS], icount[SHARDS];
    bool odd, frozen;
};

static void check(bool good, const char *what) {
    if (!good) {
        fprintf(stderr, "make_events: %s\n", what);
        exit(1);
    }
}

static void add(struct maker *m, uint32_t shard, struct any_record *rec) {
    if (m->events == m->change)
        rec->payload[0] ^= 1;
    const uint64_t where[] = {++m->tick[shard], m->slices += rec->header.kind == SKEIN_TOKEN};
    check(skein_log_writer_add(m->log, shard, &rec->header, NULL) == 0, "cannot write");
    check(fwrite(&shard, sizeof(shard), 1, m->truth) == 1 &&
              fwrite(where, sizeof(where), 1, m->truth) == 1 &&
              fwrite(rec, rec->header.size_bytes, 1, m->truth) == 1,
          "cannot write the truth");
    m->events++;
}

static void add_tsc(struct maker *m, uint32_t shard) {
    struct any_record rec = {.header = {.size_bytes = 16,
                                        .kind = SKEIN_VALUE,
                                        .arg = skein_value_arg(SKEIN_VALUE_TSC, 8, 0)}};
    m->tsc += m->frozen ? 0 : 200000 + random_below(&m->rng, 100000);
    memcpy(rec.payload, &m->tsc, sizeof(m->tsc));
    add(m, shard, &rec);
}

static void add_slice(struct maker *m) {
    struct any_record rec;
    const uint32_t shard = (uint32_t)random_below(&m->rng, SHARDS);
    events_make(&m->rng, SKEIN_TOKEN, &m->icount[shard], &rec);
    add(m, shard, &rec);
    add_tsc(m, shard);
    for (uint64_t n = random_below(&m->rng, 20); n != 0; n--) {
        const uint8_t kind = (uint8_t)(2 + random_below(&m->rng, SKEIN_KIND_COUNT - 3));
        do /* reads of the counter are add_tsc()'s */
            events_make(&m->rng, kind, &m->icount[shard], &rec);
        while (kind == SKEIN_VALUE && (rec.header.arg & 0xff) == SKEIN_VALUE_TSC);
        if (m->odd && random_below(&m->rng, 8) == 0)
            events_make_odd(&m->rng, &rec);
        add(m, shard, &rec);
    }
}

static void finish(struct maker *m, const char *dir, struct skein_manifest *manifest) {
    struct any_record rec;
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        events_make(&m->rng, SKEIN_END, &m->icount[shard], &rec);
        add(m, shard, &rec);
    }
    check(skein_log_writer_finish(m->log, NULL) == 0 && fclose(m->truth) == 0, "cannot finish");
    manifest->stats = *skein_log_writer_stats(m->log);
    manifest->complete = true;
    manifest->end = SKEIN_END_SHUTDOWN;
    check(skein_manifest_write(dir, manifest, NULL) == 0, "cannot write the manifest");
    skein_log_writer_free(m->log);
}

int main(int argc, char **argv) {
    check(argc >= 5, "make_events DIR TRUTH SEED EVENTS [odd] [change=N]");
    struct skein_manifest manifest = fixture_manifest(SHARDS);
    struct skein_log_writer_opts opts = {
        .dir = argv[1], .shard_count = SHARDS, .block_bytes = 16 << 10, .segment_bytes = 256 << 10};
    struct maker m = {.rng = {strtoull(argv[3], NULL, 10)},
                      .truth = fopen(argv[2], "we"),
                      .change = UINT64_MAX,
                      .tsc = TSC_START};
    for (int i = 5; i < argc; i++) {
        if (strncmp(argv[i], "change=", 7) == 0)
            m.change = strtoull(argv[i] + 7, NULL, 10);
        else if (strcmp(argv[i], "frozen") == 0)
            m.frozen = true;
        else
            m.odd = true;
    }
    manifest.tsc_start = TSC_START;
    manifest.tsc_hz = TSC_HZ;
    memcpy(opts.uuid, manifest.uuid, sizeof(opts.uuid));
    check(m.truth != NULL && skein_recording_create(argv[1], &manifest, NULL) == 0 &&
              skein_log_writer_create(&opts, &m.log, NULL) == 0,
          "cannot begin");
    for (uint64_t events = strtoull(argv[4], NULL, 10); m.events < events;)
        add_slice(&m);
    finish(&m, argv[1], &manifest);
    return 0;
}
