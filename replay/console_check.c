#include "replay/console_check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

int skein_console_check_open(struct skein_console_check *c, const char *recorded_path,
                             const char *replayed_path, struct skein_error *err) {
    *c = (struct skein_console_check){
        .replayed_fd = -1, .replayed_path = replayed_path, .to = UINT64_MAX};
    c->recorded_fd = open(recorded_path, O_RDONLY | O_CLOEXEC);
    if (c->recorded_fd < 0 && errno == ENOENT)
        c->recorded_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return c->recorded_fd >= 0 ? 0 : skein_error_sys(err, -errno, "cannot read %s", recorded_path);
}

void skein_console_check_close(struct skein_console_check *c) {
    if (c->recorded_fd >= 0)
        close(c->recorded_fd);
    if (c->replayed_fd >= 0)
        close(c->replayed_fd);
    c->recorded_fd = c->replayed_fd = -1;
}

struct byte_name {
    char text[16];
};

/* -1 stands for the end. */
static struct byte_name name_of(int byte) {
    struct byte_name name;
    if (byte < 0)
        snprintf(name.text, sizeof(name.text), "the end");
    else
        snprintf(name.text, sizeof(name.text), "0x%02x", (unsigned)byte);
    return name;
}

static void differ(struct skein_console_check *c, int expected, int got) {
    c->differs = true;
    skein_error_set(&c->difference, 0, "console byte %" PRIu64 ": expected %s, got %s",
                    c->from + c->bytes, name_of(expected).text, name_of(got).text);
}

/* How many of the next n bytes belong to the part that is compared. */
static size_t up_to_the_end(const struct skein_console_check *c, size_t n) {
    const uint64_t at = c->from + c->bytes, left = c->to > at ? c->to - at : 0;
    return n < left ? n : (size_t)left;
}

/* How many of the next recorded bytes there are, at most n. */
static size_t recorded_at(const struct skein_console_check *c, char *buf, size_t n) {
    ssize_t got = pread(c->recorded_fd, buf, up_to_the_end(c, n), (off_t)(c->from + c->bytes));
    return got > 0 ? (size_t)got : 0;
}

/* The recorded file ends behind so many bytes more, and may: the rest of it is lost. */
static bool is_lost(const struct skein_console_check *c, size_t more) {
    struct stat st;
    return c->may_end_early && fstat(c->recorded_fd, &st) == 0 &&
           c->from + c->bytes + more >= (uint64_t)st.st_size;
}

size_t skein_console_check_next(struct skein_console_check *c, char *buf, size_t size) {
    char recorded[4096];
    if (c->replayed_fd < 0)
        c->replayed_fd = open(c->replayed_path, O_RDONLY | O_CLOEXEC);
    if (c->replayed_fd < 0 || c->differs)
        return 0;
    if (size > sizeof(recorded))
        size = sizeof(recorded);
    ssize_t got = pread(c->replayed_fd, buf, size, (off_t)c->bytes);
    if (got <= 0)
        return 0;
    size_t known = recorded_at(c, recorded, (size_t)got);
    size_t same = 0;
    while (same < known && buf[same] == recorded[same])
        same++;
    if (same == known && is_lost(c, known))
        same = up_to_the_end(c, (size_t)got);
    c->bytes += same;
    if (same < (size_t)got)
        differ(c, same < known ? (unsigned char)recorded[same] : -1, (unsigned char)buf[same]);
    return same;
}

void skein_console_check_finish(struct skein_console_check *c) {
    char byte;
    if (!c->differs && recorded_at(c, &byte, 1) == 1)
        differ(c, (unsigned char)byte, -1);
}
