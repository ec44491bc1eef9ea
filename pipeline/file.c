#include "pipeline/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

int skein_file_write(int fd, const void *bytes, size_t n) {
    const char *at = bytes;

    while (n != 0) {
        const ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return done < 0 ? -errno : -EIO;
        }
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

int skein_file_read_at(int fd, void *bytes, size_t n, uint64_t offset) {
    char *at = bytes;

    while (n != 0) {
        const ssize_t done = pread(fd, at, n, (off_t)offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return done < 0 ? -errno : -ENODATA;
        }
        at += done;
        offset += (uint64_t)done;
        n -= (size_t)done;
    }
    return 0;
}

int skein_file_write_at(int fd, const void *bytes, size_t n, uint64_t offset) {
    const char *at = bytes;

    while (n != 0) {
        const ssize_t done = pwrite(fd, at, n, (off_t)offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return done < 0 ? -errno : -EIO;
        }
        at += done;
        offset += (uint64_t)done;
        n -= (size_t)done;
    }
    return 0;
}

int skein_file_sync_parent(const char *path) {
    char copy[PATH_MAX];
    int fd, rc = 0;

    snprintf(copy, sizeof(copy), "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    if (fsync(fd) != 0) {
        rc = -errno;
    }
    close(fd);
    return rc;
}
