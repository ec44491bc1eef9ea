#include "cli/fingerprint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define READ_BYTES (256u << 10)
#define DEPTH_MAX 8

struct fingerprint {
    XXH64_state_t *sum;
    uint8_t *buf;
};

static int add_file(struct fingerprint *f, const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    uint64_t size = 0;
    ssize_t got;
    while ((got = read(fd, f->buf, READ_BYTES)) > 0) {
        XXH64_update(f->sum, f->buf, (size_t)got);
        size += (uint64_t)got;
    }
    int ret = got < 0 ? -errno : 0;
    XXH64_update(f->sum, &size, sizeof(size));
    close(fd);
    return ret;
}

static int add_dir(struct fingerprint *f, const char *dir, int depth);

static int add_entry(struct fingerprint *f, const char *dir, const char *name, int depth) {
    char path[PATH_MAX];
    struct stat st;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    XXH64_update(f->sum, name, strlen(name) + 1);
    if (lstat(path, &st) != 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return depth > 0 ? add_dir(f, path, depth - 1) : -ELOOP;
    return S_ISREG(st.st_mode) ? add_file(f, path) : 0;
}

static int add_dir(struct fingerprint *f, const char *dir, int depth) {
    struct dirent **entries;
    int count = scandir(dir, &entries, NULL, alphasort);
    int ret = count < 0 ? -errno : 0;
    for (int i = 0; i < count; i++) {
        if (ret == 0)
            ret = add_entry(f, dir, entries[i]->d_name, depth);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return ret;
}

int skein_fingerprint_dir(const char *dir, uint64_t *fingerprint, struct skein_error *err) {
    struct fingerprint f = {.sum = XXH64_createState(), .buf = malloc(READ_BYTES)};
    int ret = -ENOMEM;
    if (f.sum != NULL && f.buf != NULL) {
        XXH64_reset(f.sum, 0);
        ret = add_dir(&f, dir, DEPTH_MAX);
        *fingerprint = XXH64_digest(f.sum);
    }
    XXH64_freeState(f.sum);
    free(f.buf);
    return ret != 0 ? skein_error_sys(err, ret, "cannot read %s", dir) : 0;
}

uint64_t skein_fingerprint_program(const char *path) {
    struct stat st = {0};
    uint64_t words[3] = {0};
    if (stat(path, &st) == 0) {
        words[0] = (uint64_t)st.st_size;
        words[1] = (uint64_t)st.st_mtim.tv_sec;
        words[2] = (uint64_t)st.st_mtim.tv_nsec;
    }
    return XXH64(words, sizeof(words), XXH64(path, strlen(path), 0));
}
