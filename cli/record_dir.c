#include "cli/record_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/recording.h"

/* A recording's folders are not deeper. */
#define DEPTH_MAX 4

static int clear_at(int dir_fd, int depth);

static int remove_entry(int dir_fd, const char *name, int depth) {
    if (unlinkat(dir_fd, name, 0) == 0)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int ret = fd < 0 ? -errno : clear_at(fd, depth + 1);
    if (ret == 0 && unlinkat(dir_fd, name, AT_REMOVEDIR) != 0)
        ret = -errno;
    return ret;
}

/* Closes the descriptor. */
static int clear_at(int dir_fd, int depth) {
    DIR *dir = depth < DEPTH_MAX ? fdopendir(dir_fd) : NULL;
    if (dir == NULL) {
        close(dir_fd);
        return depth < DEPTH_MAX ? -EIO : -ELOOP;
    }
    int ret = 0;
    for (const struct dirent *e; ret == 0 && (e = readdir(dir)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            ret = remove_entry(dir_fd, e->d_name, depth);
    closedir(dir);
    return ret;
}

int skein_record_dir_make(const char *dir, const struct skein_manifest *manifest, char *absolute,
                          bool *made, struct skein_error *err) {
    *made = access(dir, F_OK) != 0;
    int ret = skein_recording_create(dir, manifest, err);
    if (ret != 0)
        return ret;
    if (realpath(dir, absolute) == NULL)
        return skein_error_sys(err, -errno, "cannot find %s again", dir);
    return 0;
}

void skein_record_dir_remove(const char *absolute, bool made) {
    int fd = open(absolute, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int ret = fd < 0 ? -errno : clear_at(fd, 0);
    if (ret == 0 && made && rmdir(absolute) != 0)
        ret = -errno;
    if (ret != 0)
        fprintf(stderr, "skein: cannot remove %s: %s\n", absolute, strerror(-ret));
}
