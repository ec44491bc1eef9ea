/*
 * kill -9 of who adds checkpoints to a recording, at every test point there is, each time it comes
 * to it: what was said to be kept is there, whole; the recording can be read, recovered and gone on
 * with. The same for recovery.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/checkpoint_pack.h"
#include "pipeline/recover.h"
#include "pipeline/test_point.h"
#include "tests/pipeline/checkpoint_lab.h"
#include "tests/pipeline/fixture.h"

#define CHECKPOINTS 3u

static const char *const point_names[] = {
#include "tests/crash/checkpoint_points.inc"
    NULL,
};

/* In memory that the processes share. */
struct shared {
    uint32_t kept; /* checkpoints that the child was told were kept */
    uint32_t died; /* at the point */
};

static struct shared *shared;
static struct checkpoint_lab lab;
static const char *point = "";
static uint32_t hit; /* die at this one; 0: never */
static uint32_t kills;

static _Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void fail(const char *format, ...) {
    va_list args;

    fprintf(stderr, "FAILED at %s: ", point);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

void skein_test_point(const char *name) {
    if (hit != 0 && strcmp(name, point) == 0 && --hit == 0) {
        shared->died = 1;
        kill(getpid(), SIGKILL);
    }
}

static struct skein_checkpoint_packer *open_packer(uint64_t after) {
    struct skein_checkpoint_packer *p;
    struct skein_error err = {""};

    if (skein_checkpoint_packer_open(lab.dir, &lab.manifest, after, &p, &err) != 0) {
        fail("%s", err.text);
    }
    return p;
}

static void pack(uint64_t after) {
    struct skein_checkpoint_packer *p = open_packer(after);
    struct skein_error err = {""};

    for (uint32_t n = (uint32_t)after + 1; n <= CHECKPOINTS; n++) {
        if (skein_checkpoint_packer_add(p, lab.raw[n], &err) != 0) {
            fail("%s", err.text);
        }
        shared->kept = n;
    }
    skein_checkpoint_packer_close(p);
}

static uint64_t recover(void) {
    const struct skein_recover_opts opts = {.source = lab.dir};
    struct skein_recovered r;
    struct skein_error err = {""};

    if (skein_recover(&opts, &r, &err) != 0 || r.loss_count != 0) {
        fail("recovery: %s", err.text);
    }
    skein_recovered_free(&r);
    return r.checkpoints_kept;
}

static void pack_all(void) {
    pack(0);
}

static void only_recover(void) {
    recover();
}

/* Runs it in a process that dies at the point, the so-many-th time. False: it did not come to it.
 */
static bool die_in(void (*work)(void), const char *name, uint32_t at) {
    pid_t child;
    int status;

    *shared = (struct shared){.kept = 0};
    child = fork();
    if (child == 0) {
        point = name;
        hit = at;
        work();
        _exit(0);
    }
    point = name;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        fail("no process");
    }
    if (shared->died == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
        fail("it ended badly by itself");
    }
    kills += shared->died;
    return shared->died != 0;
}

/* So many checkpoints are good, at least. */
static void expect_good(uint64_t count) {
    struct skein_checkpoint_list list;
    struct skein_error err = {""};

    checkpoint_lab_reopen(&lab);
    if (skein_checkpoint_list_read(lab.rec, &list, &err) != 0 || list.count < count) {
        fail("%s: only %zu of %u", err.text, list.count, (unsigned)count);
    }
    for (uint64_t n = 1; n <= list.count; n++) {
        if (!list.items[n - 1].ok || checkpoint_lab_compare(&lab, n)[0] != '\0') {
            fail("checkpoint %u: %s", (unsigned)n, list.items[n - 1].error.text);
        }
    }
    skein_checkpoint_list_free(&list);
}

static void start_anew(void) {
    char path[300];

    snprintf(path, sizeof(path), "%s/checkpoints", lab.dir);
    fixture_remove(path);
}

static void expect_all(void) {
    struct skein_error err = {""};

    expect_good(CHECKPOINTS);
    if (skein_recording_check(lab.rec, &err) != 0) {
        fail("%s", err.text);
    }
}

/* Who packs dies, recovery sorts out, another one goes on. */
static bool kill_packer(const char *name, uint32_t at) {
    uint64_t kept;

    start_anew();
    if (!die_in(pack_all, name, at)) {
        return false;
    }
    expect_good(shared->kept);
    kept = recover();
    if (kept < shared->kept || kept > shared->kept + 1) {
        fail("%u were kept, recovery has %u", shared->kept, (unsigned)kept);
    }
    pack(kept);
    expect_all();
    return true;
}

/* One is damaged, one was cut off, and recovery dies over it. */
static bool kill_recovery(const char *name, uint32_t at) {
    char path[300], partial[310];

    start_anew();
    pack(0);
    checkpoint_lab_path(&lab, CHECKPOINTS, path);
    if (truncate(path, 100) != 0) {
        fail("cannot truncate");
    }
    checkpoint_lab_path(&lab, CHECKPOINTS + 1, path);
    snprintf(partial, sizeof(partial), "%s.partial", path);
    fixture_write(partial, (const uint8_t *)"SKN", 3);
    if (!die_in(only_recover, name, at)) {
        return false;
    }
    if (recover() != CHECKPOINTS - 1 || access(partial, F_OK) == 0) {
        fail("recovery is not done");
    }
    expect_good(CHECKPOINTS - 1);
    pack(CHECKPOINTS - 1);
    expect_all();
    return true;
}

int main(void) {
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    lab = checkpoint_lab_make(150, CHECKPOINTS, 80);
    for (size_t i = 0; point_names[i] != NULL; i++) {
        const bool of_recovery = strncmp(point_names[i], "checkpoint_recover.", 19) == 0;
        uint32_t at = 1;
        while (of_recovery ? kill_recovery(point_names[i], at) : kill_packer(point_names[i], at)) {
            at++;
        }
        printf("%s: %u\n", point_names[i], at - 1);
        if (at == 1) {
            fail("nobody comes to it");
        }
    }
    printf("%u processes were killed\n", kills);
    checkpoint_lab_free(&lab);
    return 0;
}
