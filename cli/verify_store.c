#include "cli/verify_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "pipeline/file.h"
#include "pipeline/session_map.h"

#define FIRST_LINE "skein verify results 1\n"
#define LINE_BYTES 2048

/* What a line has between the UUID and the text. */
enum field {
    FINGERPRINT,
    FIRST,
    LAST,
    OUTCOME,
    EVENTS_DONE,
    SLICES,
    CONSOLE_BYTES,
    PREPARE_NS,
    DURATION_NS,
    TOTAL_NS,
    HAS_DIVERGENCE,
    VCPU,
    KIND,
    SLICE,
    TICK,
    ICOUNT,
    PC,
    EXPECTED,
    GOT,
    GOOD_TICK,
    GOOD_ICOUNT,
    FIELDS
};

struct line {
    char uuid[37];
    uint64_t field[FIELDS];
    char text[512];
};

struct skein_verify_store {
    int fd;
    const char *path;
    size_t count;
    struct line *lines;
};

/* "CHECKSUM UUID FIELD … TEXT\n"; the checksum is that of what follows it. */
static size_t print_line(const struct line *l, char *buf, size_t size) {
    size_t n = 17;
    n += (size_t)snprintf(buf + n, size - n, "%s", l->uuid);
    for (int i = 0; i < FIELDS; i++)
        n += (size_t)snprintf(buf + n, size - n, " %" PRIx64, l->field[i]);
    n += (size_t)snprintf(buf + n, size - n, " ");
    for (const char *at = l->text; *at != '\0'; at++)
        buf[n++] = (char)((unsigned char)*at < ' ' ? ' ' : *at);
    char sum[18];
    snprintf(sum, sizeof(sum), "%016" PRIx64 " ", (uint64_t)XXH64(buf + 17, n - 17, 0));
    memcpy(buf, sum, 17);
    buf[n++] = '\n';
    return n;
}

/* A line without its end, terminated. False: it was not written whole, or by something else. */
static bool parse_line(const char *at, size_t len, struct line *l) {
    char *end;
    if (len < 17 + 36 || len >= LINE_BYTES)
        return false;
    uint64_t sum = strtoull(at, &end, 16);
    if (end != at + 16 || *end != ' ' || sum != XXH64(at + 17, len - 17, 0))
        return false;
    memcpy(l->uuid, at + 17, 36);
    l->uuid[36] = '\0';
    at += 17 + 36;
    for (int i = 0; i < FIELDS; i++, at = end) {
        l->field[i] = strtoull(at, &end, 16);
        if (*at != ' ' || end == at)
            return false;
    }
    snprintf(l->text, sizeof(l->text), "%s", *at == ' ' ? at + 1 : at);
    return l->field[OUTCOME] <= SKEIN_OUTCOME_INTERRUPTED;
}

/* Power failures leave zero bytes in files: text is not one string. */
static int parse(struct skein_verify_store *s, char *text, size_t size, struct skein_error *err) {
    char *const text_end = text + size;
    size_t lines = 0;
    for (const char *at = text; at < text_end; at++)
        lines += *at == '\n';
    s->lines = calloc(lines + 1, sizeof(*s->lines));
    if (s->lines == NULL)
        return skein_error_set(err, -ENOMEM, "out of memory");
    for (char *at = text, *end; (end = memchr(at, '\n', (size_t)(text_end - at))) != NULL;
         at = end + 1) {
        *end = '\0';
        s->count += parse_line(at, (size_t)(end - at), &s->lines[s->count]);
    }
    return 0;
}

static int read_store(struct skein_verify_store *s, struct skein_error *err) {
    const size_t head = strlen(FIRST_LINE);
    struct stat st;
    if (fstat(s->fd, &st) != 0)
        return skein_error_sys(err, -errno, "cannot read %s", s->path);
    const size_t size = (size_t)st.st_size;
    char *text = calloc(1, size + 1);
    if (text == NULL)
        return skein_error_set(err, -ENOMEM, "out of memory");
    int ret = skein_file_read_at(s->fd, (uint8_t *)text, size, 0);
    if (ret != 0)
        skein_error_sys(err, ret, "cannot read %s", s->path);
    else if (strncmp(text, FIRST_LINE, size < head ? size : head) != 0)
        ret = skein_error_set(err, -EINVAL, "%s is there, and not a file of verify --resume",
                              s->path);
    if (ret == 0)
        ret = parse(s, text, size, err);
    /* What was not written whole becomes a line of its own, which does not count. */
    const char *add = size < head ? FIRST_LINE + size : text[size - 1] != '\n' ? "\n" : "";
    if (ret == 0 && (ret = skein_file_write(s->fd, add, strlen(add))) != 0)
        skein_error_sys(err, ret, "cannot write %s", s->path);
    free(text);
    return ret;
}

int skein_verify_store_open(const char *path, struct skein_verify_store **out,
                            struct skein_error *err) {
    struct skein_verify_store *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return skein_error_set(err, -ENOMEM, "out of memory");
    s->path = path;
    s->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int ret = 0;
    if (s->fd < 0)
        ret = skein_error_sys(err, -errno, "cannot write %s", path);
    else if (flock(s->fd, LOCK_EX | LOCK_NB) != 0)
        ret = skein_error_set(err, -EBUSY, "another skein verify uses %s", path);
    if (ret == 0)
        ret = read_store(s, err);
    if (ret != 0)
        skein_verify_store_close(s);
    else
        *out = s;
    return ret;
}

void skein_verify_store_close(struct skein_verify_store *s) {
    if (s == NULL)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->lines);
    free(s);
}

static void fill(const struct line *l, struct skein_verify_case *c) {
    const uint64_t *f = l->field;
    c->outcome = (enum skein_outcome)f[OUTCOME];
    c->events_done = f[EVENTS_DONE];
    c->slices = f[SLICES];
    c->console_bytes = f[CONSOLE_BYTES];
    c->prepare_ns = f[PREPARE_NS];
    c->duration_ns = f[DURATION_NS];
    c->total_ns = f[TOTAL_NS];
    c->has_divergence = f[HAS_DIVERGENCE] != 0;
    c->divergence = (struct skein_divergence){.vcpu = (uint32_t)f[VCPU],
                                              .kind = (uint32_t)f[KIND],
                                              .slice = f[SLICE],
                                              .tick = f[TICK],
                                              .icount = f[ICOUNT],
                                              .pc = f[PC],
                                              .expected = f[EXPECTED],
                                              .got = f[GOT],
                                              .good_tick = f[GOOD_TICK],
                                              .good_icount = f[GOOD_ICOUNT]};
    skein_error_set(&c->error, 0, "%s", l->text);
    snprintf(c->divergence.what, sizeof(c->divergence.what), "%.191s", l->text);
    c->done = c->kept = true;
}

void skein_verify_store_recall(const struct skein_verify_store *s,
                               struct skein_verify_recording *rec) {
    char uuid[37];
    skein_uuid_format(rec->manifest.uuid, uuid);
    for (size_t i = 0; i < rec->case_count; i++) {
        struct skein_verify_case *c = &rec->cases[i];
        for (size_t k = s->count; k-- > 0 && !c->done;) {
            const struct line *l = &s->lines[k];
            if (strcmp(l->uuid, uuid) == 0 && l->field[FINGERPRINT] == rec->fingerprint &&
                l->field[FIRST] == c->epoch.first && l->field[LAST] == c->epoch.last) {
                fill(l, c);
                rec->cases_done++;
            }
        }
    }
}

int skein_verify_store_add(struct skein_verify_store *s, const struct skein_verify_recording *rec,
                           const struct skein_verify_case *c, struct skein_error *err) {
    const struct skein_divergence *d = &c->divergence;
    char buf[LINE_BYTES];
    struct line l = {.field = {[FINGERPRINT] = rec->fingerprint,
                               [FIRST] = c->epoch.first,
                               [LAST] = c->epoch.last,
                               [OUTCOME] = c->outcome,
                               [EVENTS_DONE] = c->events_done,
                               [SLICES] = c->slices,
                               [CONSOLE_BYTES] = c->console_bytes,
                               [PREPARE_NS] = c->prepare_ns,
                               [DURATION_NS] = c->duration_ns,
                               [TOTAL_NS] = c->total_ns,
                               [HAS_DIVERGENCE] = c->has_divergence,
                               [VCPU] = d->vcpu,
                               [KIND] = d->kind,
                               [SLICE] = d->slice,
                               [TICK] = d->tick,
                               [ICOUNT] = d->icount,
                               [PC] = d->pc,
                               [EXPECTED] = d->expected,
                               [GOT] = d->got,
                               [GOOD_TICK] = d->good_tick,
                               [GOOD_ICOUNT] = d->good_icount}};
    if (c->outcome != SKEIN_OUTCOME_SAME && c->outcome != SKEIN_OUTCOME_DIVERGED &&
        c->outcome != SKEIN_OUTCOME_INCOMPLETE)
        return 0;
    skein_uuid_format(rec->manifest.uuid, l.uuid);
    snprintf(l.text, sizeof(l.text), "%s", c->error.text);
    int ret = skein_file_write(s->fd, buf, print_line(&l, buf, sizeof(buf)));
    if (ret == 0 && fdatasync(s->fd) != 0)
        ret = -errno;
    return ret != 0 ? skein_error_sys(err, ret, "cannot write %s", s->path) : 0;
}
