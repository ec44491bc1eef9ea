/* fake_qemu as the replayer of an epoch of what make_epochs has made. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "pipeline/checkpoint_raw.h"
#include "pipeline/shard.h"
#include "tests/cli/fake_qemu.h"

#define RAM_BYTES_MAX (16u << 20)

/* What a raw file says. */
struct state {
    uint64_t number, console_bytes, ram_digest, tick[SKEIN_MAX_SHARDS];
    uint64_t got_digest; /* of RAM as it is in the file */
};

static void must(bool good, const char *what) {
    if (!good) {
        fprintf(stderr, "fake_qemu: %s\n", what);
        exit(2);
    }
}

static void nap_ms(long ms) {
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static void read_cut(struct skein_raw *raw, struct state *s) {
    uint64_t words[8 + SKEIN_MAX_SHARDS];
    must(raw->bytes <= sizeof(words) && skein_raw_take(raw, words, raw->bytes, NULL) == 0, "CUT");
    s->number = words[0];
    s->console_bytes = words[4];
    s->ram_digest = words[6];
    memcpy(s->tick, words + 8, raw->bytes - 64);
}

static void read_ram(struct skein_raw *raw, struct state *s) {
    uint8_t *ram = calloc(1, RAM_BYTES_MAX);
    uint64_t run[2]; /* in any order, unlike those that QEMU writes */
    must(ram != NULL && raw->block.bytes <= RAM_BYTES_MAX, "RAM");
    while (skein_raw_take(raw, run, sizeof(run), NULL) == 0 && run[1] != 0)
        must(run[0] + run[1] <= raw->block.bytes &&
                 skein_raw_take(raw, ram + run[0], run[1], NULL) == 0,
             "a run");
    s->got_digest = XXH64(ram, raw->block.bytes, s->got_digest);
    free(ram);
}

static void read_state(const char *path, struct state *s) {
    FILE *f = fopen(path, "rb");
    struct skein_raw raw = {.read = skein_raw_read_file, .opaque = f, .what = path};
    must(f != NULL && skein_raw_begin(&raw, NULL) == 0, path);
    do {
        must(skein_raw_next(&raw, NULL) == 0, "a section");
        if (raw.type == SKEIN_RAW_CUT)
            read_cut(&raw, s);
        else if (raw.type == SKEIN_RAW_RAM)
            read_ram(&raw, s);
        else
            must(skein_raw_take(&raw, NULL, raw.bytes, NULL) == 0, "a section's content");
    } while (raw.type != SKEIN_RAW_END);
    fclose(f);
}

static void set_state(struct fake_qemu *q, enum skein_session_state state) {
    __atomic_store_n(&skein_session_header(q->session)->state, state, __ATOMIC_RELEASE);
}

static int diverge(struct fake_qemu *q, uint32_t vcpu, uint64_t tick, uint64_t got) {
    struct skein_session_header *h = skein_session_header(q->session);
    h->divergence = (struct skein_divergence){
        .vcpu = vcpu, .kind = SKEIN_VALUE, .tick = tick, .expected = tick, .got = got};
    snprintf(h->divergence.what, sizeof(h->divergence.what), "not <this> tick");
    h->verdict = SKEIN_VERDICT_DIVERGED;
    h->end_ns = h->start_ns + 1000;
    set_state(q, SKEIN_STATE_ENDED);
    return 1;
}

static const struct skein_record *next(struct skein_shard_reader *r) {
    const struct skein_record *rec = NULL;
    while (rec == NULL && !skein_shard_drained(r)) {
        uint64_t cursor = r->tail;
        bool bad = false;
        rec = skein_shard_peek(r, &cursor, &bad);
        must(!bad, "damaged shared memory");
        if (rec != NULL)
            skein_shard_release(r, cursor, 1); /* what it points to is not overwritten at once */
        else
            nap_ms(1);
    }
    return rec;
}

/* The events of one shard: each says which it is. 0, or the exit code. */
static int consume(struct fake_qemu *q, uint32_t shard, const struct state *from,
                   const struct state *until) {
    struct skein_session_header *h = skein_session_header(q->session);
    struct skein_shard_reader r;
    size_t bytes;
    void *mem = skein_session_shard(q->session, shard, &bytes);
    const struct skein_record *rec;
    must(skein_shard_reader_open(&r, mem, bytes) == 0, "a shard");
    for (uint64_t tick = from->tick[shard] + 1; until == NULL || tick <= until->tick[shard];
         tick++) {
        uint64_t got;
        if ((rec = next(&r)) == NULL)
            return diverge(q, shard, tick, 0);
        h->events_done++;
        if (rec->kind == SKEIN_END)
            return until == NULL ? 0 : diverge(q, shard, tick, 1);
        memcpy(&got, rec + 1, sizeof(got));
        if (got != tick)
            return diverge(q, shard, tick, got);
    }
    return 0;
}

/* "WHAT@EPOCH" in the mode, among other things. */
static bool told(const struct fake_qemu *q, const char *what, uint64_t epoch) {
    char word[64];
    snprintf(word, sizeof(word), "%s@%llu,", what, (unsigned long long)epoch);
    return strstr(q->mode, word) != NULL;
}

static void tell(const char *what, uint64_t epoch) {
    const char *path = getenv("FAKE_QEMU_LOG");
    char line[64];
    if (path == NULL)
        return;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
    int n = snprintf(line, sizeof(line), "%s %llu %d\n", what, (unsigned long long)epoch,
                     (int)getpid());
    must(fd >= 0 && write(fd, line, (size_t)n) == n, path);
    close(fd);
}

static void put_console(const struct fake_qemu *q, uint64_t from, uint64_t to, bool wrong) {
    FILE *f = fopen(q->object.console, "wb");
    must(f != NULL, q->object.console);
    for (uint64_t i = from; i < to; i++)
        fputc(i == from + 3 && wrong ? '!' : (int)('a' + i % 26), f);
    fclose(f);
}

static void misbehave(const struct fake_qemu *q, uint64_t epoch) {
    if (told(q, "kill", epoch))
        raise(SIGKILL);
    if (told(q, "hang", epoch) || strstr(q->mode, "hang,") != NULL)
        pause();
    if (strstr(q->mode, "slow,") != NULL)
        nap_ms(300);
}

int fake_epoch(struct fake_qemu *q) {
    struct state from = {0}, until = {0};
    struct skein_error err;
    const bool has_until = q->object.until[0] != '\0';
    must(skein_session_open(q->object.session, &q->session, &err) == 0, "the session");
    struct skein_session_header *h = skein_session_header(q->session);
    h->qemu_pid = getpid();
    h->start_ns = 1000;
    read_state(q->object.snapshot, &from);
    if (has_until)
        read_state(q->object.until, &until);
    const uint64_t epoch = from.number + 1;
    must(from.number == 0 || from.got_digest == from.ram_digest, "RAM is not what it was");
    must(!has_until || until.number == epoch, "another checkpoint than the next one");
    tell("begin", epoch);
    set_state(q, SKEIN_STATE_RUNNING);
    misbehave(q, epoch);
    put_console(q, from.console_bytes,
                (has_until ? until.console_bytes : 1000) - told(q, "short", epoch),
                told(q, "console", epoch));
    int code = told(q, "diverge", epoch) ? diverge(q, 1, from.tick[1] + 5, 0) : 0;
    for (uint32_t s = 0; s < h->shard_count && code == 0; s++)
        code = consume(q, s, &from, has_until ? &until : NULL);
    tell("end", epoch);
    if (code != 0)
        return code;
    h->end_ns = 2000000;
    h->verdict = SKEIN_VERDICT_SAME;
    set_state(q, SKEIN_STATE_ENDED);
    return 0;
}
