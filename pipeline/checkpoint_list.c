/* Which checkpoints a recording has, by what their headers say. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "pipeline/checkpoint_chain.h"
#include "pipeline/recording_private.h"

#define LIST_MAX 10000000u /* a number that some file happens to have */

static void fill(struct skein_checkpoint_info *info, const struct skein_checkpoint_file *f) {
    const struct skein_checkpoint_footer *footer = &f->footer;

    info->cut = f->header.cut;
    info->size_bytes = f->size_bytes;
    info->raw_bytes = footer->raw_bytes;
    info->pages = footer->pages;
    info->pages_stored = skein_checkpoint_contents(footer);
    info->pages_zero = footer->pages_zero;
    info->pages_shared = footer->pages_shared;
}

/* Reads one; *f is NULL when it cannot be read. */
static int look(const struct skein_recording *rec, const struct skein_checkpoint_file *before,
                const struct skein_checkpoint_info *last, struct skein_checkpoint_info *info,
                struct skein_checkpoint_file **f) {
    int rc = skein_checkpoint_file_open(rec->dir, &rec->manifest, info->number, f, &info->error);

    if (rc != 0) {
        *f = NULL;
        return rc == -ENOMEM ? rc : 0;
    }
    fill(info, *f);
    if (last != NULL && !last->ok) {
        skein_error_set(&info->error, 0, "it builds on checkpoint %" PRIu64 ", which is not good",
                        last->number);
    } else if (skein_checkpoint_follows(*f, before, &rec->manifest, &info->error) == 0) {
        info->ok = skein_checkpoint_is_reached(rec, &info->cut);
        if (!info->ok) {
            skein_error_set(&info->error, 0, "%s stands behind the end of the recording",
                            (*f)->path);
        }
    }
    return 0;
}

static int look_at_all(const struct skein_recording *rec, struct skein_checkpoint_list *list) {
    struct skein_checkpoint_file *before = NULL, *f;
    int rc = 0;

    for (size_t i = 0; i < list->count && rc == 0; i++) {
        struct skein_checkpoint_info *info = &list->items[i];
        info->number = i + 1;
        rc = look(rec, before, i != 0 ? info - 1 : NULL, info, &f);
        skein_checkpoint_file_close(before);
        before = f;
    }
    skein_checkpoint_file_close(before);
    return rc;
}

int skein_checkpoint_list_read(const struct skein_recording *rec, struct skein_checkpoint_list *out,
                               struct skein_error *err) {
    uint64_t last;
    int rc = skein_checkpoint_last(rec->dir, &last, err);

    *out = (struct skein_checkpoint_list){.count = 0};
    if (rc != 0 || last == 0) {
        return rc;
    }
    if (last > LIST_MAX) {
        return skein_error_set(err, -EBADMSG, "%s: a checkpoint has an impossible number",
                               rec->dir);
    }
    out->items = calloc(last, sizeof(*out->items));
    out->count = out->items != NULL ? last : 0;
    rc = out->items != NULL ? look_at_all(rec, out) : -ENOMEM;
    if (rc != 0) {
        skein_checkpoint_list_free(out);
        return skein_error_set(err, rc, "out of memory");
    }
    return 0;
}

void skein_checkpoint_list_free(struct skein_checkpoint_list *list) {
    free(list->items);
    *list = (struct skein_checkpoint_list){.count = 0};
}

const struct skein_checkpoint_info *
skein_checkpoint_list_at_icount(const struct skein_checkpoint_list *list, uint64_t icount) {
    const struct skein_checkpoint_info *found = NULL;

    for (size_t i = 0; i < list->count && list->items[i].ok; i++) {
        if (list->items[i].cut.icount <= icount) {
            found = &list->items[i];
        }
    }
    return found;
}

const struct skein_checkpoint_info *
skein_checkpoint_list_at_slice(const struct skein_checkpoint_list *list, uint64_t slice) {
    const struct skein_checkpoint_info *found = NULL;

    for (size_t i = 0; i < list->count && list->items[i].ok; i++) {
        if (list->items[i].cut.slices <= slice) {
            found = &list->items[i];
        }
    }
    return found;
}
