#include "cli/replay_run.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/checkpoint_taker.h"
#include "cli/child.h"
#include "cli/cli.h"
#include "cli/console.h"
#include "cli/gdb.h"
#include "cli/progress.h"
#include "cli/qemu_args.h"
#include "cli/qemu_probe.h"
#include "cli/signals.h"
#include "cli/stage.h"
#include "pipeline/atomics.h"
#include "pipeline/checkpoint.h"
#include "pipeline/feeder.h"
#include "pipeline/recording.h"
#include "pipeline/snapshot_file.h"
#include "replay/console_check.h"

#define TICK_MS 20
/* Twice what must be known at once to find the next stop (qemu/src/log.c), twice. */
#define GDB_RING_BYTES (1u << 20)

struct replay_run {
    const char *dir;
    const struct skein_replay_opts *opts;
    struct skein_replay_result *result;
    const char *qemu;
    struct skein_recording *recording;
    struct skein_stage stage;
    struct skein_feeder *feeder;
    struct skein_child child;
    struct skein_gdb gdb;
    bool announced;
    struct skein_console_check check;
    struct skein_progress progress;
    struct skein_console console;
    int end_fd; /* readable: end */
    bool interrupted;
    struct skein_checkpoint_taker taker;
};

int skein_outcome_exit(enum skein_outcome outcome) {
    switch (outcome) {
    case SKEIN_OUTCOME_SAME:
    case SKEIN_OUTCOME_LEFT:
        return SKEIN_EXIT_OK;
    case SKEIN_OUTCOME_INCOMPLETE:
        return SKEIN_EXIT_INCOMPLETE;
    case SKEIN_OUTCOME_UNREADABLE:
        return SKEIN_EXIT_USAGE;
    case SKEIN_OUTCOME_INTERRUPTED:
        return SKEIN_EXIT_INTERRUPTED;
    case SKEIN_OUTCOME_DIVERGED:
    case SKEIN_OUTCOME_CRASHED:
        break;
    }
    return SKEIN_EXIT_FAILED;
}

const char *skein_outcome_name(enum skein_outcome outcome) {
    static const char *const names[] = {"same",    "diverged",    "incomplete", "unreadable",
                                        "crashed", "interrupted", "left"};
    return names[outcome];
}

/* The console's checksum is the manifest's, so that a flipped bit there is not called divergence.
 */
static int check_console_file(const struct replay_run *r, const char *path,
                              struct skein_error *err) {
    const struct skein_manifest *m = &r->result->manifest;
    struct skein_manifest_file now = {0};
    if (!m->complete)
        return 0;
    if (access(path, F_OK) == 0 && skein_manifest_file_fill(&now, path, err) != 0)
        return -EIO;
    if (now.size_bytes != m->console.size_bytes || now.xxh64 != m->console.xxh64)
        return skein_error_set(err, -EBADMSG, "%s is damaged: its checksum is wrong", path);
    return 0;
}

static int open_recording(struct replay_run *r, struct skein_error *err) {
    char console[PATH_MAX];
    int ret = skein_recording_open(r->dir, SKEIN_READ_STRICT, &r->recording, err);
    if (ret != 0)
        return ret;
    r->result->manifest = *skein_recording_manifest(r->recording);
    r->result->has_manifest = true;
    r->result->events_total =
        r->opts->epoch != NULL ? r->opts->epoch->events : skein_recording_events(r->recording);
    if (r->result->manifest.snapshot.size_bytes == 0)
        return skein_error_set(err, -ENODATA, "%s has no snapshot: nothing of it can be replayed",
                               r->dir);
    snprintf(console, sizeof(console), "%s/%s", r->dir, SKEIN_CONSOLE_NAME);
    ret = check_console_file(r, console, err);
    r->qemu = r->opts->qemu;
    if (ret == 0 && !r->opts->qemu_checked)
        ret = skein_qemu_find_replayer(r->opts->qemu, &r->qemu, err);
    return ret;
}

/* The state in which the replay begins, and the one in which it is to end. */
static int expand(struct replay_run *r, struct skein_error *err) {
    const struct skein_epoch *e = r->opts->epoch;
    int ret = e != NULL && e->from != 0
                  ? skein_checkpoint_expand(r->recording, e->from, r->stage.snapshot, err)
                  : skein_snapshot_expand(r->dir, &r->result->manifest, r->stage.snapshot, err);
    if (ret == 0 && e != NULL && e->until != 0)
        ret = skein_checkpoint_expand_state(r->recording, e->until, r->stage.until, err);
    return ret;
}

static int open_stage(struct replay_run *r, struct skein_error *err) {
    const struct skein_manifest *m = &r->result->manifest;
    struct skein_session_params params = {
        .mode = SKEIN_MODE_REPLAY,
        .scope = m->scope == SKEIN_SCOPE_SYSTEM ? SKEIN_SCOPE_SYSTEM : SKEIN_SCOPE_KERNEL,
        .vcpu_count = m->vcpu_count,
        .digest_interval = m->digest_interval,
        .instance = r->opts->instance,
        /* Whoever goes back pays for what was read ahead. */
        .ring_bytes = r->opts->gdb ? GDB_RING_BYTES : 0,
    };
    memcpy(params.uuid, m->uuid, sizeof(params.uuid));
    return skein_stage_open(&r->stage, &params, r->opts->verbose, err);
}

static int prepare_gdb(struct replay_run *r, struct skein_error *err) {
    int ret = skein_gdb_listen(&r->gdb, r->opts->gdb_port, err);
    return ret != 0 ? ret
                    : skein_gdb_write_script(&r->gdb, r->stage.snapshot, r->opts->vmlinux, err);
}

static int prepare(struct replay_run *r, struct skein_error *err) {
    const struct skein_epoch *e = r->opts->epoch;
    char console[PATH_MAX];
    int ret = open_stage(r, err);
    if (ret == 0)
        ret = expand(r, err);
    snprintf(console, sizeof(console), "%s/%s", r->dir, SKEIN_CONSOLE_NAME);
    if (ret == 0)
        ret = skein_console_check_open(&r->check, console, r->stage.console, err);
    r->check.may_end_early = !r->result->manifest.complete;
    if (e != NULL) {
        r->check.from = e->console_from;
        r->check.to = e->console_to;
    }
    if (ret == 0 && r->opts->gdb)
        ret = prepare_gdb(r, err);
    const struct skein_feeder_opts opts = {.recording = r->recording,
                                           .session = r->stage.session,
                                           .after = e != NULL ? &e->after : NULL};
    if (ret == 0)
        ret = skein_feeder_start(&opts, &r->feeder, err);
    if (ret == 0 && r->opts->epoch_ms != 0)
        ret = skein_checkpoint_taker_start(&r->taker, r->stage.session, r->stage.checkpoint, r->dir,
                                           &r->result->manifest, e != NULL ? e->from : 0, err);
    return ret;
}

static int start_qemu(struct replay_run *r, struct skein_error *err) {
    const struct skein_manifest *m = &r->result->manifest;
    const struct skein_machine machine = {.machine = m->machine,
                                          .cpu = m->cpu_model,
                                          .memory_bytes = m->memory_bytes,
                                          .vcpus = m->vcpu_count};
    const bool until = r->opts->epoch != NULL && r->opts->epoch->until != 0;
    struct skein_argv argv = {0};
    skein_qemu_args_machine(&argv, r->qemu, &machine);
    skein_qemu_args_replay(&argv);
    skein_argv_push(&argv, "-object");
    skein_argv_push(&argv,
                    "skein-replay,id=" SKEIN_OBJECT_ID
                    ",session=%s,snapshot=%s,console=%s,checkpoints=%s,epoch-ms=%" PRIu32 "%s%s%s",
                    skein_session_name(r->stage.session), r->stage.snapshot, r->stage.console,
                    r->stage.checkpoint, r->opts->epoch_ms, until ? ",until=" : "",
                    until ? r->stage.until : "",
                    r->opts->qemu_options != NULL ? r->opts->qemu_options : "");
    if (r->opts->gdb)
        skein_gdb_args(&r->gdb, &argv);
    const struct skein_child_opts opts = {.argv = argv.v,
                                          .keep_fds = &r->gdb.fd,
                                          .keep_count = r->opts->gdb,
                                          .output_fd = r->stage.log_fd};
    int ret = skein_child_start(&r->child, &opts, err);
    skein_argv_free(&argv);
    return ret;
}

static void show_console(struct replay_run *r) {
    char bytes[4096];
    size_t len;
    while ((len = skein_console_check_next(&r->check, bytes, sizeof(bytes))) > 0)
        skein_console_show(&r->console, bytes, len);
}

static void draw_progress(struct replay_run *r) {
    const struct skein_session_header *h = skein_session_header(r->stage.session);
    const struct skein_progress_state s = {
        .events = h->events_done, .events_all = r->result->events_total, .slices = h->slices};
    if (skein_session_state(r->stage.session) != SKEIN_STATE_RUNNING)
        return;
    if (r->opts->gdb && !r->announced) {
        skein_gdb_announce(&r->gdb);
        r->announced = true;
    }
    if (r->opts->gdb)
        return;
    if (r->opts->events_done == NULL) {
        skein_progress_draw(&r->progress, &s);
        return;
    }
    skein_store_relaxed_64(r->opts->events_done, s.events);
    /* QEMU has loaded it, and others that run at the same time want the memory. */
    unlink(r->stage.snapshot);
}

/*
 * True when there is a reason not to go on. Another console is none: QEMU finds the difference that
 * led to it at the next digest, and says where.
 */
static bool must_stop(struct replay_run *r) {
    struct skein_feeder_status status;
    skein_feeder_poll(r->feeder, &status);
    struct pollfd end = {.fd = r->end_fd, .events = POLLIN};
    r->interrupted = r->interrupted || poll(&end, 1, 0) > 0;
    return r->interrupted || status.state == SKEIN_FEEDER_FAILED;
}

static void watch(struct replay_run *r) {
    skein_progress_init(&r->progress, !r->opts->show);
    skein_console_open(&r->console, &r->progress, !r->opts->show, false);
    const int child_fd = skein_child_end_fd(&r->child);
    while (!skein_child_poll(&r->child)) {
        struct pollfd p[] = {{.fd = r->end_fd, .events = POLLIN},
                             {.fd = child_fd, .events = POLLIN}};
        poll(p, 2, TICK_MS);
        show_console(r);
        draw_progress(r);
        if (must_stop(r))
            skein_child_stop(&r->child);
    }
    if (child_fd >= 0)
        close(child_fd);
    show_console(r);
    skein_progress_clear(&r->progress);
    skein_console_close(&r->console);
}

static void set_outcome(struct replay_run *r, enum skein_outcome outcome, const char *text) {
    r->result->outcome = outcome;
    skein_error_set(&r->result->error, 0, "%s", text);
}

/* QEMU ended without a verdict. */
static void judge_silence(struct replay_run *r) {
    const struct skein_session_header *h = skein_session_header(r->stage.session);
    char words[320];
    char how[128];
    if (r->announced && r->child.exited && r->child.status == 0) {
        set_outcome(r, SKEIN_OUTCOME_LEFT, "left by gdb");
        return;
    }
    skein_stage_last_words(&r->stage, words, sizeof(words));
    skein_child_describe(&r->child, how, sizeof(how));
    enum skein_session_state state = skein_session_state(r->stage.session);
    if (state == SKEIN_STATE_FAILED) {
        set_outcome(r, SKEIN_OUTCOME_UNREADABLE, h->message);
        return;
    }
    r->result->outcome = state == SKEIN_STATE_NEW && !skein_child_killed(&r->child)
                             ? SKEIN_OUTCOME_UNREADABLE
                             : SKEIN_OUTCOME_CRASHED;
    skein_error_set(&r->result->error, 0, "QEMU ended without a verdict (%s)%s%s", how,
                    words[0] != '\0' ? ": " : "", words);
}

static void judge_verdict(struct replay_run *r) {
    const struct skein_session_header *h = skein_session_header(r->stage.session);
    const struct skein_epoch *e = r->opts->epoch;
    bool whole = skein_recording_complete(r->recording) || (e != NULL && e->until != 0);
    if (h->verdict == SKEIN_VERDICT_DIVERGED) {
        r->result->has_divergence = true;
        r->result->divergence = h->divergence;
        set_outcome(r, SKEIN_OUTCOME_DIVERGED, h->divergence.what);
    } else if (h->verdict == SKEIN_VERDICT_INCOMPLETE ||
               (h->verdict == SKEIN_VERDICT_SAME && !whole)) {
        set_outcome(r, SKEIN_OUTCOME_INCOMPLETE, r->result->manifest.end_reason);
    } else if (h->verdict == SKEIN_VERDICT_SAME) {
        skein_console_check_finish(&r->check);
        r->result->outcome = SKEIN_OUTCOME_SAME;
    } else {
        judge_silence(r);
    }
}

/* What stopped us outranks what QEMU said about it. */
static void judge(struct replay_run *r) {
    struct skein_feeder_status status;
    const struct skein_session_header *h = skein_session_header(r->stage.session);
    skein_feeder_poll(r->feeder, &status);
    r->result->events_done = h->events_done;
    r->result->slices = h->slices;
    r->result->console_bytes = r->check.bytes;
    r->result->duration_ns = h->end_ns > h->start_ns ? h->end_ns - h->start_ns : 0;
    judge_verdict(r);
    if (r->result->outcome != SKEIN_OUTCOME_DIVERGED && r->check.differs)
        set_outcome(r, SKEIN_OUTCOME_DIVERGED, r->check.difference.text);
    if (status.state == SKEIN_FEEDER_FAILED)
        set_outcome(r, SKEIN_OUTCOME_UNREADABLE, status.error.text);
    if (r->interrupted)
        set_outcome(r, SKEIN_OUTCOME_INTERRUPTED, "interrupted");
}

static void tidy_up(struct replay_run *r) {
    skein_child_stop(&r->child);
    skein_checkpoint_taker_stop(&r->taker);
    skein_gdb_close(&r->gdb);
    if (r->feeder != NULL)
        skein_feeder_free(r->feeder);
    skein_console_check_close(&r->check);
    skein_stage_close(&r->stage);
    if (r->recording != NULL)
        skein_recording_close(r->recording);
    if (r->opts->end_fd == 0 && r->end_fd >= 0)
        close(r->end_fd);
}

void skein_replay_run(const char *dir, const struct skein_replay_opts *opts,
                      struct skein_replay_result *result) {
    memset(result, 0, sizeof(*result));
    struct replay_run r = {.dir = dir,
                           .opts = opts,
                           .result = result,
                           .end_fd = opts->end_fd != 0 ? opts->end_fd : -1,
                           .stage = {.log_fd = -1},
                           .gdb = {.fd = -1},
                           .check = {.recorded_fd = -1, .replayed_fd = -1}};
    struct skein_error err = {0};
    uint64_t begun_ns = skein_now_ns();
    int ret = opts->end_fd != 0 ? 0 : skein_signals_open_end(&r.end_fd, &err);
    if (ret == 0)
        ret = open_recording(&r, &err);
    if (ret == 0)
        ret = prepare(&r, &err);
    result->prepare_ns = skein_now_ns() - begun_ns;
    if (ret == 0)
        ret = start_qemu(&r, &err);
    if (ret == 0) {
        watch(&r);
        judge(&r);
    } else {
        set_outcome(&r, SKEIN_OUTCOME_UNREADABLE, err.text);
    }
    tidy_up(&r);
    result->total_ns = skein_now_ns() - begun_ns;
}
