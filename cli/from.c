#include "cli/from.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/checkpoint.h"

static bool parse(const char *text, const char *key, uint64_t *value) {
    const size_t length = strlen(key);
    char *end;
    if (strncmp(text, key, length) != 0 || text[length] < '0' || text[length] > '9')
        return false;
    errno = 0;
    *value = strtoull(text + length, &end, 10);
    return errno == 0 && *end == '\0';
}

/* By number: the very one, and it must be good. */
static int find_number(const struct skein_checkpoint_list *list, uint64_t number,
                       const struct skein_checkpoint_info **found, struct skein_error *err) {
    uint64_t good = 0;
    if (number > list->count)
        return skein_error_set(err, -ENOENT,
                               "there is no checkpoint %" PRIu64 ": the recording has %zu", number,
                               list->count);
    *found = number != 0 ? &list->items[number - 1] : NULL;
    if (*found == NULL || (*found)->ok)
        return 0;
    while (list->items[good].ok)
        good++;
    return skein_error_set(err, -EBADMSG,
                           "checkpoint %" PRIu64 " cannot be used: %.300s; %" PRIu64
                           " is the last that can%s",
                           number, (*found)->error.text, good, good == 0 ? " (the snapshot)" : "");
}

static int find(const struct skein_checkpoint_list *list, const char *text,
                const struct skein_checkpoint_info **found, struct skein_error *err) {
    uint64_t n;
    if (parse(text, "", &n))
        return find_number(list, n, found, err);
    if (parse(text, "icount=", &n))
        *found = skein_checkpoint_list_at_icount(list, n);
    else if (parse(text, "slice=", &n))
        *found = skein_checkpoint_list_at_slice(list, n);
    else
        return skein_error_set(
            err, -EINVAL, "--from %s: it must be a checkpoint's number, icount=N or slice=N", text);
    return 0;
}

static void fill(const struct skein_recording *rec, const struct skein_checkpoint_info *c,
                 struct skein_epoch *epoch) {
    *epoch = (struct skein_epoch){.console_to = UINT64_MAX, .events = skein_recording_events(rec)};
    skein_clock_init(&epoch->after, skein_recording_shard_count(rec));
    if (c == NULL)
        return;
    epoch->from = (uint32_t)c->number;
    epoch->after = c->cut.clock;
    epoch->console_from = c->cut.console_bytes;
    for (uint32_t i = 0; i < c->cut.clock.shard_count; i++)
        epoch->events -= c->cut.clock.tick[i];
}

/* The last good one at which the vCPU had not come further. */
static const struct skein_checkpoint_info *find_vcpu(const struct skein_checkpoint_list *list,
                                                     uint32_t vcpu, uint64_t icount) {
    const struct skein_checkpoint_info *found = NULL;
    for (size_t i = 0; i < list->count && list->items[i].ok; i++) {
        const struct skein_checkpoint_cut *cut = &list->items[i].cut;
        if (vcpu < cut->vcpu_count && cut->vcpu[vcpu].icount <= icount)
            found = &list->items[i];
    }
    return found;
}

/* text: as --from has it; NULL: by a vCPU's icount. */
static int choose(const char *dir, const char *text, uint32_t vcpu, uint64_t icount,
                  struct skein_epoch *epoch, struct skein_error *err) {
    struct skein_checkpoint_list list = {0};
    const struct skein_checkpoint_info *found = NULL;
    struct skein_recording *rec;
    int rc = skein_recording_open(dir, SKEIN_READ_STRICT, &rec, err);
    if (rc != 0)
        return rc;
    rc = skein_checkpoint_list_read(rec, &list, err);
    if (rc == 0 && text != NULL)
        rc = find(&list, text, &found, err);
    else if (rc == 0)
        found = find_vcpu(&list, vcpu, icount);
    if (rc == 0)
        fill(rec, found, epoch);
    skein_checkpoint_list_free(&list);
    skein_recording_close(rec);
    return rc;
}

int skein_from_find(const char *dir, const char *text, struct skein_epoch *epoch,
                    struct skein_error *err) {
    return choose(dir, text, 0, 0, epoch, err);
}

int skein_from_find_vcpu(const char *dir, uint32_t vcpu, uint64_t icount, struct skein_epoch *epoch,
                         struct skein_error *err) {
    return choose(dir, NULL, vcpu, icount, epoch, err);
}
