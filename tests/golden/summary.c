#include "tests/golden/summary.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <xxhash.h>

#include "pipeline/reader.h"

struct summary {
    char *text;
    size_t used;
    XXH64_state_t *hash;
    uint64_t events, slices;
    struct skein_stats stats;
};

static void line(struct summary *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void line(struct summary *s, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    s->used += (size_t)vsnprintf(s->text + s->used, SUMMARY_MAX_BYTES - s->used, fmt, ap);
    va_end(ap);
}

static void add(struct summary *s, const struct skein_event *e) {
    XXH64_update(s->hash, &e->shard, sizeof(e->shard));
    XXH64_update(s->hash, &e->tick, sizeof(e->tick));
    XXH64_update(s->hash, &e->slice, sizeof(e->slice));
    XXH64_update(s->hash, e->record, e->record->size_bytes);
    s->events++;
    s->slices = e->slice;
    skein_stats_count(&s->stats, e->shard, e->record);
}

static int read_all(struct summary *s, struct skein_recording *rec) {
    struct skein_reader *reader;
    struct skein_event event;
    int rc = skein_reader_open(rec, &reader, NULL);

    if (rc != 0) {
        return rc;
    }
    s->stats.shard_count = skein_recording_shard_count(rec);
    while ((rc = skein_reader_next(reader, &event, NULL)) == 1) {
        add(s, &event);
    }
    skein_reader_close(reader);
    return rc;
}

static void tell(struct summary *s, const struct skein_recording *rec) {
    uint64_t blocks, bytes;

    skein_recording_losses(rec, &blocks, &bytes);
    line(s, "open ok\ncomplete %d\n", skein_recording_complete(rec));
    line(s, "events %" PRIu64 "\nslices %" PRIu64 "\n", s->events, s->slices);
    line(s, "lost_blocks %" PRIu64 "\nlost_bytes %" PRIu64 "\n", blocks, bytes);
    line(s, "digest %016" PRIx64 "\n", (uint64_t)XXH64_digest(s->hash));
    for (uint8_t kind = 1; kind < (uint8_t)SKEIN_KIND_COUNT; kind++) {
        if (skein_stats_kind(&s->stats, kind) != 0) {
            line(s, "kind %s %" PRIu64 "\n", skein_kind_name(kind),
                 skein_stats_kind(&s->stats, kind));
        }
    }
}

void summary_make(const char *dir, enum skein_read_mode mode, char text[SUMMARY_MAX_BYTES]) {
    struct summary s = {.text = text, .hash = XXH64_createState()};
    struct skein_recording *rec = NULL;

    XXH64_reset(s.hash, 0);
    if (skein_recording_open(dir, mode, &rec, NULL) == 0 && read_all(&s, rec) == 0) {
        tell(&s, rec);
    } else {
        line(&s, "open refused\n");
    }
    skein_recording_close(rec);
    XXH64_freeState(s.hash);
}

void summary_make_both(const char *dir, char text[2 * SUMMARY_MAX_BYTES]) {
    char strict[SUMMARY_MAX_BYTES], salvage[SUMMARY_MAX_BYTES];

    summary_make(dir, SKEIN_READ_STRICT, strict);
    summary_make(dir, SKEIN_READ_SALVAGE, salvage);
    snprintf(text, 2 * SUMMARY_MAX_BYTES, "strict\n%.*s\nsalvage\n%.*s", SUMMARY_MAX_BYTES - 64,
             strict, SUMMARY_MAX_BYTES - 64, salvage);
}
