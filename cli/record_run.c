/* skein record: from the checks to the summary. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/checkpoint_taker.h"
#include "cli/collect.h"
#include "cli/qemu_probe.h"
#include "cli/qemu_refuse.h"
#include "cli/record_describe.h"
#include "cli/record_dir.h"
#include "cli/record_loop.h"
#include "cli/record_object.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/tsc_gauge.h"
#include "pipeline/recording.h"
#include "pipeline/snapshot_file.h"

#define COLLECT_TIMEOUT_MS 120000

struct record_run {
    const struct skein_record_opts *opts;
    const char *qemu;
    char dir[PATH_MAX]; /* absolute */
    bool made_dir;      /* it did not exist before */
    struct skein_manifest manifest;
    struct skein_stage stage;
    struct skein_collector *collector;
    struct skein_vm vm;
    struct skein_record_loop loop;
    struct skein_tsc_gauge tsc;
    char add_object[4096];

    pthread_t packer;
    bool packing;
    int packed;
    struct skein_error pack_error;
    struct skein_checkpoint_taker taker;
};

static int check_readable(const char *what, const char *path, struct skein_error *err) {
    struct stat st;
    if (access(path, R_OK) != 0 || stat(path, &st) != 0)
        return skein_error_sys(err, -errno, "cannot read the %s %s", what, path);
    if (!S_ISREG(st.st_mode))
        return skein_error_set(err, -EINVAL, "the %s %s is not a file", what, path);
    return 0;
}

/* Everything that can be known to be wrong before anything is made. */
static int check_request(struct record_run *r, struct skein_error *err) {
    const struct skein_guest *g = &r->opts->guest;
    if (r->opts->vm != SKEIN_VM_OWN)
        return 0; /* QEMU looks at itself */
    int ret = skein_qemu_refuse(r->opts->extra, err);
    if (ret == 0)
        ret = check_readable("kernel", g->kernel, err);
    if (ret == 0 && g->initrd != NULL)
        ret = check_readable("initrd", g->initrd, err);
    if (ret == 0)
        ret = skein_qemu_find(r->opts->qemu, &r->qemu, err);
    if (ret == 0)
        ret = skein_qemu_has_object(r->qemu, "skein-record", err);
    return ret;
}

/* For tools that show when events happened. */
static void fill_tsc(struct record_run *r) {
    r->manifest.tsc_start = skein_session_header(r->stage.session)->tsc_start;
    r->manifest.tsc_hz = skein_tsc_gauge_hz(&r->tsc);
}

/* The snapshot is compressed while the guest runs on; the raw one takes as much memory as it has.
 */
static void *pack(void *opaque) {
    struct record_run *r = opaque;
    r->packed = skein_snapshot_compress(r->stage.snapshot, r->dir, &r->manifest.snapshot,
                                        &r->manifest.snapshot_raw_bytes, &r->pack_error);
    fill_tsc(r);
    if (r->packed == 0) /* so that it can be replayed, as far as it goes, should we be killed */
        r->packed = skein_manifest_write(r->dir, &r->manifest, &r->pack_error);
    if (r->packed == 0)
        unlink(r->stage.snapshot);
    struct skein_error err;
    if (r->packed == 0 && r->opts->epoch_ms != 0 &&
        skein_checkpoint_taker_start(&r->taker, r->stage.session, r->stage.checkpoint, r->dir,
                                     &r->manifest, 0, &err) != 0)
        skein_fail(0, "there are no checkpoints: %s", err.text);
    return NULL;
}

static void start_packing(struct record_run *r) {
    int failed = pthread_create(&r->packer, NULL, pack, r);
    r->packing = failed == 0;
    r->packed = -failed;
}

/* Most of the recordings that are to catch a failure are thrown away: no work for them. */
static void on_running(void *opaque) {
    struct record_run *r = opaque;
    if (r->opts->until.kind == SKEIN_UNTIL_NOTHING || r->opts->epoch_ms != 0)
        start_packing(r);
}

/* A VM that runs already: QEMU is told where the session is. */
static int join_qemu(struct record_run *r, struct skein_error *err) {
    const struct skein_record_opts *o = r->opts;
    skein_vm_adopt(&r->vm, o->vm, o->vm_fd);
    int ret = o->vm == SKEIN_VM_ASKED ? skein_collect_tell_session(o->vm_fd, &r->stage, r->dir)
                                      : skein_qmp_send(&r->vm.qmp, "%s", r->add_object);
    return ret == 0 ? 0 : skein_error_sys(err, ret, "cannot reach QEMU");
}

static int start_qemu(struct record_run *r, struct skein_error *err) {
    struct skein_vm_sockets sockets;
    if (r->opts->vm != SKEIN_VM_OWN)
        return join_qemu(r, err);
    int ret = skein_vm_sockets_open(&sockets, err);
    if (ret != 0)
        return ret;
    struct skein_argv argv = {0};
    skein_qemu_args_machine(&argv, r->qemu, &r->opts->machine);
    skein_qemu_args_record(&argv, &r->opts->guest, sockets.theirs[0], sockets.theirs[1]);
    if (r->opts->start.when != SKEIN_WHEN_CONSOLE) /* else by QMP, when the text has been seen */
        skein_record_object_args(r->opts, &r->stage, &argv);
    for (char *const *extra = r->opts->extra; *extra != NULL; extra++)
        skein_argv_push(&argv, "%s", *extra);
    ret = skein_vm_start(&r->vm, &sockets, argv.v, r->stage.log_fd, err);
    skein_argv_free(&argv);
    return ret;
}

/* QEMU gets a name without commas and quotes, whatever the recording is called. */
static int link_console(struct record_run *r, struct skein_error *err) {
    char path[PATH_MAX + 64];
    snprintf(path, sizeof(path), "%s/%s", r->dir, SKEIN_CONSOLE_NAME);
    if (symlink(path, r->stage.console) != 0)
        return skein_error_sys(err, -errno, "cannot make %s", r->stage.console);
    return 0;
}

static int start_everything(struct record_run *r, struct skein_error *err) {
    struct skein_session_params params = {
        .mode = SKEIN_MODE_RECORD,
        .scope = r->opts->scope,
        .vcpu_count = r->manifest.vcpu_count,
        .huge_pages = r->opts->huge_pages,
    };
    memcpy(params.uuid, r->manifest.uuid, sizeof(params.uuid));
    skein_tsc_gauge_start(&r->tsc);
    int ret = skein_signals_open(&r->loop.signal_fd, err);
    if (ret == 0)
        ret = skein_stage_open(&r->stage, &params, r->opts->verbose, err);
    if (ret != 0)
        return ret;
    if (r->opts->huge_pages && !r->opts->quiet)
        skein_stage_explain_pages(&r->stage);
    ret = link_console(r, err);
    if (ret != 0)
        return ret;
    r->manifest.digest_interval = skein_session_header(r->stage.session)->digest_interval;
    skein_record_object_qmp(r->opts, &r->stage, r->add_object, sizeof(r->add_object));
    const struct skein_collector_opts opts = {
        .session = r->stage.session, .dir = r->dir, .durability = r->opts->durability};
    ret = skein_collector_start(&opts, &r->collector, err);
    return ret != 0 ? ret : start_qemu(r, err);
}

static void fill_console(struct record_run *r) {
    char path[PATH_MAX + 64];
    struct skein_manifest_file *file = &r->manifest.console;
    snprintf(path, sizeof(path), "%s/%s", r->dir, SKEIN_CONSOLE_NAME);
    if (access(path, R_OK) == 0 && skein_manifest_file_fill(file, path, NULL) == 0)
        snprintf(file->path, sizeof(file->path), "%s", SKEIN_CONSOLE_NAME);
}

/* One line: why the recording has no end of its own. */
static void explain_end(struct record_run *r, const struct skein_collector_status *status) {
    struct skein_manifest *m = &r->manifest;
    char how[128];
    skein_vm_describe(&r->vm, how, sizeof(how));
    if (r->loop.error.text[0] != '\0')
        snprintf(m->end_reason, sizeof(m->end_reason), "%s", r->loop.error.text);
    else if (!r->packing || r->packed != 0)
        snprintf(m->end_reason, sizeof(m->end_reason), "the snapshot was not kept: %.400s",
                 r->pack_error.text);
    else if (skein_session_state(r->stage.session) != SKEIN_STATE_ENDED)
        snprintf(m->end_reason, sizeof(m->end_reason), "QEMU died: %s", how);
    else
        snprintf(m->end_reason, sizeof(m->end_reason), "%s", status->reason);
}

static void fill_end(struct record_run *r, const struct skein_collector_status *status) {
    const struct skein_session_header *h = skein_session_header(r->stage.session);
    struct skein_manifest *m = &r->manifest;
    bool ended = skein_session_state(r->stage.session) == SKEIN_STATE_ENDED;
    m->complete = ended && status->complete && r->packing && r->packed == 0;
    m->end = ended ? h->end : 0;
    m->duration_ns = (ended ? h->end_ns : skein_now_ns()) - h->start_ns;
    m->kernel_icount = h->kernel_icount;
    m->exit_report = h->exit_reported != 0 ? h->exit_status + 1 : 0;
    fill_tsc(r);
    m->token_waits = h->token_waits;
    m->token_wait_ns = h->token_wait_ns;
    m->checkpoint_ns = h->checkpoint_ns;
    m->ring_waits = status->ring_waits;
    m->ring_wait_ns = status->ring_wait_ns;
    m->stats = status->stats;
    m->end_reason[0] = '\0';
    fill_console(r);
    if (!m->complete)
        explain_end(r, status);
    else if (m->end == SKEIN_END_IGNORED)
        snprintf(m->end_reason, sizeof(m->end_reason), "%.*s", (int)sizeof(h->message), h->message);
}

static void stop_packing(struct record_run *r) {
    if (r->packing)
        pthread_join(r->packer, NULL);
    skein_checkpoint_taker_stop(&r->taker);
}

/* QEMU has ended: collects what is left and says what there is. */
static int finish(struct record_run *r, struct skein_error *err) {
    if (skein_session_state(r->stage.session) == SKEIN_STATE_ENDED)
        skein_collector_wait(r->collector, COLLECT_TIMEOUT_MS);
    skein_collector_stop(r->collector);
    if (!r->packing)
        start_packing(r);
    stop_packing(r);
    struct skein_collector_status *status = calloc(1, sizeof(*status));
    if (status == NULL)
        return skein_error_set(err, -ENOMEM, "out of memory");
    skein_collector_poll(r->collector, status);
    fill_end(r, status);
    /* What could not be written is in the shards still. */
    r->stage.keep = status->state == SKEIN_COLLECTOR_FAILED || r->packed != 0;
    free(status);
    char log[PATH_MAX + 64];
    snprintf(log, sizeof(log), "%s/qemu.log", r->dir);
    skein_stage_keep_log(&r->stage, log);
    int ret = skein_manifest_write(r->dir, &r->manifest, err);
    r->stage.keep |= ret != 0;
    return ret;
}

static int report(const struct record_run *r) {
    const struct skein_record_opts *o = r->opts;
    const struct skein_manifest *m = &r->manifest;
    if (o->vm == SKEIN_VM_ASKED)
        skein_collect_tell_end(r->vm.qmp.fd, r->dir, m);
    if (!o->quiet)
        skein_report_text(stderr, r->opts->dir, m);
    if (r->loop.timed_out && !o->quiet)
        fprintf(stderr, "  ended by --timeout %u\n", o->timeout_s);
    if (o->json.on && o->until.kind == SKEIN_UNTIL_NOTHING &&
        !skein_report_json_to(&o->json, o->dir, m))
        return skein_fail(SKEIN_EXIT_FAILED, "cannot write %s", o->json.file);
    if (m->complete && m->end == SKEIN_END_IGNORED)
        return skein_fail(SKEIN_EXIT_INCOMPLETE, "%s ended early: %s", o->dir, m->end_reason);
    if (m->complete)
        return SKEIN_EXIT_OK;
    return skein_fail(SKEIN_EXIT_INCOMPLETE, "%s is incomplete: %s", o->dir, m->end_reason);
}

/* What there is can be recovered. */
static int no_manifest(struct record_run *r, const struct skein_error *err) {
    r->manifest.complete = false;
    snprintf(r->manifest.end_reason, sizeof(r->manifest.end_reason), "%s", err->text);
    if (r->opts->vm == SKEIN_VM_ASKED)
        skein_collect_tell_end(r->vm.qmp.fd, r->dir, &r->manifest);
    return skein_fail(SKEIN_EXIT_INCOMPLETE, "%s", err->text);
}

/* Nothing has been started yet. */
static int refuse(const struct record_run *r, const struct skein_error *err) {
    if (r->opts->vm == SKEIN_VM_ASKED)
        skein_collect_tell_error(r->opts->vm_fd, err->text);
    return skein_fail(SKEIN_EXIT_USAGE, "%s", err->text);
}

/* Nothing was recorded: why. */
static int explain_nothing(struct record_run *r) {
    const struct skein_record_opts *o = r->opts;
    char words[400];
    skein_stage_last_words(&r->stage, words, sizeof(words));
    if (r->loop.error.text[0] != '\0')
        return skein_fail(SKEIN_EXIT_USAGE, "%s", r->loop.error.text);
    if (r->loop.interrupted)
        return skein_fail(SKEIN_EXIT_INTERRUPTED, "interrupted before the recording began");
    if (r->loop.timed_out)
        return skein_fail(SKEIN_EXIT_FAILED, "the recording did not begin within %u s (--start %s)",
                          o->timeout_s, o->start.word);
    char how[128];
    skein_vm_describe(&r->vm, how, sizeof(how));
    if (words[0] != '\0')
        return skein_fail(SKEIN_EXIT_USAGE, "QEMU did not start: %s", words);
    return skein_fail(SKEIN_EXIT_FAILED, "QEMU ended before the recording began (--start %s): %s",
                      o->start.word, how);
}

/* It was to catch a failure, and ended well without it. What ended badly is kept. */
static bool is_unwanted(const struct record_run *r) {
    return r->opts->until.kind != SKEIN_UNTIL_NOTHING && !r->loop.watch.seen &&
           r->loop.error.text[0] == '\0' &&
           skein_session_state(r->stage.session) == SKEIN_STATE_ENDED &&
           skein_session_header(r->stage.session)->end != SKEIN_END_IGNORED;
}

static int run(struct record_run *r, struct skein_error *err) {
    int ret = start_everything(r, err);
    if (ret != 0) {
        skein_record_dir_remove(r->dir, r->made_dir);
        return refuse(r, err);
    }
    r->loop.opts = r->opts;
    r->loop.stage = &r->stage;
    r->loop.collector = r->collector;
    r->loop.vm = &r->vm;
    r->loop.add_object = r->add_object;
    r->loop.on_running = on_running;
    r->loop.opaque = r;
    skein_record_loop_run(&r->loop);
    if (!r->loop.began) {
        skein_collector_stop(r->collector);
        skein_record_dir_remove(r->dir, r->made_dir);
        return explain_nothing(r);
    }
    if (is_unwanted(r)) {
        skein_collector_stop(r->collector);
        stop_packing(r);
        skein_record_dir_remove(r->dir, r->made_dir);
        return SKEIN_EXIT_OK;
    }
    ret = finish(r, err);
    if (r->stage.keep)
        fprintf(stderr, "skein: what is in no file yet is kept in memory: skein recover %s\n",
                r->opts->dir);
    return ret != 0 ? no_manifest(r, err) : report(r);
}

static void fill_outcome(const struct record_run *r, struct skein_record_outcome *out) {
    out->began = r->loop.began;
    out->caught = r->loop.watch.seen;
    out->interrupted = r->loop.interrupted;
    memcpy(out->what, r->loop.watch.what, sizeof(out->what));
    out->manifest = r->manifest;
}

int skein_record_run(const struct skein_record_opts *opts, struct skein_record_outcome *out) {
    struct skein_error err = {0};
    struct record_run *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return skein_fail(SKEIN_EXIT_FAILED, "out of memory");
    r->opts = opts;
    r->stage.log_fd = -1;
    r->loop.signal_fd = -1;
    r->vm.console_fd = -1;
    r->vm.qmp.fd = -1;
    int code;
    if (check_request(r, &err) != 0 ||
        skein_record_describe(opts, r->qemu, &r->manifest, &err) != 0 ||
        skein_record_dir_make(opts->dir, &r->manifest, r->dir, &r->made_dir, &err) != 0)
        code = refuse(r, &err);
    else
        code = run(r, &err);
    skein_vm_stop(&r->vm);
    if (r->collector != NULL)
        skein_collector_free(r->collector);
    skein_stage_close(&r->stage);
    if (r->loop.signal_fd >= 0)
        close(r->loop.signal_fd);
    if (out != NULL)
        fill_outcome(r, out);
    free(r);
    return code;
}
