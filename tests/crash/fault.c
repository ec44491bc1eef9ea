#include "tests/crash/fault.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

ssize_t __real_write(int fd, const void *bytes, size_t n);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_rename(const char *from, const char *to);
int __real_link(const char *from, const char *to);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_link(const char *from, const char *to);

static enum fault_kind armed;
static uint32_t calls_left;
static bool happened, full;

void fault_arm(enum fault_kind kind, uint32_t call) {
    armed = kind;
    calls_left = call;
    happened = false;
    full = false;
}

int fault_happened(void) {
    return happened;
}

/* Counts the calls from several threads. */
static bool now(void) {
    if (calls_left != 0 && __atomic_sub_fetch(&calls_left, 1, __ATOMIC_SEQ_CST) == 0) {
        happened = true;
        return true;
    }
    return false;
}

static ssize_t fail(int code) {
    errno = code;
    return -1;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t n) {
    if (fd <= STDERR_FILENO) {
        return __real_write(fd, bytes, n);
    }
    if (full) {
        return fail(ENOSPC);
    }
    switch (armed) {
    case FAULT_WRITE_ENOSPC:
        full = now();
        return full ? fail(ENOSPC) : __real_write(fd, bytes, n);
    case FAULT_WRITE_EIO:
        return now() ? fail(EIO) : __real_write(fd, bytes, n);
    case FAULT_WRITE_HALF:
        full = now();
        return __real_write(fd, bytes, full && n > 1 ? n / 2 : n);
    case FAULT_WRITE_SHORT:
        happened = true;
        return __real_write(fd, bytes, n > 7 ? n - n / 3 : n);
    default:
        return __real_write(fd, bytes, n);
    }
}

int __wrap_fsync(int fd) {
    return armed == FAULT_SYNC_EIO && now() ? (int)fail(EIO) : __real_fsync(fd);
}

int __wrap_fdatasync(int fd) {
    return armed == FAULT_SYNC_EIO && now() ? (int)fail(EIO) : __real_fdatasync(fd);
}

int __wrap_rename(const char *from, const char *to) {
    return armed == FAULT_RENAME_EIO && now() ? (int)fail(EIO) : __real_rename(from, to);
}

int __wrap_link(const char *from, const char *to) {
    return armed == FAULT_LINK_EIO && now() ? (int)fail(EIO) : __real_link(from, to);
}
