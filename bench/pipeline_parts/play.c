#include "bench/pipeline_parts/play.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/reader.h"
#include "pipeline/recording.h"
#include "pipeline/shard.h"

#define PUBLISH_EVENTS 64 /* QEMU's recorder does so, too */

double play_now_s(void) {
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu_now_s(void) {
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int collector_gone(void *opaque) {
    return getppid() != *(const pid_t *)opaque;
}

/* Sleeps until `events` are due. */
static void keep_rate(double start_s, uint64_t events, uint64_t events_per_s) {
    const double ahead_s = start_s + (double)events / (double)events_per_s - play_now_s();

    if (ahead_s > 0.001) {
        nanosleep(&(struct timespec){.tv_nsec = (long)(ahead_s * 1e9)}, NULL);
    }
}

static int open_writers(struct skein_session *session, uint32_t count, pid_t *parent,
                        struct skein_shard_writer *writers) {
    for (uint32_t i = 0; i < count; i++) {
        size_t bytes;
        void *mem = skein_session_shard(session, i, &bytes);
        if (skein_shard_writer_open(&writers[i], mem, bytes) != 0) {
            return -EPROTO;
        }
        writers[i].on_full = collector_gone;
        writers[i].opaque = parent;
    }
    return 0;
}

/* The body of the child: writes all, as one holder of the token after the other does. */
static int write_tape(const struct play *play, struct skein_session *session, pid_t parent) {
    struct skein_shard_writer writers[SKEIN_MAX_SHARDS];
    struct tape_cursor cursor;
    const struct skein_record *rec;
    uint32_t shard, last = 0;
    uint64_t written = 0, waiting = 0;
    const double start_s = play_now_s();

    if (open_writers(session, play->tape->shard_count, &parent, writers) != 0) {
        return 1;
    }
    tape_start(&cursor, play->tape, play->rounds);
    while (tape_next(&cursor, &shard, &rec)) {
        if (shard != last || waiting == PUBLISH_EVENTS) {
            skein_shard_publish(&writers[last]);
            waiting = 0;
            last = shard;
        }
        if (skein_shard_append(&writers[shard], rec->kind, rec->flags, rec->arg, rec + 1,
                               rec->size_bytes - sizeof(*rec)) == 0) {
            return 1;
        }
        waiting++;
        written++;
        if (play->events_per_s != 0 && written % 256 == 0) {
            keep_rate(start_s, written, play->events_per_s);
        }
    }
    for (uint32_t i = 0; i < play->tape->shard_count; i++) {
        skein_shard_close(&writers[i]);
    }
    return 0;
}

/* Starts the child; it begins when `go` is written to, and ends at once when that is closed. */
static pid_t start_writer(const struct play *play, struct skein_session *session, int *go) {
    const pid_t parent = getpid();
    int ends[2];
    pid_t pid;
    char byte;

    if (pipe(ends) != 0) {
        return -1;
    }
    pid = fork();
    if (pid == 0) {
        close(ends[1]);
        if (read(ends[0], &byte, 1) != 1) {
            _exit(1);
        }
        _exit(write_tape(play, session, parent));
    }
    close(ends[0]);
    *go = ends[1];
    return pid;
}

static int make_session(const struct play *play, struct skein_session **session,
                        struct skein_error *err) {
    struct skein_session_params params = {
        .mode = SKEIN_MODE_RECORD,
        .vcpu_count = play->tape->shard_count - 1,
        .ring_bytes = play->ring_bytes,
    };
    struct skein_manifest manifest = {.vcpu_count = params.vcpu_count};
    char path[128];
    int rc = skein_uuid_make(params.uuid);

    if (rc != 0) {
        return skein_error_sys(err, rc, "cannot make a UUID");
    }
    memcpy(manifest.uuid, params.uuid, sizeof(manifest.uuid));
    manifest.stats.shard_count = play->tape->shard_count;
    rc = skein_recording_create(play->dir, &manifest, err);
    if (rc != 0) {
        return rc;
    }
    skein_session_path(&params, path, sizeof(path));
    rc = skein_session_create(path, &params, session, err);
    if (rc == 0) {
        skein_session_unlink(*session);
    }
    return rc;
}

static int judge(const struct play *play, const struct play_result *result, int exit_status,
                 struct skein_error *err) {
    const struct skein_collector_status *s = &result->status;
    const uint64_t want = tape_events(play->tape, play->rounds);

    if (s->state != SKEIN_COLLECTOR_DONE) {
        return skein_error_set(err, -EIO, "the collector failed: %s", s->error.text);
    }
    if (exit_status != 0) {
        return skein_error_set(err, -EIO, "the writer failed (status %d)", exit_status);
    }
    if (skein_stats_events(&s->stats) != want) {
        return skein_error_set(err, -EIO, "%" PRIu64 " events of %" PRIu64 " arrived%s%s",
                               skein_stats_events(&s->stats), want, s->complete ? "" : ": ",
                               s->reason);
    }
    return 0;
}

static int collect(const struct play *play, struct skein_session *session,
                   struct play_result *result, struct skein_error *err) {
    struct skein_collector_opts opts = {
        .session = session,
        .dir = play->dir,
        .durability = SKEIN_DURABILITY_NONE,
        .zstd_level = play->zstd_level,
        .block_bytes = play->block_bytes,
    };
    struct skein_collector *collector = NULL;
    int go, status = 0, rc;

    opts.qemu_pid = start_writer(play, session, &go);
    if (opts.qemu_pid < 0) {
        return skein_error_sys(err, -errno, "cannot start the writer");
    }
    rc = skein_collector_start(&opts, &collector, err);
    if (rc == 0) {
        const double wall_s = play_now_s(), cpu_s = cpu_now_s();
        rc = write(go, "g", 1) == 1 ? 0 : skein_error_sys(err, -errno, "cannot start the writer");
        while (rc == 0 &&
               skein_collector_wait(collector, play->sample != NULL ? play->period_ms : -1) != 0) {
            play->sample(session, collector, play->opaque);
        }
        result->wall_s = play_now_s() - wall_s;
        result->cpu_s = cpu_now_s() - cpu_s;
    }
    close(go);
    waitpid(opts.qemu_pid, &status, 0);
    if (rc == 0) {
        skein_collector_poll(collector, &result->status);
        rc = judge(play, result, status, err);
    }
    skein_collector_free(collector);
    return rc;
}

int play_run(const struct play *play, struct play_result *result, struct skein_error *err) {
    struct skein_session *session = NULL;
    int rc = make_session(play, &session, err);

    if (rc == 0) {
        rc = collect(play, session, result, err);
    }
    skein_session_close(session);
    return rc;
}

int play_check(const struct play *play, struct skein_error *err) {
    struct skein_recording *rec = NULL;
    struct skein_reader *reader = NULL;
    struct tape_cursor cursor;
    struct skein_event event;
    const struct skein_record *want;
    uint32_t shard;
    uint64_t n = 0;
    int rc = skein_recording_open(play->dir, SKEIN_READ_STRICT, &rec, err);

    if (rc != 0) {
        return rc;
    }
    rc = skein_reader_open(rec, &reader, err);
    tape_start(&cursor, play->tape, play->rounds);
    while (rc == 0 && tape_next(&cursor, &shard, &want)) {
        n++;
        rc = skein_reader_next(reader, &event, err);
        if (rc == 0) {
            rc = skein_error_set(err, -EBADMSG, "event %" PRIu64 " is not there", n);
        } else if (rc == 1) {
            rc = 0;
            if (event.shard != shard || memcmp(event.record, want, want->size_bytes) != 0) {
                rc = skein_error_set(err, -EBADMSG, "event %" PRIu64 " is another one", n);
            }
        }
    }
    if (rc == 0 && skein_reader_next(reader, &event, err) != 0) {
        rc = skein_error_set(err, -EBADMSG, "there are more events than were written");
    }
    skein_reader_close(reader);
    skein_recording_close(rec);
    return rc;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void play_remove(const char *dir) {
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
