#include "cli/open.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"

/* From here on, what can be read is. */
static int turn_to_salvage(struct skein_opened *o, const char *why, struct skein_error *err) {
    struct skein_recording *rec;
    int rc = skein_recording_open(o->dir, SKEIN_READ_SALVAGE, &rec, err);
    if (rc != 0)
        return rc;
    if (!o->salvage)
        skein_fail(0, "%s: %s; showing what can be read", o->verb, why);
    o->salvage = true;
    skein_reader_close(o->reader);
    o->reader = NULL;
    skein_recording_close(o->rec);
    o->rec = rec;
    return 0;
}

bool skein_open_readable(struct skein_opened *o, const char *verb, const char *dir) {
    struct skein_error err = {""}, why;
    *o = (struct skein_opened){.verb = verb, .dir = dir};
    int rc = skein_recording_open(dir, SKEIN_READ_STRICT, &o->rec, &err);
    if (rc == -EBADMSG) {
        why = err;
        rc = turn_to_salvage(o, why.text, &err);
    } else if (rc == 0 && !skein_recording_complete(o->rec)) {
        const char *reason = skein_recording_manifest(o->rec)->end_reason;
        skein_fail(0, "%s: %s is incomplete%s%s", verb, dir, *reason != '\0' ? ": " : "", reason);
    }
    if (rc != 0)
        skein_fail(SKEIN_EXIT_USAGE, "%s: %s", verb, err.text);
    return rc == 0;
}

int skein_open_reader(struct skein_opened *o, struct skein_error *err) {
    /* What a first reading lost is not counted twice. */
    int rc = o->salvage && o->reader != NULL ? turn_to_salvage(o, "", err) : 0;
    if (rc != 0)
        return rc;
    skein_reader_close(o->reader);
    o->reader = NULL;
    memset(o->tick, 0, sizeof(o->tick));
    return skein_reader_open(o->rec, &o->reader, err);
}

int skein_open_plan(struct skein_opened *o, const struct skein_block_want *want,
                    struct skein_block_plan **plan, struct skein_error *err) {
    *plan = NULL;
    if (o->salvage)
        return 0;
    int rc = skein_block_plan_create(o->rec, want, plan, err);
    if (rc == 0)
        skein_reader_follow(o->reader, *plan);
    return rc == -EBADMSG ? 0 : rc; /* the reader is going to find it */
}

/* Reads on behind what was read before the damage was found. */
static int go_on(struct skein_opened *o, struct skein_event *event, struct skein_error *err) {
    int rc = skein_reader_open(o->rec, &o->reader, err);
    if (rc != 0)
        return rc;
    do
        rc = skein_reader_next(o->reader, event, err);
    while (rc == 1 && event->tick <= o->tick[event->shard]);
    return rc;
}

int skein_open_next(struct skein_opened *o, struct skein_event *event, struct skein_error *err) {
    int rc = skein_reader_next(o->reader, event, err);
    if (rc == -EBADMSG && !o->salvage) {
        const struct skein_error why = *err;
        rc = turn_to_salvage(o, why.text, err);
        if (rc == 0)
            rc = go_on(o, event, err);
    }
    if (rc == 1)
        o->tick[event->shard] = event->tick;
    return rc;
}

int skein_open_finish(struct skein_opened *o) {
    uint64_t blocks, bytes;
    bool lossy = o->salvage || !skein_recording_complete(o->rec);
    skein_recording_losses(o->rec, &blocks, &bytes);
    if (blocks != 0 || bytes != 0) {
        skein_fail(0, "%s: %s: lost %" PRIu64 " blocks and %" PRIu64 " bytes, which are damaged",
                   o->verb, o->dir, blocks, bytes);
        lossy = true;
    }
    skein_reader_close(o->reader);
    skein_recording_close(o->rec);
    *o = (struct skein_opened){0};
    return lossy ? SKEIN_EXIT_INCOMPLETE : SKEIN_EXIT_OK;
}
