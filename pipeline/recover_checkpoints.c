/*
 * Recovery: which checkpoints are kept. Those that are good and that the events reach, up to the
 * first that is not; it is all that a replay can use. An attempt at one that was cut off is
 * removed; the others stay under another name.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/checkpoint_chain.h"
#include "pipeline/cut.h"
#include "pipeline/file.h"
#include "pipeline/recover_private.h"
#include "pipeline/test_point.h"

/* How many are good, and reached by what can be replayed. */
static int count_good(struct skein_recovery *r, uint64_t *good, struct skein_error *err) {
    struct skein_checkpoint_list list = {.count = 0};
    struct skein_recording *rec;
    struct skein_clock end;
    bool truncated;
    int rc = skein_recording_open(r->out->dir, SKEIN_READ_STRICT, &rec, err);

    *good = 0;
    if (rc != 0) {
        return rc;
    }
    rc = skein_checkpoint_list_read(rec, &list, err);
    if (rc == 0 && list.count != 0) {
        rc = skein_cut_find(rec, &end, &truncated, err);
    }
    for (uint64_t i = 0; rc == 0 && i < list.count; i++) {
        const struct skein_checkpoint_info *c = &list.items[i];
        if (!c->ok) {
            r->out->checkpoint_why = c->error;
            break;
        }
        if (!skein_checkpoint_is_within(&c->cut, &end)) {
            skein_error_set(&r->out->checkpoint_why, 0,
                            "checkpoint %" PRIu64 " stands behind the end of what can be replayed",
                            c->number);
            break;
        }
        (*good)++;
    }
    skein_checkpoint_list_free(&list);
    skein_recording_close(rec);
    return rc;
}

/* Of a copy, nothing needs to stay. */
static int set_aside(const struct skein_recovery *r, const char *path, struct skein_error *err) {
    char to[PATH_MAX + 304];

    snprintf(to, sizeof(to), "%s.damaged", path);
    if (r->opts->out != NULL ? unlink(path) != 0 : rename(path, to) != 0) {
        return skein_error_sys(err, -errno, "cannot remove %s", path);
    }
    SKEIN_TEST_POINT("checkpoint_recover.set_aside");
    return 0;
}

static int drop_one(struct skein_recovery *r, const char *dir, const char *name, uint64_t good,
                    struct skein_error *err) {
    const uint64_t number = skein_checkpoint_name_number(name);
    const char *partial = strstr(name, ".skc.partial");
    char path[PATH_MAX + 288];
    int rc = 0;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (number > good) {
        rc = set_aside(r, path, err);
    } else if (partial != NULL && strcmp(partial, ".skc.partial") == 0) {
        if (unlink(path) != 0) {
            rc = skein_error_sys(err, -errno, "cannot remove %s", path);
        }
        SKEIN_TEST_POINT("checkpoint_recover.removed");
    } else {
        return 0;
    }
    r->out->checkpoints_dropped++;
    return rc;
}

static int drop_bad(struct skein_recovery *r, const char *dir, uint64_t good,
                    struct skein_error *err) {
    struct dirent **names;
    const int count = scandir(dir, &names, NULL, alphasort);
    int rc = count < 0 ? skein_error_sys(err, -errno, "cannot read %s", dir) : 0;

    for (int i = 0; i < count; i++) {
        if (rc == 0) {
            rc = drop_one(r, dir, names[i]->d_name, good, err);
        }
        free(names[i]);
    }
    if (count >= 0) {
        free(names);
    }
    return rc;
}

/* Only those that are whole. */
static int copy_all(const struct skein_recovery *r, const char *to, struct skein_error *err) {
    char from[PATH_MAX], copy[PATH_MAX];
    uint64_t last;
    int rc = skein_checkpoint_last(r->dir, &last, err);

    if (rc == 0 && mkdir(to, 0777) != 0) {
        rc = skein_error_sys(err, -errno, "cannot make %s", to);
    }
    for (uint64_t n = 1; n <= last && rc == 0; n++) {
        if (skein_checkpoint_path(r->dir, n, from, sizeof(from)) != 0 ||
            skein_checkpoint_path(r->out->dir, n, copy, sizeof(copy)) != 0 ||
            access(from, F_OK) != 0) {
            break; /* what follows a missing one is of no use */
        }
        rc = skein_recovery_copy(from, copy, err);
    }
    return rc;
}

static int sort_out(struct skein_recovery *r, const char *dir, struct skein_error *err) {
    uint64_t good;
    int rc = count_good(r, &good, err);

    if (rc == 0) {
        r->out->checkpoints_kept = good;
        rc = drop_bad(r, dir, good, err);
        r->out->changed |= r->out->checkpoints_dropped != 0;
    }
    return rc;
}

int skein_recovery_checkpoints(struct skein_recovery *r, struct skein_error *err) {
    char from[PATH_MAX], dir[PATH_MAX + 16];
    int fd, rc = 0;

    snprintf(from, sizeof(from), "%s/" SKEIN_CHECKPOINTS_NAME, r->dir);
    snprintf(dir, sizeof(dir), "%s/" SKEIN_CHECKPOINTS_NAME, r->out->dir);
    fd = r->dir[0] != '\0' ? open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return 0;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        rc = skein_error_set(err, -EBUSY, "another process adds checkpoints to %s", r->dir);
    }
    if (rc == 0 && r->opts->out != NULL) {
        rc = copy_all(r, dir, err);
    }
    if (rc == 0) {
        rc = sort_out(r, dir, err);
    }
    close(fd);
    return rc;
}
