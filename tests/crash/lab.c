#include "tests/crash/lab_private.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/atomics.h"
#include "pipeline/collector.h"
#include "pipeline/recording.h"
#include "pipeline/recover.h"
#include "pipeline/session_map.h"
#include "pipeline/shard.h"
#include "pipeline/shard_layout.h"
#include "pipeline/test_point.h"
#include "tests/pipeline/fixture.h"

#define RING_BYTES (64u << 10)

struct lab *lab;
static enum lab_role role = LAB_PARENT;
static const struct lab_run *now; /* for messages */

_Noreturn void lab_fail(const char *format, ...) {
    va_list args;

    fprintf(stderr, "FAILED: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    if (now != NULL) {
        const struct lab_kill *k = &now->kill;
        fprintf(stderr,
                "\n  run %llu: seed %llu, role %d at %s hit %u%s, times %u %u us; recovery %s\n",
                (unsigned long long)lab->runs, (unsigned long long)now->seed, (int)k->role,
                k->role != LAB_PARENT ? lab->points[k->point].name : "-", k->hit,
                k->both ? " (both)" : "", k->writer_after_us, k->collector_after_us,
                now->kill_recovery ? lab->points[now->recovery_point].name : "-");
    }
    exit(1);
}

void lab_open(const char *const *point_names) {
    lab = mmap(NULL, sizeof(*lab), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (lab == MAP_FAILED) {
        lab_fail("no memory to share");
    }
    /* The collector looks at the machine each time: that would take more time than all the rest. */
    setenv("HWLOC_SYNTHETIC", "node:1 pu:2", 1);
    setenv("HWLOC_PLUGINS_PATH", "/nonexistent", 1);
    for (; point_names[lab->point_count] != NULL; lab->point_count++) {
        snprintf(lab->points[lab->point_count].name, sizeof(lab->points[0].name), "%s",
                 point_names[lab->point_count]);
    }
}

static void die(struct lab_point *p) {
    p->kills[role]++;
    if (lab->kill.both) {
        kill(role == LAB_WRITER ? lab->collector : lab->writer, SIGKILL);
    }
    kill(getpid(), SIGKILL);
    for (;;) {
        pause();
    }
}

void skein_test_point(const char *name) {
    for (uint32_t i = 0; i < lab->point_count; i++) {
        struct lab_point *p = &lab->points[i];
        if (strcmp(p->name, name) == 0) {
            const uint32_t hit = __atomic_add_fetch(&p->hits[role], 1, __ATOMIC_RELAXED);
            if (lab->victim == role && lab->kill.role == role && lab->kill.point == i &&
                lab->kill.hit == hit) {
                die(p);
            }
            return;
        }
    }
    lab_fail("%s is not in the list of test points", name);
}

static void nap_us(uint64_t us) {
    const struct timespec ts = {.tv_sec = (time_t)(us / 1000000),
                                .tv_nsec = (long)(us % 1000000) * 1000};

    nanosleep(&ts, NULL);
}

static int peer_gone(void *opaque) {
    (void)opaque;
    return (int)skein_load_acquire_32(&lab->collector_gone);
}

static void publish(struct skein_shard_writer *w) {
    lab->publishing = lab->appended;
    skein_shard_publish(w);
    lab->published = lab->publishing;
}

static void open_writers(struct skein_session *s, struct skein_shard_writer *w) {
    for (uint32_t i = 0; i < skein_session_header(s)->shard_count; i++) {
        size_t bytes;
        void *mem = skein_session_shard(s, i, &bytes);
        if (skein_shard_writer_open(&w[i], mem, bytes) != 0) {
            lab_fail("the writer cannot open shard %u", i);
        }
        w[i].on_full = peer_gone;
    }
}

/* By the hot path where it takes the size. */
static uint64_t append(struct skein_shard_writer *w, const struct skein_record *rec) {
    const size_t bytes = rec->size_bytes - sizeof(*rec);
    uint64_t words[3];

    if (bytes > sizeof(words)) {
        return skein_shard_append(w, rec->kind, rec->flags, rec->arg, rec + 1, bytes);
    }
    memcpy(words, rec + 1, bytes);
    switch (bytes / 8) {
    case 0:
        return skein_shard_append_words(w, rec->kind, rec->flags, rec->arg, words, 0);
    case 1:
        return skein_shard_append_words(w, rec->kind, rec->flags, rec->arg, words, 1);
    case 2:
        return skein_shard_append_words(w, rec->kind, rec->flags, rec->arg, words, 2);
    default:
        return skein_shard_append_words(w, rec->kind, rec->flags, rec->arg, words, 3);
    }
}

/* As QEMU does it: each slice is published before the next one begins, and now and then else. */
static bool write_history(const struct lab_run *run, struct skein_shard_writer *w) {
    const struct history *h = run->history;
    struct random rng = {run->seed};

    for (size_t i = 0; i < h->count; i++) {
        const struct skein_record *rec = history_record(h, i);
        struct skein_shard_writer *here = &w[h->events[i].shard];
        if (i != 0 && h->events[i].shard != h->events[i - 1].shard) {
            publish(&w[h->events[i - 1].shard]);
        }
        /* A full ring publishes as well. */
        lab->publishing = i;
        if (append(here, rec) == 0) {
            lab->published = i;
            return false;
        }
        lab->appended = i + 1;
        if (random_below(&rng, 6) == 0) {
            publish(here);
        }
    }
    publish(&w[h->events[h->count - 1].shard]);
    return true;
}

static void writer_main(const struct lab_run *run, const char *path) {
    struct skein_shard_writer w[SKEIN_MAX_SHARDS];
    struct skein_session *s;
    struct skein_session_header *header;

    if (skein_session_open(path, &s, NULL) != 0) {
        lab_fail("the writer cannot open the session");
    }
    header = skein_session_header(s);
    skein_store_release_32((uint32_t *)&header->qemu_pid, (uint32_t)getpid());
    open_writers(s, w);
    skein_store_release_32(&header->state, SKEIN_STATE_RUNNING);
    if (write_history(run, w)) {
        for (uint32_t i = 0; i < header->shard_count; i++) {
            skein_shard_close(&w[i]);
        }
        header->end = SKEIN_END_SHUTDOWN;
        skein_store_release_32(&header->state, SKEIN_STATE_ENDED);
    }
    for (uint32_t i = 0; i < header->shard_count; i++) {
        lab->waits += w[i].mem->waits;
    }
}

static void collector_main(const struct lab_run *run, const char *path, const char *dir) {
    struct random rng = {run->seed ^ 0xc0};
    struct skein_collector_opts opts = {
        .dir = dir,
        .qemu_pid = lab->writer,
        .durability = (enum skein_durability)random_below(&rng, 3),
        .block_bytes = 1000 + random_below(&rng, LAB_BLOCK_BYTES),
        .segment_bytes = LAB_SEGMENT_BYTES,
        .zstd_level = 1,
    };
    struct skein_collector_status *status = malloc(sizeof(*status));
    struct skein_error err = {""};
    struct skein_manifest m;
    struct skein_collector *c;

    if (skein_session_open(path, &opts.session, &err) != 0) {
        lab_fail("%s", err.text);
    }
    skein_session_header(opts.session)->skein_pid = getpid();
    if (skein_manifest_read(dir, &m, &err) != 0 || skein_collector_start(&opts, &c, &err) != 0) {
        lab_fail("%s", err.text);
    }
    if (skein_collector_wait(c, 20000) != 0) {
        lab_fail("the collector does not end");
    }
    skein_collector_poll(c, status);
    if (status->state != SKEIN_COLLECTOR_DONE) {
        lab_fail("the collector has failed: %s", status->error.text);
    }
    m.stats = status->stats;
    m.complete = status->complete;
    m.end = m.complete ? SKEIN_END_SHUTDOWN : 0;
    snprintf(m.end_reason, sizeof(m.end_reason), "%s", status->reason);
    if (skein_manifest_write(dir, &m, &err) != 0) {
        lab_fail("%s", err.text);
    }
}

static pid_t start(enum lab_role as) {
    pid_t pid = fork();

    if (pid < 0) {
        lab_fail("fork: %s", strerror(errno));
    }
    if (pid == 0) {
        role = as;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    return pid;
}

/* True: it was killed. */
static bool wait_for(pid_t pid, const char *who) {
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            lab_fail("waitpid: %s", strerror(errno));
        }
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
        lab->kills++;
        return true;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        lab_fail("the %s has ended with status %x", who, status);
    }
    return false;
}

/* A recording that has begun: a manifest, something for a snapshot. */
static void make_recording(const char *dir, struct skein_manifest *m, const struct history *h) {
    char path[400];

    *m = fixture_manifest(h->shard_count);
    m->stats = (struct skein_stats){.shard_count = 0};
    if (skein_uuid_make(m->uuid) != 0 || skein_recording_create(dir, m, NULL) != 0) {
        lab_fail("cannot make %s", dir);
    }
    snprintf(path, sizeof(path), "%s/%s", dir, SKEIN_SNAPSHOT_NAME);
    fixture_write(path, (const uint8_t *)"snapshot", 8);
    if (skein_manifest_file_fill(&m->snapshot, path, NULL) != 0 ||
        skein_manifest_write(dir, m, NULL) != 0) {
        lab_fail("cannot write the manifest of %s", dir);
    }
}

/* Some way into the ring, so that it ends and begins again early. */
static void move_shard(struct skein_session *s, uint32_t shard, uint64_t at) {
    size_t bytes;
    struct skein_shard_mem *mem = skein_session_shard(s, shard, &bytes);

    mem->head = at;
    mem->tail = at;
    mem->published[0].at = at;
    mem->released[0].at = at;
}

static void make_session(const struct skein_manifest *m, struct random *rng, char *path,
                         size_t size) {
    struct skein_session_params params = {
        .mode = SKEIN_MODE_RECORD, .vcpu_count = m->vcpu_count, .ring_bytes = RING_BYTES};
    struct skein_session *s;

    memcpy(params.uuid, m->uuid, sizeof(params.uuid));
    skein_session_path(&params, path, size);
    if (skein_session_create(path, &params, &s, NULL) != 0) {
        lab_fail("cannot make the session %s", path);
    }
    for (uint32_t i = 0; i <= m->vcpu_count; i++) {
        move_shard(s, i, 8 * random_below(rng, 2 * RING_BYTES / 8));
    }
    skein_session_close(s);
}

/* Starts both, and ends when both have ended; whoever is left alone finds out by itself. */
static void record(const struct lab_run *run, const char *session, const char *dir) {
    const struct lab_kill *k = &run->kill;
    bool writer_runs = true, collector_runs = true;
    pid_t pid = start(LAB_WRITER);

    if (pid == 0) {
        while (lab->collector == 0) {
            nap_us(10);
        }
        writer_main(run, session);
        _exit(0);
    }
    lab->writer = pid;
    pid = start(LAB_COLLECTOR);
    if (pid == 0) {
        collector_main(run, session, dir);
        _exit(0);
    }
    lab->collector = pid;
    if (k->collector_after_us != 0) {
        nap_us(k->collector_after_us);
        kill(lab->collector, SIGKILL);
    }
    if (k->writer_after_us != 0) {
        nap_us(k->writer_after_us);
        kill(lab->writer, SIGKILL);
    }
    while (writer_runs || collector_runs) {
        siginfo_t info;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) != 0) {
            lab_fail("waitid: %s", strerror(errno));
        }
        if (info.si_pid == lab->collector) {
            wait_for(lab->collector, "collector");
            collector_runs = false;
            skein_store_release_32(&lab->collector_gone, 1);
        } else {
            wait_for(lab->writer, "writer");
            writer_runs = false;
        }
    }
}

/* Recovery that is killed on the way. */
static void recover_and_die(const struct lab_run *run, const char *dir) {
    pid_t pid;

    lab->kill = (struct lab_kill){
        .role = LAB_RECOVERY, .point = run->recovery_point, .hit = run->recovery_hit};
    lab->victim = LAB_RECOVERY;
    pid = start(LAB_RECOVERY);
    if (pid == 0) {
        struct skein_recovered r;
        lab_recover(dir, &r, NULL);
        _exit(0);
    }
    wait_for(pid, "recovery");
    lab->victim = LAB_PARENT;
}

void lab_run(const struct lab_run *run) {
    char dir[64] = "/dev/shm/skein-crash-XXXXXX", session[128];
    struct random rng = {run->seed};
    struct skein_manifest m;

    now = run;
    lab->runs++;
    lab->kill = run->kill;
    lab->victim = run->kill.role;
    lab->writer = lab->collector = 0;
    lab->appended = lab->publishing = lab->published = 0;
    lab->collector_gone = 0;
    for (uint32_t i = 0; i < lab->point_count; i++) {
        memset(lab->points[i].hits, 0, sizeof(lab->points[i].hits));
    }
    if (mkdtemp(dir) == NULL) {
        lab_fail("no directory in /dev/shm");
    }
    make_recording(dir, &m, run->history);
    make_session(&m, &rng, session, sizeof(session));
    record(run, session, dir);
    lab->victim = LAB_PARENT;
    if (run->kill_recovery) {
        recover_and_die(run, dir);
    }
    lab_check(run, session, dir);
    unlink(session);
    fixture_remove(dir);
    now = NULL;
}
