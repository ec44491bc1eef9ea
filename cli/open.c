#include "cli/open.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"

static struct skein_recording *source(const struct skein_opened *o) {
    return o->salvaged != NULL ? o->salvaged : o->rec;
}

static int open_salvage(const struct skein_opened *o, struct skein_recording **rec,
                        struct skein_error *err) {
    return skein_recording_open(o->dir, SKEIN_READ_SALVAGE, rec, err);
}

static void say_damage(struct skein_opened *o, const char *what) {
    skein_fail(0, "%s: %s; showing what can be read", o->verb, what);
    o->salvage = true;
}

bool skein_open_readable(struct skein_opened *o, const char *verb, const char *dir) {
    struct skein_error err, other;
    *o = (struct skein_opened){.verb = verb, .dir = dir};
    int rc = skein_recording_open(dir, SKEIN_READ_STRICT, &o->rec, &err);
    if (rc == -EBADMSG && open_salvage(o, &o->rec, &other) == 0) {
        say_damage(o, err.text);
        return true;
    }
    if (rc != 0) {
        o->rec = NULL;
        skein_fail(SKEIN_EXIT_USAGE, "%s: %s", verb, err.text);
        return false;
    }
    const char *reason = skein_recording_manifest(o->rec)->end_reason;
    if (!skein_recording_complete(o->rec))
        skein_fail(0, "%s: %s is incomplete%s%s", verb, dir, *reason != '\0' ? ": " : "", reason);
    return true;
}

/* Opens it again, for salvage: what a first reading lost is not counted twice. */
static int salvage_again(struct skein_opened *o, struct skein_error *err) {
    struct skein_recording *again;
    int rc = open_salvage(o, &again, err);
    if (rc != 0)
        return rc;
    skein_reader_close(o->reader);
    o->reader = NULL;
    skein_recording_close(o->salvaged);
    o->salvaged = again;
    return 0;
}

int skein_open_reader(struct skein_opened *o, struct skein_error *err) {
    int rc = o->salvage && o->reader != NULL ? salvage_again(o, err) : 0;
    if (rc != 0)
        return rc;
    skein_reader_close(o->reader);
    o->reader = NULL;
    memset(o->tick, 0, sizeof(o->tick));
    return skein_reader_open(source(o), &o->reader, err);
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
    int rc = skein_reader_open(source(o), &o->reader, err);
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
        say_damage(o, err->text);
        rc = salvage_again(o, err);
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
    skein_recording_losses(source(o), &blocks, &bytes);
    if (blocks != 0 || bytes != 0) {
        skein_fail(0, "%s: %s: lost %" PRIu64 " blocks and %" PRIu64 " bytes, which are damaged",
                   o->verb, o->dir, blocks, bytes);
        lossy = true;
    }
    skein_reader_close(o->reader);
    skein_recording_close(o->salvaged);
    skein_recording_close(o->rec);
    *o = (struct skein_opened){0};
    return lossy ? SKEIN_EXIT_INCOMPLETE : SKEIN_EXIT_OK;
}
