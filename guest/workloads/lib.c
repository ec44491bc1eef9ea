#include "lib.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void fail(const char *file, int line, const char *format, ...) {
    int error = errno;
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    printf("fail %s:%d: %s (errno: %s)\n", file, line, text, strerror(error));
    fflush(stdout);
    _exit(1);
}

void ok(const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    printf("ok %s\n", text);
    fflush(stdout);
}

int cpu_count(void) {
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

long arg_number(int argc, char **argv, int index, long otherwise) {
    if (index >= argc || argv[index][0] == '\0') {
        return otherwise;
    }
    char *end = NULL;
    long value = strtol(argv[index], &end, 10);
    CHECK(*end == '\0' && value >= 0, "not a number: %s", argv[index]);
    return value;
}

pid_t start_child(void (*body)(int index), int index) {
    pid_t pid = fork();
    CHECK(pid >= 0, "fork");
    if (pid == 0) {
        body(index);
        _exit(0);
    }
    return pid;
}

void wait_child(pid_t pid) {
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child ended with status %#x", status);
}

void run_children(int count, void (*body)(int index)) {
    pid_t pids[256];
    CHECK(count <= 256, "too many children");
    for (int i = 0; i < count; i++) {
        pids[i] = start_child(body, i);
    }
    for (int i = 0; i < count; i++) {
        wait_child(pids[i]);
    }
}

uint64_t next_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

void fill(void *buffer, size_t length, uint64_t seed) {
    char *out = buffer;
    uint64_t state = seed;
    for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
        uint64_t word = next_random(&state);
        memcpy(out + i, &word, sizeof(word));
    }
}

bool matches(const void *buffer, size_t length, uint64_t seed) {
    const char *in = buffer;
    uint64_t state = seed;
    for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, in + i, sizeof(word));
        if (word != next_random(&state)) {
            return false;
        }
    }
    return true;
}

void read_all(int fd, void *buffer, size_t length) {
    char *at = buffer;
    while (length > 0) {
        ssize_t n = read(fd, at, length);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        CHECK(n > 0, "read: %zd of %zu", n, length);
        at += n;
        length -= (size_t)n;
    }
}

void write_all(int fd, const void *buffer, size_t length) {
    const char *at = buffer;
    while (length > 0) {
        ssize_t n = write(fd, at, length);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        CHECK(n > 0, "write: %zd of %zu", n, length);
        at += n;
        length -= (size_t)n;
    }
}
