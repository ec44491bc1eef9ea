#include "cli/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/checkpoint_taker.h"
#include "pipeline/huge_pages.h"

#define SHM_DIR "/dev/shm"

int skein_stage_open(struct skein_stage *s, const struct skein_session_params *params, bool verbose,
                     struct skein_error *err) {
    char path[128];
    *s = (struct skein_stage){.log_fd = -1};
    skein_session_path(params, path, sizeof(path));
    int ret = skein_session_create(path, params, &s->session, err);
    if (ret != 0)
        return ret;
    snprintf(s->snapshot, sizeof(s->snapshot), "%s.snapshot", path);
    snprintf(s->console, sizeof(s->console), "%s.console", path);
    snprintf(s->until, sizeof(s->until), "%s.until", path);
    snprintf(s->checkpoint, sizeof(s->checkpoint), "%s.checkpoint", path);
    if (!verbose)
        s->log_fd = memfd_create("skein-qemu-log", MFD_CLOEXEC);
    if (!verbose && (s->log_fd < 0 || fcntl(s->log_fd, F_SETFL, O_APPEND) != 0)) {
        ret = skein_error_sys(err, -errno, "cannot keep QEMU's messages");
        skein_stage_close(s);
    }
    return ret;
}

void skein_stage_explain_pages(const struct skein_stage *s) {
    if (skein_session_huge_bytes(s->session) == 0)
        fprintf(stderr, "skein: the shards are in small pages: %s\n",
                skein_huge_pages_offered("/dev/shm")
                    ? "the system has no huge ones free"
                    : "mount -o remount,huge=advise /dev/shm offers huge ones");
}

/*
 * Nobody lives who made the session that the file belongs to. The process id alone would not tell:
 * it may be another container's.
 */
static bool is_abandoned(int dir, const char *name) {
    char session[NAME_MAX + 1];
    snprintf(session, sizeof(session), "%.*s", (int)strcspn(name, "."), name);
    int fd = openat(dir, session, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT;
    bool free_to_go = flock(fd, LOCK_EX | LOCK_NB) == 0;
    close(fd);
    return free_to_go;
}

/* The process that made a file of a replay; 0: it is none. */
static pid_t replay_of(const char *name) {
    int pid = 0, end = 0;
    if (sscanf(name, "skein-%*36[0-9a-f-]-%d-replay%n", &pid, &end) != 1 || end == 0)
        return 0;
    return pid;
}

void skein_stage_sweep(void) {
    DIR *dir = opendir(SHM_DIR);
    if (dir == NULL)
        return;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        pid_t pid = replay_of(e->d_name);
        if (pid > 0 && kill(pid, 0) != 0 && errno == ESRCH && is_abandoned(dirfd(dir), e->d_name))
            unlinkat(dirfd(dir), e->d_name, 0);
    }
    closedir(dir);
}

void skein_stage_close(struct skein_stage *s) {
    if (s->session == NULL)
        return;
    if (!s->keep) {
        unlink(s->snapshot);
        unlink(s->console);
        unlink(s->until);
        skein_checkpoint_discard(skein_session_header(s->session), s->checkpoint);
        skein_session_unlink(s->session);
    }
    skein_session_close(s->session);
    s->session = NULL;
    if (s->log_fd >= 0)
        close(s->log_fd);
    s->log_fd = -1;
}

void skein_stage_last_words(struct skein_stage *s, char *text, size_t size) {
    char tail[2048];
    text[0] = '\0';
    off_t end = s->log_fd >= 0 ? lseek(s->log_fd, 0, SEEK_END) : 0;
    off_t from = end > (off_t)sizeof(tail) - 1 ? end - (off_t)sizeof(tail) + 1 : 0;
    ssize_t got = end > 0 ? pread(s->log_fd, tail, sizeof(tail) - 1, from) : 0;
    if (got <= 0)
        return;
    tail[got] = '\0';
    size_t len = strlen(tail);
    while (len > 0 && strchr("\r\n ", tail[len - 1]) != NULL)
        tail[--len] = '\0';
    const char *line = strrchr(tail, '\n');
    line = line == NULL ? tail : line + 1;
    const char *colon = strstr(line, ": ");
    const char *space = strchr(line, ' ');
    bool named = colon != NULL && space == colon + 1 && strstr(line, "qemu") != NULL;
    snprintf(text, size, "%s", named ? colon + 2 : line);
}

void skein_stage_keep_log(struct skein_stage *s, const char *path) {
    if (s->log_fd < 0 || lseek(s->log_fd, 0, SEEK_END) <= 0)
        return;
    FILE *out = fopen(path, "we");
    if (out == NULL)
        return;
    char buf[4096];
    off_t at = 0;
    for (ssize_t got; (got = pread(s->log_fd, buf, sizeof(buf), at)) > 0; at += got)
        fwrite(buf, 1, (size_t)got, out);
    fclose(out);
}
