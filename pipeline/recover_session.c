/* Recovery: the shared memory of the session that made a recording, and whether it is at rest. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "pipeline/recover_private.h"

#define SESSIONS_DIR "/dev/shm"

/* Whether the process has the file mapped; a recycled process id has not. */
static bool maps_file(int32_t pid, const struct stat *file) {
    char path[64], *line = NULL;
    unsigned int major_id, minor_id;
    unsigned long inode;
    size_t capacity = 0;
    bool found = false;
    FILE *maps;

    if (pid <= 0 || pid == (int32_t)getpid()) {
        return false;
    }
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    maps = fopen(path, "re");
    if (maps == NULL) {
        return errno == EACCES; /* somebody else's: it may be */
    }
    while (!found && getline(&line, &capacity, maps) > 0) {
        found = sscanf(line, "%*s %*s %*s %x:%x %lu", &major_id, &minor_id, &inode) == 3 &&
                inode == file->st_ino && makedev(major_id, minor_id) == file->st_dev;
    }
    free(line);
    fclose(maps);
    return found;
}

static int check_at_rest(const char *path, const struct skein_session_header *h,
                         struct skein_error *err) {
    struct stat st;

    if (stat(path, &st) != 0) {
        return skein_error_sys(err, -errno, "cannot look at %s", path);
    }
    if (maps_file(h->qemu_pid, &st)) {
        return skein_error_set(err, -EBUSY, "QEMU (process %d) still uses %s: end it first",
                               (int)h->qemu_pid, path);
    }
    if (maps_file(h->skein_pid, &st)) {
        return skein_error_set(err, -EBUSY, "skein (process %d) still uses %s: end it first",
                               (int)h->skein_pid, path);
    }
    return 0;
}

static int open_session(struct skein_recovery *r, const char *path, struct skein_error *err) {
    struct skein_session *session;
    const struct skein_session_header *h;
    int rc = skein_session_open(path, &session, err);

    if (rc != 0) {
        return rc;
    }
    h = skein_session_header(session);
    if (h->mode != SKEIN_MODE_RECORD) {
        rc = skein_error_set(err, -EINVAL, "%s is the session of a replay", path);
    } else if (r->identity.known && (memcmp(h->uuid, r->identity.uuid, 16) != 0 ||
                                     h->shard_count != r->identity.shard_count)) {
        rc = skein_error_set(err, -EINVAL, "%s is the session of another recording", path);
    } else {
        rc = check_at_rest(path, h, err);
    }
    if (rc != 0) {
        skein_session_close(session);
        return rc;
    }
    r->identity.known = true;
    r->identity.shard_count = h->shard_count;
    memcpy(r->identity.uuid, h->uuid, 16);
    r->session = session;
    snprintf(r->out->session, sizeof(r->out->session), "%s", path);
    return 0;
}

/* "skein-<uuid>-<pid>-record"; what stands beside it has more behind that. */
static bool names_session(const char *name, const char *uuid) {
    const size_t length = strlen(name);
    char start[64];

    snprintf(start, sizeof(start), "skein-%s-", uuid);
    return strncmp(name, start, strlen(start)) == 0 && length > 7 &&
           strcmp(name + length - 7, "-record") == 0;
}

int skein_recovery_find_session(struct skein_recovery *r, struct skein_error *err) {
    char uuid[37], path[PATH_MAX] = "";
    const struct dirent *entry;
    DIR *d;
    int rc;

    if (r->opts->session != NULL) {
        return open_session(r, r->opts->session, err);
    }
    if (!r->identity.known || (d = opendir(SESSIONS_DIR)) == NULL) {
        return 0;
    }
    skein_uuid_format(r->identity.uuid, uuid);
    while ((entry = readdir(d)) != NULL && path[0] == '\0') {
        if (names_session(entry->d_name, uuid)) {
            snprintf(path, sizeof(path), "%s/%s", SESSIONS_DIR, entry->d_name);
        }
    }
    closedir(d);
    if (path[0] == '\0') {
        return 0;
    }
    rc = open_session(r, path, err);
    if (rc == -EPROTO || rc == -EINVAL) {
        /* Damaged: what the files hold is recovered all the same. */
        snprintf(r->out->session, sizeof(r->out->session), "%s", path);
        return 0;
    }
    return rc;
}
