/* The made-up guest of fake_qemu: its events, its console, its snapshot. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/shard.h"
#include "tests/cli/fake_qemu.h"

#define SLICES 300u
#define SNAPSHOT_BYTES (3u << 20)

static const char before[] = "fake firmware\nSKEIN-READY\n";
static const char during[] = "hello from the guest\nSKEIN-DONE rc=0\n";

struct guest {
    struct skein_shard_writer shard[SKEIN_MAX_VCPUS + 1];
    uint32_t vcpus;
    uint32_t holder; /* of the token; SKEIN_SHARD_NONE at first */
    uint64_t icount[SKEIN_MAX_VCPUS];
};

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void nap(void) {
    const struct timespec t = {.tv_nsec = 2000000};
    nanosleep(&t, NULL);
}

static void set_state(struct fake_qemu *q, enum skein_session_state state) {
    __atomic_store_n(&skein_session_header(q->session)->state, state, __ATOMIC_RELEASE);
}

static void say(const struct fake_qemu *q, const char *text) {
    if (q->console_fd >= 0 && send(q->console_fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        exit(1);
}

static void put_file(const char *path, const void *bytes, size_t len) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len || close(fd) != 0) {
        perror(path);
        exit(1);
    }
}

static void put_snapshot(const char *path) {
    unsigned char *ram = calloc(1, SNAPSHOT_BYTES);
    if (ram == NULL)
        exit(1);
    for (size_t i = 0; i < SNAPSHOT_BYTES / 2; i++)
        ram[i] = (unsigned char)(i * i >> 3);
    put_file(path, ram, SNAPSHOT_BYTES);
    free(ram);
}

static void open_guest(struct fake_qemu *q, struct guest *g) {
    struct skein_session_header *h = skein_session_header(q->session);
    g->vcpus = h->vcpu_count;
    g->holder = SKEIN_SHARD_NONE;
    for (uint32_t s = 0; s <= g->vcpus; s++) {
        size_t bytes;
        void *mem = skein_session_shard(q->session, s, &bytes);
        if (skein_shard_writer_open(&g->shard[s], mem, bytes) != 0)
            exit(1);
    }
}

static void take_token(struct guest *g, uint32_t v) {
    bool first = g->holder == SKEIN_SHARD_NONE;
    const struct skein_token_payload p = {.edge_tick = first ? 0 : g->shard[g->holder].tick,
                                          .position = g->icount[v],
                                          .digest = g->icount[v] * 31};
    skein_shard_append(&g->shard[v], SKEIN_TOKEN, 0, g->holder, &p, sizeof(p));
    g->holder = v;
}

static void run_slice(struct guest *g, uint32_t n) {
    uint32_t v = n % g->vcpus;
    struct skein_shard_writer *w = &g->shard[v];
    const uint64_t entry[] = {g->icount[v], 0, 0x401000 + n, 1, n};
    const uint64_t tsc = 1000 * n;
    const char user[16] = {'u', (char)n};
    const uint64_t va = 0x7fff0000 + n;
    const uint64_t digest[] = {g->icount[v] + 100, g->icount[v] * 7};
    if (g->vcpus > 1 || g->holder == SKEIN_SHARD_NONE)
        take_token(g, v);
    skein_shard_append(w, SKEIN_ENTRY, 0, skein_entry_arg(SKEIN_ENTRY_SYSCALL, 0), entry,
                       sizeof(entry));
    skein_shard_append(w, SKEIN_VALUE, 0, skein_value_arg(SKEIN_VALUE_TSC, 8, 0), &tsc,
                       sizeof(tsc));
    skein_shard_append2(w, SKEIN_USER_READ, 0, sizeof(user), &va, sizeof(va), user, sizeof(user));
    g->icount[v] += 100;
    skein_shard_append(w, SKEIN_DIGEST, 0, 0, digest, sizeof(digest));
    skein_shard_publish(w);
}

static void take_checkpoint(const struct fake_qemu *q, const struct guest *g) {
    uint64_t ticks[SKEIN_MAX_VCPUS + 1];
    for (uint32_t s = 0; s <= g->vcpus; s++)
        ticks[s] = g->shard[s].tick;
    fake_checkpoints_take(q, ticks);
}

static void end_guest(struct guest *g, enum skein_end end) {
    for (uint32_t s = 0; s <= g->vcpus; s++) {
        const uint64_t p[] = {s < g->vcpus ? g->icount[s] : 0, 1, sizeof(during) - 1, 2, 3};
        skein_shard_append(&g->shard[s], SKEIN_END, 0, end, p, sizeof(p));
        skein_shard_close(&g->shard[s]);
    }
}

/* The number of this run, as the file counts them. */
static int count_run(void) {
    const char *path = getenv("FAKE_RUNS");
    FILE *f = path != NULL ? fopen(path, "ae") : NULL;
    if (f == NULL)
        return 0;
    fputc('.', f);
    long runs = ftell(f);
    fclose(f);
    return (int)runs;
}

static bool panics(const struct fake_qemu *q) {
    return fake_mode(q, "panic") || fake_mode(q, "wait-panic") ||
           (fake_mode(q, "third") && count_run() == 3);
}

static bool waits(const struct fake_qemu *q) {
    return fake_mode(q, "wait") || fake_mode(q, "wait-panic");
}

/* What the guest says and reports beside what all guests say. */
static void misbehave(struct fake_qemu *q, bool panic) {
    struct skein_session_header *h = skein_session_header(q->session);
    if (panic)
        say(q, "[    1.000000] Kernel panic - not syncing: fake\n");
    if (fake_mode(q, "seed")) {
        say(q, "chaos=");
        say(q, q->object.chaos);
        say(q, ";\n");
    }
    if (fake_mode(q, "exit")) {
        h->exit_status = 7;
        __atomic_store_n(&h->exit_reported, 1, __ATOMIC_RELEASE);
    }
}

static int record_now(struct fake_qemu *q) {
    struct skein_error err;
    static struct guest g;
    if (skein_session_open(q->object.session, &q->session, &err) != 0) {
        fprintf(stderr, "qemu-system-x86_64: %s\n", err.text);
        return 1;
    }
    struct skein_session_header *h = skein_session_header(q->session);
    h->qemu_pid = getpid();
    if (fake_mode(q, "refuse")) {
        snprintf(h->message, sizeof(h->message), "the recorder cannot record this");
        set_state(q, SKEIN_STATE_FAILED);
        return 2;
    }
    set_state(q, SKEIN_STATE_READY);
    const bool epochs = fake_checkpoints_begin(q);
    if (!epochs)
        put_snapshot(q->object.snapshot);
    open_guest(q, &g);
    h->start_ns = now_ns();
    set_state(q, SKEIN_STATE_RUNNING);
    say(q, during);
    put_file(q->object.console, during, sizeof(during) - 1);
    bool panic = panics(q);
    misbehave(q, panic);
    bool stopped = false;
    bool added;
    for (uint32_t n = 0; n < SLICES || (waits(q) && !stopped); n++) {
        run_slice(&g, n);
        if (epochs && n < SLICES && n % (SLICES / 3) == SLICES / 6)
            take_checkpoint(q, &g);
        if (n == SLICES / 2 && fake_mode(q, "crash"))
            kill(getpid(), SIGKILL);
        stopped = fake_qmp(q, &added) || stopped;
        if (n >= SLICES)
            nap();
    }
    enum skein_end end = stopped ? SKEIN_END_STOPPED : panic ? SKEIN_END_RESET : SKEIN_END_SHUTDOWN;
    end_guest(&g, end);
    h->end = end;
    h->end_ns = now_ns();
    set_state(q, SKEIN_STATE_ENDED);
    return 0;
}

int fake_record(struct fake_qemu *q) {
    bool added = q->has_recorder;
    say(q, before);
    if (fake_mode(q, "never"))
        return 0;
    for (int waited = 0; !added && waited < 5000; waited++) {
        if (fake_qmp(q, &added))
            return 0;
        nap();
    }
    return added ? record_now(q) : 0;
}

static void consume(struct fake_qemu *q, struct skein_session_header *h) {
    for (uint32_t s = 0; s < h->shard_count; s++) {
        struct skein_shard_reader r;
        size_t bytes;
        void *mem = skein_session_shard(q->session, s, &bytes);
        if (skein_shard_reader_open(&r, mem, bytes) != 0)
            exit(2);
        while (!skein_shard_drained(&r)) {
            uint64_t cursor = r.tail;
            bool bad = false;
            if (skein_shard_peek(&r, &cursor, &bad) == NULL) {
                nap();
                continue;
            }
            skein_shard_release(&r, cursor, 1);
            h->events_done++;
        }
    }
}

static int diverge(struct fake_qemu *q, struct skein_session_header *h) {
    h->divergence = (struct skein_divergence){.vcpu = 1,
                                              .kind = SKEIN_DIGEST,
                                              .slice = 7,
                                              .tick = 9,
                                              .icount = 1234,
                                              .pc = 0xffffffff81000000ull,
                                              .expected = 0x11,
                                              .got = 0x22,
                                              .what = "digest of the registers"};
    h->verdict = SKEIN_VERDICT_DIVERGED;
    set_state(q, SKEIN_STATE_ENDED);
    return 1;
}

int fake_replay(struct fake_qemu *q) {
    struct skein_error err;
    if (skein_session_open(q->object.session, &q->session, &err) != 0)
        return 2;
    struct skein_session_header *h = skein_session_header(q->session);
    h->qemu_pid = getpid();
    h->start_ns = now_ns();
    if (fake_mode(q, "foreign")) {
        snprintf(h->message, sizeof(h->message), "the snapshot is of another machine");
        set_state(q, SKEIN_STATE_FAILED);
        return 2;
    }
    set_state(q, SKEIN_STATE_RUNNING);
    if (fake_mode(q, "crash")) {
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would make an exit code of it */
        raise(SIGSEGV);
    }
    if (fake_mode(q, "wait"))
        pause();
    char text[sizeof(during)];
    memcpy(text, during, sizeof(text));
    if (fake_mode(q, "console"))
        text[6] = 'F';
    put_file(q->object.console, text, sizeof(text) - 1);
    if (fake_mode(q, "diverge"))
        return diverge(q, h);
    consume(q, h);
    h->end_ns = now_ns();
    h->verdict = h->truncated ? SKEIN_VERDICT_INCOMPLETE : SKEIN_VERDICT_SAME;
    set_state(q, SKEIN_STATE_ENDED);
    return h->truncated ? 3 : 0;
}
