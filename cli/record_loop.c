#include "cli/record_loop.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/signals.h"
#include "cli/textmatch.h"

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
    bool start_asked;
    bool stop_asked;
    bool quit_asked;
    uint64_t kill_at_ns; /* 0: not yet */
    uint64_t deadline_ns;
    uint64_t caught_ns; /* when the failure was seen; 0: not yet */
};

static void quit(struct skein_record_loop *l, struct progress_of_run *r) {
    if (r->quit_asked || l->vm->child.exited)
        return;
    r->quit_asked = true;
    r->kill_at_ns = skein_now_ns() + QUIT_GRACE_NS;
    if (skein_qmp_send(&l->vm->qmp, "{\"execute\":\"quit\"}") != 0)
        kill(l->vm->child.pid, SIGTERM);
}

/* Ends the recording, if it runs, and QEMU after it. */
static void ask_for_the_end(struct skein_record_loop *l, struct progress_of_run *r) {
    if (!l->began) {
        quit(l, r);
        return;
    }
    if (r->stop_asked)
        return;
    r->stop_asked = true;
    r->kill_at_ns = skein_now_ns() + STOP_GRACE_NS;
    skein_qmp_send(&l->vm->qmp,
                   "{\"execute\":\"object-del\",\"arguments\":{\"id\":\"" SKEIN_OBJECT_ID "\"}}");
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

static void watch_for_texts(struct skein_record_loop *l, struct progress_of_run *r,
                            const char *bytes, size_t len) {
    size_t used = 0;
    if (wants_start(l, r) && skein_textmatch_feed(&r->start, bytes, len, &used)) {
        r->start_asked = true;
        skein_qmp_send(&l->vm->qmp, "%s", l->add_object);
    }
    if (has_started(l, r))
        skein_until_watch_console(&l->watch, bytes + used, len - used);
    if (wants_stop(l, r) && skein_textmatch_feed(&r->stop, bytes + used, len - used, &used))
        ask_for_the_end(l, r);
}

static void read_console(struct skein_record_loop *l, struct progress_of_run *r) {
    char bytes[4096];
    ssize_t got;
    while ((got = recv(l->vm->console_fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
        skein_console_show(&r->console, bytes, (size_t)got);
        watch_for_texts(l, r, bytes, (size_t)got);
    }
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
    if (state == SKEIN_STATE_ENDED || l->error.text[0] != '\0')
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

/* A collector that fails (a full disk) leaves the shards full: QEMU would wait for ever. */
static void follow_collector(struct skein_record_loop *l, struct progress_of_run *r) {
    struct skein_collector_status status;
    skein_collector_poll(l->collector, &status);
    if (status.state == SKEIN_COLLECTOR_FAILED) {
        l->error = status.error;
        skein_child_stop(&l->vm->child);
        return;
    }
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
        skein_child_stop(&l->vm->child);
}

void skein_record_loop_run(struct skein_record_loop *l) {
    const struct skein_record_opts *o = l->opts;
    struct progress_of_run r = {0};
    if (o->start.when == SKEIN_WHEN_CONSOLE)
        skein_textmatch_init(&r.start, o->start.text);
    if (o->stop.when == SKEIN_WHEN_CONSOLE)
        skein_textmatch_init(&r.stop, o->stop.text);
    skein_until_watch_init(&l->watch, &o->until);
    if (o->timeout_s > 0)
        r.deadline_ns = skein_now_ns() + o->timeout_s * SECOND_NS;
    bool hidden = o->quiet || (o->json.on && o->json.file == NULL);
    skein_progress_init(&r.progress, o->quiet);
    skein_console_open(&r.console, &r.progress, hidden, !hidden);
    while (!skein_child_poll(&l->vm->child)) {
        wait_for_something(l, &r);
        follow_state(l, &r);
        follow_clock(l, &r);
        follow_collector(l, &r);
    }
    if (l->vm->console_fd >= 0)
        read_console(l, &r);
    follow_state(l, &r);
    skein_progress_clear(&r.progress);
    skein_console_close(&r.console);
}
