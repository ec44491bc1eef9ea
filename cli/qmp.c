#include "cli/qmp.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void skein_qmp_init(struct skein_qmp *q, int fd) {
    *q = (struct skein_qmp){.fd = fd};
    skein_qmp_send(q, "{\"execute\":\"qmp_capabilities\"}");
}

void skein_qmp_close(struct skein_qmp *q) {
    if (q->fd >= 0)
        close(q->fd);
    q->fd = -1;
}

int skein_qmp_send(struct skein_qmp *q, const char *fmt, ...) {
    char text[8192];
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(text, sizeof(text) - 1, fmt, ap);
    va_end(ap);
    if (len < 0 || (size_t)len >= sizeof(text) - 1)
        return -EMSGSIZE;
    if (q->fd < 0)
        return -ENOTCONN;
    text[len++] = '\n';
    if (send(q->fd, text, (size_t)len, MSG_NOSIGNAL) != len)
        return -errno;
    q->waiting++;
    return 0;
}

/* Copies the string that begins behind its quote. False: it has no end, or not enough room. */
static bool copy_string(const char *from, char *to, size_t size) {
    size_t n = 0;
    for (; *from != '\0' && *from != '"' && n + 1 < size; from++) {
        if (*from == '\\' && from[1] != '\0')
            from++;
        to[n++] = *from;
    }
    to[n] = '\0';
    return *from == '"';
}

bool skein_qmp_member(const struct skein_qmp *q, const char *name, char *value, size_t size) {
    char key[64];
    /* Quotes within strings are behind a backslash: this is found as a name only. */
    snprintf(key, sizeof(key), "\"%s\": ", name);
    const char *at = strstr(q->answer, key);
    if (at == NULL)
        return false;
    at += strlen(key);
    if (*at == '"')
        return copy_string(at + 1, value, size);
    size_t len = strcspn(at, ",} ");
    snprintf(value, size, "%.*s", (int)len, at);
    return len > 0 && len < size && at[len] != '\0';
}

/* The text of "desc" in an error answer, as it stands between its quotes. */
static void keep_refusal(struct skein_qmp *q, const char *line) {
    static const char key[] = "\"desc\": \"";
    if (q->failed)
        return;
    q->failed = true;
    const char *desc = strstr(line, key);
    if (desc == NULL) {
        snprintf(q->message, sizeof(q->message), "%.200s", line);
        return;
    }
    copy_string(desc + sizeof(key) - 1, q->message, sizeof(q->message));
}

static void take_line(struct skein_qmp *q, const char *line) {
    bool answer = strncmp(line, "{\"return\"", 9) == 0;
    bool refusal = strncmp(line, "{\"error\"", 8) == 0;
    if ((answer || refusal) && q->waiting > 0)
        q->waiting--;
    if (answer)
        snprintf(q->answer, sizeof(q->answer), "%.*s", (int)sizeof(q->answer) - 1, line);
    if (refusal)
        keep_refusal(q, line);
}

bool skein_qmp_read(struct skein_qmp *q) {
    if (q->fd < 0)
        return false;
    for (;;) {
        if (q->len == sizeof(q->line) - 1)
            q->len = 0; /* longer than anything that answers us */
        ssize_t got = recv(q->fd, q->line + q->len, sizeof(q->line) - 1 - q->len, MSG_DONTWAIT);
        if (got < 0)
            return errno == EAGAIN || errno == EINTR;
        if (got == 0)
            return false;
        q->len += (size_t)got;
        char *end;
        while ((end = memchr(q->line, '\n', q->len)) != NULL) {
            *end = '\0';
            take_line(q, q->line);
            q->len -= (size_t)(end + 1 - q->line);
            memmove(q->line, end + 1, q->len);
        }
    }
}
