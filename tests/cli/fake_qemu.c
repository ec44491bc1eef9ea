#include "tests/cli/fake_qemu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool fake_mode(const struct fake_qemu *q, const char *mode) {
    return strcmp(q->mode, mode) == 0;
}

void fake_option(const char *list, const char *key, char *value, size_t size) {
    size_t len = strlen(key);
    value[0] = '\0';
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, key, len) == 0 && at[len] == '=') {
            snprintf(value, size, "%.*s", (int)strcspn(at + len + 1, ","), at + len + 1);
            return;
        }
    }
}

/* The same out of QMP's JSON. */
static void json_option(const char *text, const char *key, char *value, size_t size) {
    char quoted[64];
    snprintf(quoted, sizeof(quoted), "\"%s\":\"", key);
    const char *at = strstr(text, quoted);
    value[0] = '\0';
    if (at != NULL) {
        at += strlen(quoted);
        snprintf(value, size, "%.*s", (int)strcspn(at, "\""), at);
    }
}

static void json_number(const char *text, const char *key, char *value, size_t size) {
    char quoted[64];
    snprintf(quoted, sizeof(quoted), "\"%s\":", key);
    const char *at = strstr(text, quoted);
    at = at == NULL ? "" : at + strlen(quoted);
    snprintf(value, size, "%.*s", (int)strspn(at, "0123456789"), at);
}

static void answer(const struct fake_qemu *q, const char *text) {
    if (send(q->qmp_fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        exit(1);
}

static void describe(const struct fake_qemu *q) {
    char text[512];
    if (fake_mode(q, "stock")) {
        answer(q,
               "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command query-skein "
               "has not been found\"}}\r\n");
        return;
    }
    snprintf(text, sizeof(text),
             "{\"return\": {\"cpu\": \"fake,-svm\", \"recording\": %s, %s\"vcpus\": %s, "
             "\"memory\": 268435456, \"version\": \"10.0.99\", \"machine\": \"pc-fake\"}}\r\n",
             fake_mode(q, "busy") ? "true" : "false",
             fake_mode(q, "unsuitable") ? "\"unsuitable\": \"it needs \\\"smm=off\\\"\", " : "",
             fake_mode(q, "strange") ? "65" : "2");
    answer(q, text);
}

static bool qmp_command(struct fake_qemu *q, const char *line, bool *added) {
    if (strstr(line, "object-add") != NULL && fake_mode(q, "refuse")) {
        answer(
            q,
            "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no \\\"such\\\" thing\"}}\r\n");
        return false;
    }
    if (strstr(line, "object-add") != NULL) {
        json_option(line, "session", q->object.session, sizeof(q->object.session));
        json_option(line, "snapshot", q->object.snapshot, sizeof(q->object.snapshot));
        json_option(line, "console", q->object.console, sizeof(q->object.console));
        json_option(line, "checkpoints", q->object.checkpoints, sizeof(q->object.checkpoints));
        json_number(line, "epoch-ms", q->object.epoch_ms, sizeof(q->object.epoch_ms));
        json_number(line, "chaos", q->object.chaos, sizeof(q->object.chaos));
        q->has_recorder = true;
        *added = true;
    }
    if (strstr(line, "query-skein") != NULL)
        describe(q);
    else
        answer(q, "{\"return\": {}}\r\n");
    return strstr(line, "object-del") != NULL || strstr(line, "\"quit\"") != NULL;
}

bool fake_qmp(struct fake_qemu *q, bool *added) {
    char text[8192];
    bool end = false;
    ssize_t got = recv(q->qmp_fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    if (got == 0)
        return true;
    text[got > 0 ? got : 0] = '\0';
    for (char *line = text, *next; (next = strchr(line, '\n')) != NULL; line = next + 1) {
        *next = '\0';
        end = qmp_command(q, line, added) || end;
    }
    return end;
}

static void take_object(struct fake_qemu *q, const char *value) {
    q->has_recorder = strncmp(value, "skein-record,", 13) == 0;
    q->has_replayer = strncmp(value, "skein-replay,", 13) == 0;
    fake_option(value, "session", q->object.session, sizeof(q->object.session));
    fake_option(value, "snapshot", q->object.snapshot, sizeof(q->object.snapshot));
    fake_option(value, "console", q->object.console, sizeof(q->object.console));
    fake_option(value, "start", q->object.start, sizeof(q->object.start));
    fake_option(value, "chaos", q->object.chaos, sizeof(q->object.chaos));
    fake_option(value, "checkpoints", q->object.checkpoints, sizeof(q->object.checkpoints));
    fake_option(value, "epoch-ms", q->object.epoch_ms, sizeof(q->object.epoch_ms));
    fake_option(value, "until", q->object.until, sizeof(q->object.until));
}

/* A QMP socket that others connect to: the first who comes. */
static int wait_for_visitor(const char *value) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof(at.sun_path), "%.*s", (int)strcspn(value, ","), value);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(listener, 1) != 0)
        exit(1);
    int fd = accept(listener, NULL, NULL);
    close(listener);
    return fd;
}

static void take_arguments(struct fake_qemu *q, char **argv) {
    for (; *argv != NULL; argv++) {
        char fd[16];
        const char *value = argv[1];
        if (strcmp(*argv, "-object") == 0 && value != NULL)
            take_object(q, value);
        if (strcmp(*argv, "-qmp") == 0 && value != NULL)
            q->qmp_fd = wait_for_visitor(value + strlen("unix:"));
        if (strcmp(*argv, "-chardev") != 0 || value == NULL)
            continue;
        fake_option(value, "fd", fd, sizeof(fd));
        if (strstr(value, "id=skein-console") != NULL)
            q->console_fd = atoi(fd);
        if (strstr(value, "id=skein-qmp") != NULL)
            q->qmp_fd = atoi(fd);
    }
}

int main(int argc, char **argv) {
    struct fake_qemu q = {.console_fd = -1, .qmp_fd = -1};
    q.mode = getenv("FAKE_QEMU") != NULL ? getenv("FAKE_QEMU") : "";
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("QEMU emulator version 10.0.99 (fake)\nCopyright (c) nobody");
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "-object") == 0 && strcmp(argv[2], "help") == 0) {
        puts("List of user creatable objects:\n  rng-builtin");
        puts(fake_mode(&q, "norecorder") ? "  skein-recorder-not"
                                         : "  skein-record\n  skein-replay");
        return 0;
    }
    take_arguments(&q, argv + 1);
    if (fake_mode(&q, "nostart")) {
        fputs("qemu-system-x86_64: -device nonsense: 'nonsense' is not a device\n", stderr);
        return 1;
    }
    if (q.qmp_fd >= 0)
        answer(&q, "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n");
    const bool epochs = strncmp(q.mode, "epochs,", 7) == 0;
    int exit_code = !q.has_replayer ? fake_record(&q) : epochs ? fake_epoch(&q) : fake_replay(&q);
    if (q.session != NULL)
        skein_session_close(q.session);
    return exit_code;
}
