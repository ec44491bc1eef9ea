#include "cli/record_loop.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/signals.h"
#include "cli/textmatch.h"
#include "pipeline/atomics.h"

#define TICK_MS 20
#define SECOND_NS 1000000000ull
/* For the end of a recording: RAM is hashed, shards drain. */
#define STOP_GRACE_NS (60 * SECOND_NS)
/* From the failure that was waited for to the recording's end: its marks are in it. */
#define AFTERMATH_NS (SECOND_NS / 2)
/* A kernel that is broken says more, or ends the guest. */
#define PANIC_AFTERMATH_NS (3 * SECOND_NS)
#define QUIT_GRACE_NS (10 * SECOND_NS)

/* The loop's own state: how far the start and the end have come. */
struct progress_of_run {
    struct skein_textmatch start;
    struct skein_textmatch stop;
    struct skein_progress progress;
    struct skein_console console;
    int console_file; /* of a VM that is not our own: what its guest has written; -1: not open */
    bool start_asked;
    bool stop_asked;
    bool quit_asked;
    uint64_t kill_at_ns; /* 0: not yet */
    uint64_t deadline_ns;
    uint64_t caught_ns; /* when the failure was seen; 0: not yet */
};

static bool is_own(const struct skein_record_loop *l) {
    return l->vm->kind == SKEIN_VM_OWN;
}

static void ask_for_the_end(struct skein_record_loop *l, struct progress_of_run *r);

/*
 * The VM is somebody else's and goes on. Only its recording ends, and we wait until QEMU is done
 * with it, so that the next one can begin.
 */
static void leave(struct skein_record_loop *l, struct progress_of_run *r) {
    const struct skein_qmp *q = &l->vm->qmp;
    bool running = skein_session_state(l->stage->session) == SKEIN_STATE_RUNNING;
    bool asked = l->vm->kind == SKEIN_VM_ASKED;
    if (running || !asked) /* an ended session's object is there until it is told to go */
        ask_for_the_end(l, r);
    bool answered = asked || q->waiting == 0;
    l->vm->left = q->fd < 0 || (answered && !running);
}

static void quit(struct skein_record_loop *l, struct progress_of_run *r) {
    if (!is_own(l)) {
        leave(l, r);
        return;
    }
    if (r->quit_asked || l->vm->child.exited)
        return;
    r->quit_asked = true;
    r->kill_at_ns = skein_now_ns() + QUIT_GRACE_NS;
    if (skein_qmp_send(&l->vm->qmp, "{\"execute\":\"quit\"}") != 0)
        kill(l->vm->child.pid, SIGTERM);
}

/* Ends the recording, if it runs, and QEMU after it. */
static void ask_for_the_end(struct skein_record_loop *l, struct progress_of_run *r) {
    if (!l->began && is_own(l)) {
        quit(l, r);
        return;
    }
    if (r->stop_asked)
        return;
    r->stop_asked = true;
    r->kill_at_ns = skein_now_ns() + STOP_GRACE_NS;
    skein_vm_end_recording(l->vm);
}

static bool wants_start(const struct skein_record_loop *l, const struct progress_of_run *r) {
    return l->opts->start.when == SKEIN_WHEN_CONSOLE && !r->start_asked;
}

static bool has_started(const struct skein_record_loop *l, const struct progress_of_run *r) {
    switch (l->opts->start.when) {
    case SKEIN_WHEN_CONSOLE:
        return r->start_asked;
    case SKEIN_WHEN_GUEST:
        return l->began;
    default:
        return true;
    }
}

static bool wants_stop(const struct skein_record_loop *l, const struct progress_of_run *r) {
    return l->opts->stop.when == SKEIN_WHEN_CONSOLE && has_started(l, r) && !r->stop_asked;
}

static bool is_recording(const struct skein_record_loop *l) {
    enum skein_session_state state = skein_session_state(l->stage->session);
    return state == SKEIN_STATE_RUNNING || state == SKEIN_STATE_ENDED;
}

static void watch_for_texts(struct skein_record_loop *l, struct progress_of_run *r,
                            const char *bytes, size_t len) {
    size_t used = 0;
    if (wants_start(l, r) && skein_textmatch_feed(&r->start, bytes, len, &used)) {
        r->start_asked = true;
        skein_qmp_send(&l->vm->qmp, "%s", l->add_object);
    }
    if (is_recording(l)) /* else it was before the recording began, and is not in it */
        skein_until_watch_console(&l->watch, bytes + used, len - used);
    if (wants_stop(l, r) && skein_textmatch_feed(&r->stop, bytes + used, len - used, &used))
        ask_for_the_end(l, r);
}

static void take_console(struct skein_record_loop *l, struct progress_of_run *r, const char *bytes,
                         size_t len) {
    skein_console_show(&r->console, bytes, len);
    watch_for_texts(l, r, bytes, len);
}

/* The console of a VM that is not our own is what QEMU writes for the recording. */
static void follow_console_file(struct skein_record_loop *l, struct progress_of_run *r) {
    char bytes[4096];
    if (l->vm->kind != SKEIN_VM_ATTACHED || !l->began)
        return;
    if (r->console_file < 0)
        r->console_file = open(l->stage->console, O_RDONLY | O_CLOEXEC);
    for (ssize_t got; (got = read(r->console_file, bytes, sizeof(bytes))) > 0;)
        take_console(l, r, bytes, (size_t)got);
}

static void read_console(struct skein_record_loop *l, struct progress_of_run *r) {
    char bytes[4096];
    ssize_t got;
    while ((got = recv(l->vm->console_fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        take_console(l, r, bytes, (size_t)got);
    if (got == 0) {
        close(l->vm->console_fd);
        l->vm->console_fd = -1;
    }
}

static void wait_for_something(struct skein_record_loop *l, struct progress_of_run *r) {
    struct pollfd fds[] = {
        {.fd = l->signal_fd, .events = POLLIN},
        {.fd = l->vm->console_fd, .events = POLLIN},
        {.fd = l->vm->qmp.fd, .events = POLLIN},
        {.fd = r->console.keyboard ? STDIN_FILENO : -1, .events = POLLIN},
    };
    if (poll(fds, sizeof(fds) / sizeof(fds[0]), TICK_MS) <= 0)
        return;
    if (fds[1].revents != 0)
        read_console(l, r);
    if (fds[2].revents != 0 && !skein_qmp_read(&l->vm->qmp))
        skein_qmp_close(&l->vm->qmp);
    if (fds[3].revents != 0)
        skein_console_type(&r->console, l->vm->console_fd);
}

static void follow_state(struct skein_record_loop *l, struct progress_of_run *r) {
    enum skein_session_state state = skein_session_state(l->stage->session);
    if (!l->began && (state == SKEIN_STATE_RUNNING || state == SKEIN_STATE_ENDED)) {
        l->began = true;
        l->on_running(l->opaque);
    }
    const struct skein_session_header *h = skein_session_header(l->stage->session);
    if (state == SKEIN_STATE_FAILED && l->error.text[0] == '\0')
        skein_error_set(&l->error, 0, "%.*s", (int)sizeof(h->message), h->message);
    if (l->vm->qmp.failed && !l->began && l->error.text[0] == '\0')
        skein_error_set(&l->error, 0, "QEMU refused to record: %s", l->vm->qmp.message);
    skein_until_watch_session(&l->watch, h);
    if (l->vm->qmp.fd < 0 && !is_own(l) && !l->began && l->error.text[0] == '\0')
        skein_error_set(&l->error, 0, "QEMU hung up before the recording began");
    bool leaving = r->stop_asked && !is_own(l);
    if (state == SKEIN_STATE_ENDED || leaving || l->error.text[0] != '\0')
        quit(l, r);
}

static void follow_failure(struct skein_record_loop *l, struct progress_of_run *r,
                           uint64_t now_ns) {
    bool panic = l->opts->until.kind == SKEIN_UNTIL_PANIC;
    if (!l->watch.seen)
        return;
    if (r->caught_ns == 0)
        r->caught_ns = now_ns;
    if (now_ns - r->caught_ns >= (panic ? PANIC_AFTERMATH_NS : AFTERMATH_NS))
        ask_for_the_end(l, r);
}

/* QEMU waits no more for room in the shards: its recording ends where they are full. */
static void give_up(struct skein_record_loop *l) {
    /* Pairs with the acquire in QEMU's recorder. */
    skein_store_release_32(&skein_session_header(l->stage->session)->flags, SKEIN_SESSION_GIVEN_UP);
}

/* Ends it all at once. */
static void stop_vm(struct skein_record_loop *l) {
    if (is_own(l)) {
        skein_child_stop(&l->vm->child);
        return;
    }
    give_up(l);
    l->vm->left = true;
}

/* A collector that fails (a full disk) leaves the shards full: QEMU would wait for ever. */
static void follow_collector(struct skein_record_loop *l, struct progress_of_run *r) {
    struct skein_collector_status status;
    skein_collector_poll(l->collector, &status);
    if (status.state == SKEIN_COLLECTOR_FAILED) {
        l->error = status.error;
        if (is_own(l))
            skein_child_stop(&l->vm->child);
        else
            give_up(l); /* and follow_state() leaves */
        return;
    }
    if (status.state == SKEIN_COLLECTOR_DONE && status.qemu_died && !is_own(l))
        l->vm->left = true;
    if (!r->progress.on || !l->began)
        return;
    struct skein_progress_state s = {
        .events = skein_stats_events(&status.stats),
        .bytes = status.drained_bytes,
        .slices = status.stats.slices,
        .waits = status.ring_waits,
    };
    skein_progress_draw(&r->progress, &s);
}

static void follow_clock(struct skein_record_loop *l, struct progress_of_run *r) {
    uint64_t now_ns = skein_now_ns();
    unsigned asked = skein_signals_take(l->signal_fd);
    if (asked > 0) {
        if (l->interrupted) /* the second time: at once */
            r->kill_at_ns = now_ns;
        l->interrupted = true;
        ask_for_the_end(l, r);
    }
    follow_failure(l, r, now_ns);
    if (r->deadline_ns != 0 && now_ns >= r->deadline_ns) {
        r->deadline_ns = 0;
        l->timed_out = true;
        ask_for_the_end(l, r);
    }
    if (r->kill_at_ns != 0 && now_ns >= r->kill_at_ns)
        stop_vm(l);
}

void skein_record_loop_run(struct skein_record_loop *l) {
    const struct skein_record_opts *o = l->opts;
    struct progress_of_run r = {.console_file = -1};
    if (o->start.when == SKEIN_WHEN_CONSOLE)
        skein_textmatch_init(&r.start, o->start.text);
    if (o->stop.when == SKEIN_WHEN_CONSOLE)
        skein_textmatch_init(&r.stop, o->stop.text);
    skein_until_watch_init(&l->watch, &o->until);
    if (o->timeout_s > 0)
        r.deadline_ns = skein_now_ns() + o->timeout_s * SECOND_NS;
    bool hidden = o->quiet || (o->json.on && o->json.file == NULL);
    skein_progress_init(&r.progress, o->quiet);
    skein_console_open(&r.console, &r.progress, hidden, !hidden && is_own(l));
    while (!skein_vm_over(l->vm)) {
        wait_for_something(l, &r);
        follow_console_file(l, &r);
        follow_state(l, &r);
        follow_clock(l, &r);
        follow_collector(l, &r);
    }
    if (l->vm->console_fd >= 0)
        read_console(l, &r);
    follow_state(l, &r);
    follow_console_file(l, &r);
    if (r.console_file >= 0)
        close(r.console_file);
    skein_progress_clear(&r.progress);
    skein_console_close(&r.console);
}
