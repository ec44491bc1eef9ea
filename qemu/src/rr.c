/*
 * rr_record: the collector is a process that QEMU starts, with a socket as its standard input. It
 * says there, a JSON object per line, where the session is (or an error), that it wants to end, and
 * when all is over what was recorded. Closing the socket before the recording has begun makes it go
 * away; later it stays until the recording is on disk, whatever becomes of QEMU.
 */
#include "accel/tcg/skein/state.h"
#include "accel/tcg/skein/rr.h"

#include "hw/boards.h"
#include "qapi/error.h"
#include "qapi/qapi-events-skein-target.h"
#include "qapi/qapi-visit-skein-target.h"
#include "qapi/qobject-input-visitor.h"
#include "qemu-version.h"
#include "qemu/cutils.h"
#include "qemu/timer.h"
#include "qobject/qdict.h"
#include "qobject/qjson.h"

#define OBJECT_ID "skein-rr"
#define ANSWER_MS 30000
#define LINE_MAX_BYTES 16384u

static struct {
    int fd; /* -1: no recording of ours */
    GString *input;
    char *path; /* once it has begun */
    QEMUTimer *patience;
    SkeinRrBegun *begun;
    SkeinRrEnded *ended;
    void *opaque; /* of whichever is set */
    bool ending;
} rr = {.fd = -1};

static void close_link(void)
{
    qemu_set_fd_handler(rr.fd, NULL, NULL, NULL);
    close(rr.fd);
    rr.fd = -1;
    rr.ending = false;
    g_string_free(rr.input, true);
    rr.input = NULL;
    g_clear_pointer(&rr.path, g_free);
    g_clear_pointer(&rr.patience, timer_free);
}

static void answer_begun(const char *path, Error *err)
{
    SkeinRrBegun *begun = rr.begun;

    rr.begun = NULL;
    if (begun) {
        begun(rr.opaque, path, err);
    }
}

static void fail_to_begin(Error *err)
{
    close_link();
    answer_begun(NULL, err);
}

static void lost_patience(void *opaque)
{
    Error *err = NULL;

    error_setg(&err, "skein does not answer");
    fail_to_begin(err);
}

static void over(const SkeinRecording *recording)
{
    SkeinRrEnded *ended = rr.ended;

    rr.ended = NULL;
    qapi_event_send_skein_recording_ended((SkeinRecording *)recording);
    if (ended) {
        ended(rr.opaque, recording);
    }
}

static bool begin_session(const char *session, const char *snapshot, const char *console,
                          Error **errp)
{
    return object_new_with_props(TYPE_SKEIN_RECORD, object_get_objects_root(), OBJECT_ID, errp,
                                 "session", session, "snapshot", snapshot, "console", console,
                                 NULL);
}

/* Does nothing when it is gone already. */
static void end_session(void *opaque)
{
    Object *obj = object_resolve_path_component(object_get_objects_root(), OBJECT_ID);

    if (obj) {
        object_unparent(obj);
    }
}

/* The collector has gone without a word: what it has written can be recovered. */
static void collector_died(void)
{
    g_autofree char *path = g_strdup(rr.path);
    g_autofree char *reason =
        g_strdup_printf("the collector died; skein recover %s keeps what can be replayed", path);
    SkeinRecording recording = {.path = path, .reason = reason};

    end_session(NULL);
    close_link();
    over(&recording);
}

static void take_session(const QDict *d)
{
    const char *error = qdict_get_try_str(d, "error");
    const char *session = qdict_get_try_str(d, "session");
    const char *snapshot = qdict_get_try_str(d, "snapshot");
    const char *console = qdict_get_try_str(d, "console");
    const char *path = qdict_get_try_str(d, "path");
    Error *err = NULL;

    timer_del(rr.patience);
    if (error || !session || !snapshot || !console || !path) {
        error_setg(&err, "%s", error ? error : "skein says what this QEMU does not understand");
    } else if (begin_session(session, snapshot, console, &err)) {
        rr.path = g_strdup(path);
        answer_begun(path, NULL);
        return;
    }
    fail_to_begin(err);
}

static void take_end(QDict *d)
{
    Visitor *v = qobject_input_visitor_new(QOBJECT(d));
    SkeinRecording *recording = NULL;
    Error *err = NULL;

    visit_type_SkeinRecording(v, NULL, &recording, &err);
    visit_free(v);
    if (err) {
        error_report_err(err);
        collector_died();
        return;
    }
    end_session(NULL);
    close_link();
    over(recording);
    qapi_free_SkeinRecording(recording);
}

static void take_line(const char *line)
{
    QObject *o = qobject_from_json(line, NULL);
    QDict *d = qobject_to(QDict, o);

    if (d && qdict_haskey(d, "end")) {
        /* It was told to stop, or cannot go on: the end follows. */
        end_session(NULL);
    } else if (d && rr.path) {
        take_end(d);
    } else if (d) {
        take_session(d);
    }
    qobject_unref(o);
}

static void hung_up(void)
{
    Error *err = NULL;

    if (rr.path) {
        collector_died();
        return;
    }
    error_setg(&err, "skein has ended without an answer");
    fail_to_begin(err);
}

static void readable(void *opaque)
{
    char bytes[4096], *end;
    ssize_t got = recv(rr.fd, bytes, sizeof(bytes), 0);

    if (got <= 0) {
        if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
            hung_up();
        }
        return;
    }
    if (rr.input->len + got > LINE_MAX_BYTES) {
        hung_up();
        return;
    }
    g_string_append_len(rr.input, bytes, got);
    while (rr.input && (end = memchr(rr.input->str, '\n', rr.input->len))) {
        g_autofree char *line = g_strndup(rr.input->str, end - rr.input->str);

        g_string_erase(rr.input, 0, end - rr.input->str + 1);
        take_line(line);
    }
}

void skein_rr_wait(void)
{
    while (rr.begun || rr.ended) {
        GPollFD p = {.fd = rr.fd, .events = G_IO_IN};

        if (g_poll(&p, 1, ANSWER_MS) == 0 && rr.begun) {
            lost_patience(NULL);
        } else if (p.revents) {
            readable(NULL);
        }
    }
}

static char *find_skein(Error **errp)
{
    const char *chosen = g_getenv("SKEIN");
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *folder = self ? g_path_get_dirname(self) : NULL;
    g_autofree char *beside = folder ? g_build_filename(folder, "skein", NULL) : NULL;
    char *found = chosen && *chosen ? g_strdup(chosen) : g_find_program_in_path("skein");

    if (!found && beside && g_file_test(beside, G_FILE_TEST_IS_EXECUTABLE)) {
        found = g_steal_pointer(&beside);
    }
    if (!found) {
        error_setg(errp, "where is skein? Put it in PATH, or start QEMU with SKEIN=its path");
    }
    return found;
}

/* In the child: Ctrl-C on QEMU's terminal is not for the collector. */
static void leave_terminal(gpointer unused)
{
    sigset_t none;

    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void reap(GPid pid, gint status, gpointer unused)
{
    g_spawn_close_pid(pid);
}

static bool spawn(const char *name, int fd, Error **errp)
{
    MachineState *m = MACHINE(qdev_get_machine());
    g_autofree char *skein = find_skein(errp);
    g_autofree char *machine = skein_machine_type();
    g_autofree char *cpu = skein_machine_cpu();
    g_autofree char *memory = g_strdup_printf("%" PRIu64, (uint64_t)m->ram_size);
    g_autofree char *vcpus = g_strdup_printf("%u", m->smp.cpus);
    const char *argv[] = {
        skein,   "collect", "--fd",  "0",   "-o",       name,   "--machine",      machine,
        "--cpu", cpu,       "--smp", vcpus, "--memory", memory, "--qemu-version", QEMU_FULL_VERSION,
        NULL};
    g_autoptr(GError) err = NULL;
    GPid pid;

    if (!skein) {
        return false;
    }
    if (!g_spawn_async_with_fds(NULL, (char **)argv, NULL,
                                G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL,
                                leave_terminal, NULL, &pid, fd, -1, -1, &err)) {
        error_setg(errp, "cannot run %s: %s", skein, err->message);
        return false;
    }
    g_child_watch_add(pid, reap, NULL);
    return true;
}

bool skein_rr_begin(const char *name, SkeinRrBegun *begun, void *opaque, Error **errp)
{
    int pair[2];

    if (rr.fd >= 0 || skein_control_busy()) {
        error_setg(errp, "a recording is under way already");
        return false;
    }
    if (!*name) {
        error_setg(errp, "a recording needs a name: the folder to be made for it");
        return false;
    }
    if (!skein_machine_fits(false, errp)) {
        return false;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        error_setg_errno(errp, errno, "cannot make a socket");
        return false;
    }
    if (!spawn(name, pair[1], errp)) {
        close(pair[0]);
        close(pair[1]);
        return false;
    }
    close(pair[1]);
    rr.fd = pair[0];
    rr.input = g_string_new(NULL);
    rr.begun = begun;
    rr.opaque = opaque;
    rr.patience = timer_new_ms(QEMU_CLOCK_REALTIME, lost_patience, NULL);
    timer_mod(rr.patience, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + ANSWER_MS);
    qemu_set_fd_handler(rr.fd, readable, NULL, NULL);
    return true;
}

bool skein_rr_end(SkeinRrEnded *ended, void *opaque, Error **errp)
{
    if (rr.fd < 0) {
        error_setg(errp, skein_control_busy()
                             ? "the recording was begun by skein record: end it there"
                             : "nothing is being recorded");
    } else if (!rr.path) {
        error_setg(errp, "the recording has not begun yet");
    } else if (rr.ending) {
        error_setg(errp, "the recording is being ended already");
    } else {
        rr.ending = true;
        rr.ended = ended;
        rr.opaque = opaque;
        if (qemu_in_coroutine()) {
            aio_bh_schedule_oneshot(qemu_get_aio_context(), end_session, NULL);
        } else {
            end_session(NULL);
        }
        return true;
    }
    return false;
}
