#include "cli/open.h"

#include <errno.h>
#include <inttypes.h>

#include "cli/cli.h"

bool skein_open_readable(struct skein_opened *o, const char *verb, const char *dir) {
    struct skein_error err, why = {""};
    *o = (struct skein_opened){0};
    /* A strict look at all headers first: it knows what is wrong, where salvage passes it over. */
    int rc = skein_recording_open(dir, SKEIN_READ_STRICT, &o->rec, &why);
    if (rc == 0) {
        skein_recording_close(o->rec);
        o->rec = NULL;
    }
    if ((rc == 0 || rc == -EBADMSG) &&
        skein_recording_open(dir, SKEIN_READ_SALVAGE, &o->rec, &err) == 0) {
        const struct skein_manifest *m = skein_recording_manifest(o->rec);
        o->lossy = rc != 0 || !skein_recording_complete(o->rec);
        if (rc != 0)
            skein_fail(0, "%s: %s; what can be read follows", verb, why.text);
        else if (o->lossy)
            skein_fail(0, "%s: %s is incomplete%s%s", verb, dir,
                       m->end_reason[0] != '\0' ? ": " : "", m->end_reason);
        return true;
    }
    skein_fail(SKEIN_EXIT_USAGE, "%s: %s", verb, rc == 0 ? err.text : why.text);
    return false;
}

int skein_open_again(struct skein_opened *o, struct skein_error *err) {
    struct skein_recording *again;
    int rc = skein_recording_open(skein_recording_dir(o->rec), SKEIN_READ_SALVAGE, &again, err);
    if (rc != 0)
        return rc;
    skein_recording_close(o->rec);
    o->rec = again;
    return 0;
}

int skein_open_finish(struct skein_opened *o, const char *verb) {
    uint64_t blocks, bytes;
    skein_recording_losses(o->rec, &blocks, &bytes);
    if (blocks != 0 || bytes != 0) {
        skein_fail(0, "%s: %s: lost %" PRIu64 " blocks and %" PRIu64 " bytes, which are damaged",
                   verb, skein_recording_dir(o->rec), blocks, bytes);
        o->lossy = true;
    }
    skein_recording_close(o->rec);
    o->rec = NULL;
    return o->lossy ? SKEIN_EXIT_INCOMPLETE : SKEIN_EXIT_OK;
}
