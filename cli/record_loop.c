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

static bool wants_stop(const struct skein_record_loop *l, const struct progress_of_run *r) {
    bool started = l->opts->start.when == SKEIN_WHEN_CONSOLE ? r->start_asked : true;
    if (l->opts->start.when == SKEIN_WHEN_GUEST)
        started = l->began;
    return l->opts->stop.when == SKEIN_WHEN_CONSOLE && started && !r->stop_asked;
}

static void watch_for_texts(struct skein_record_loop *l, struct progress_of_run *r,
                            const char *bytes, size_t len) {
    size_t used = 0;
    if (wants_start(l, r) && skein_textmatch_feed(&r->start, bytes, len, &used)) {
        r->start_asked = true;
        skein_qmp_send(&l->vm->qmp, "%s", l->add_object);
    }
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
    if (state == SKEIN_STATE_ENDED || l->error.text[0] != '\0')
        quit(l, r);
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
