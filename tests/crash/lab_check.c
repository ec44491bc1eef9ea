/* What is left behind the dead, against what they had published. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/reader.h"
#include "pipeline/recording.h"
#include "tests/crash/lab_private.h"

int lab_recover(const char *dir, struct skein_recovered *r, struct skein_error *err) {
    const struct skein_recover_opts opts = {
        .source = dir, .block_bytes = LAB_BLOCK_BYTES, .segment_bytes = LAB_SEGMENT_BYTES};

    return skein_recover(&opts, r, err);
}

/* The first events of the history, in its order, and no others. */
static uint64_t compare(const char *dir, const struct history *h) {
    struct skein_recording *rec;
    struct skein_reader *reader;
    struct skein_error err = {""};
    struct skein_event event;
    uint64_t n = 0;
    bool complete;

    if (skein_recording_open(dir, SKEIN_READ_STRICT, &rec, &err) != 0 ||
        skein_recording_check(rec, &err) != 0 || skein_reader_open(rec, &reader, &err) != 0) {
        lab_fail("the recovered recording cannot be read: %s", err.text);
    }
    while (skein_reader_next(reader, &event, &err) == 1) {
        const struct skein_record *want = history_record(h, n);
        if (n == h->count || event.shard != h->events[n].shard ||
            event.record->size_bytes != want->size_bytes ||
            memcmp(event.record, want, want->size_bytes) != 0) {
            lab_fail("event %llu is not the history's: shard %u, tick %llu", (unsigned long long)n,
                     event.shard, (unsigned long long)event.tick);
        }
        n++;
    }
    complete = n == h->count && history_record(h, n - 1)->kind == SKEIN_END;
    if (skein_recording_complete(rec) != complete) {
        lab_fail("%llu of %zu events, and the recording says that it is %scomplete",
                 (unsigned long long)n, h->count, complete ? "in" : "");
    }
    skein_reader_close(reader);
    skein_recording_close(rec);
    return n;
}

static void check_nothing_left(const char *dir, const char *session, const char *when) {
    char path[400];

    snprintf(path, sizeof(path), "%s/recover.partial", dir);
    if (access(path, F_OK) == 0 || access(session, F_OK) == 0) {
        lab_fail("%s, %s is still there", when, access(path, F_OK) == 0 ? path : session);
    }
}

void lab_check(const struct lab_run *run, const char *session, const char *dir) {
    struct skein_recovered r;
    struct skein_error err = {""};
    int rc = lab_recover(dir, &r, &err);
    uint64_t n;

    if (rc == -ENODATA && lab->published == 0) {
        skein_recovered_free(&r);
        return;
    }
    if (rc != 0) {
        lab_fail("recovery fails: %s", err.text);
    }
    if (r.loss_count != 0) {
        lab_fail("recovery misses something: %s, shard %u, ticks %llu to %llu", r.losses[0].what,
                 r.losses[0].shard, (unsigned long long)r.losses[0].first_tick,
                 (unsigned long long)r.losses[0].last_tick);
    }
    n = compare(dir, run->history);
    if (n < lab->published || n > lab->publishing) {
        lab_fail("%llu events, but %llu were published (and perhaps %llu)", (unsigned long long)n,
                 (unsigned long long)lab->published, (unsigned long long)lab->publishing);
    }
    lab->recovered_events += n;
    lab->from_shards += r.events_from_shards;
    check_nothing_left(dir, session, "after recovery");
    skein_recovered_free(&r);
    if (lab_recover(dir, &r, &err) != 0 || r.changed || r.loss_count != 0) {
        lab_fail("a second recovery finds something to do: %s", err.text);
    }
    skein_recovered_free(&r);
}
