/*
 * make DIR: writes the golden recordings of today's format into DIR/vN, and beside each what
 * reading it gives (summary.h). Same program, same bytes.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/log_writer.h"
#include "pipeline/recording.h"
#include "pipeline/recover.h"
#include "pipeline/segment.h"
#include "pipeline/snapshot_file.h"
#include "tests/golden/summary.h"
#include "tests/pipeline/events.h"
#include "tests/pipeline/fixture.h"

static char root[PATH_MAX - 256];

static _Noreturn void die(const char *what, const char *why) {
    fprintf(stderr, "make: %s: %s\n", what, why);
    exit(1);
}

static void check(int rc, const struct skein_error *err) {
    if (rc != 0) {
        die("cannot write", err->text);
    }
}

static void path_of(char path[PATH_MAX], const char *name, const char *file) {
    snprintf(path, PATH_MAX, "%s/%s%s%s", root, name, *file != '\0' ? "/" : "", file);
}

/* Values that the random histories lack. */
static void enrich(struct random *rng, struct skein_record *r, uint64_t *ticks) {
    uint64_t *words = (void *)(r + 1);

    switch (r->kind) {
    case SKEIN_TOKEN:
        r->flags = random_below(rng, 4) == 0 ? SKEIN_F_AT_IO : 0;
        words[0] = r->arg == SKEIN_SHARD_NONE ? 0 : ticks[r->arg];
        break;
    case SKEIN_ENTRY:
        r->flags = random_below(rng, 4) == 0 ? SKEIN_F_TLB_RESET : 0;
        r->arg =
            skein_entry_arg(1 + (uint32_t)random_below(rng, 7), (uint32_t)random_below(rng, 256));
        if (random_below(rng, 8) == 0) {
            r->arg = skein_entry_arg(SKEIN_ENTRY_EXCEPTION | SKEIN_ENTRY_IS_INT, 0x80);
        }
        break;
    case SKEIN_INTERRUPT:
        r->arg =
            skein_intr_arg(1 + (uint32_t)random_below(rng, 7), (uint32_t)random_below(rng, 256));
        break;
    case SKEIN_MEM:
    case SKEIN_PAGE_DIRTY:
        r->flags |= random_below(rng, 2) != 0 ? SKEIN_F_USER : 0;
        break;
    default:
        break;
    }
}

struct author {
    struct skein_log_writer *log;
    uint64_t ticks[SKEIN_MAX_SHARDS];
    struct random rng;
};

static void add(struct author *a, uint32_t shard, const struct skein_record *rec) {
    struct skein_error err = {""};

    check(skein_log_writer_add(a->log, shard, rec, &err), &err);
    a->ticks[shard]++;
}

/* One that has not the shape of its kind. */
static void add_odd(struct author *a, uint32_t shard) {
    struct any_record rec;

    do {
        events_make_odd(&a->rng, &rec);
    } while (rec.header.kind == SKEIN_END);
    add(a, shard, &rec.header);
}

static void add_history(struct author *a, const struct history *h) {
    struct any_record rec;

    for (size_t i = 0; i < h->count; i++) {
        const struct skein_record *r = history_record(h, i);

        memcpy(&rec, r, r->size_bytes);
        enrich(&a->rng, &rec.header, a->ticks);
        add(a, h->events[i].shard, &rec.header);
        if (i % 23 == 22 && r->kind != SKEIN_END) {
            add_odd(a, h->events[i].shard);
        }
    }
}

static struct skein_manifest describe(uint32_t vcpus, const char *seed) {
    struct skein_manifest m = {
        .created_unix_ns = 1763740800123456789u,
        .host = "Linux 6.1.0 x86_64",
        .qemu_version = "10.0.13",
        .machine = "pc,smm=off,vmport=off",
        .cpu_model = "max,-erms,-fsrm,-monitor,-svm",
        .vcpu_count = vcpus,
        .memory_bytes = 64u << 20,
        .digest_interval = 64,
        .kernel = {"/boot/vmlinuz", 14186432, 0xad1eb05e12a0ccb1u},
        .initrd = {"/boot/initrd.img", 1441064, 0x93560693c1656568u},
        .cmdline = "console=ttyS0 panic=-1 quiet",
        .start = "boot",
        .stop = "console:DONE",
        .tsc_start = 123456789012,
        .tsc_hz = 2450000000,
        .end_reason = "it is still being made, or skein was killed",
    };

    snprintf((char *)m.uuid, sizeof(m.uuid), "golden %-8s", seed);
    return m;
}

static void write_file(const char *path, const void *bytes, size_t n) {
    FILE *f = fopen(path, "wb");

    if (f == NULL || fwrite(bytes, 1, n, f) != n || fclose(f) != 0) {
        die(path, strerror(errno));
    }
}

static void put(FILE *f, uint32_t type, const char *name, uint64_t bytes, const void *content) {
    const uint32_t head[2] = {type, (uint32_t)strlen(name)};

    fwrite(head, sizeof(head), 1, f);
    fwrite(&bytes, sizeof(bytes), 1, f);
    fwrite(name, 1, head[1], f);
    fwrite(content, 1, bytes, f);
}

/* The sections of a snapshot, with RAM of a page; the vCPU's is QEMU's own business. */
static void write_snapshot(const char *name, struct skein_manifest *m) {
    const uint64_t place[2] = {0, 1u << 20}, run[2] = {0x3000, 4096}, over[2] = {0, 0};
    uint8_t head[24] = {0}, page[4096];
    struct skein_error err = {""};
    char raw[PATH_MAX], dir[PATH_MAX];
    FILE *f;

    path_of(raw, name, "raw");
    path_of(dir, name, "");
    f = fopen(raw, "wb");
    if (f == NULL) {
        die(raw, strerror(errno));
    }
    memcpy(head, m->uuid, 16);
    head[16] = (uint8_t)m->vcpu_count;
    memset(page, 0x5a, sizeof(page));
    fwrite("SKNSNAP1", 1, 8, f);
    put(f, 1, "", sizeof(head), head);
    put(f, 2, "", 8, run + 0);
    put(f, 3, "i440FX", 5, "state");
    put(f, 4, "pc.ram", 0, "");
    fwrite(place, sizeof(place), 1, f);
    fwrite(run, sizeof(run), 1, f);
    fwrite(page, sizeof(page), 1, f);
    fwrite(over, sizeof(over), 1, f);
    put(f, 5, "", 0, "");
    fclose(f);
    check(skein_snapshot_compress(raw, dir, &m->snapshot, &m->snapshot_raw_bytes, &err), &err);
    unlink(raw);
}

static void write_console(const char *name, struct skein_manifest *m) {
    static const char text[] = "SKEIN-READY\r\nhello\r\n";
    struct skein_error err = {""};
    char path[PATH_MAX];

    path_of(path, name, SKEIN_CONSOLE_NAME);
    write_file(path, text, sizeof(text) - 1);
    check(skein_manifest_file_fill(&m->console, path, &err), &err);
    snprintf(m->console.path, sizeof(m->console.path), "%s", SKEIN_CONSOLE_NAME);
}

static void fill_end(struct skein_manifest *m) {
    m->complete = true;
    m->end = SKEIN_END_SHUTDOWN;
    m->end_reason[0] = '\0';
    m->duration_ns = 1234567890;
    m->kernel_icount = 987654321;
    m->token_waits = 12;
    m->token_wait_ns = 345678;
    m->ring_waits = 3;
    m->ring_wait_ns = 4567;
}

/* ends: complete; otherwise as a recorder leaves it that is killed. */
static void write_recording(const char *name, const struct history *h, bool ends,
                            uint64_t block_bytes, uint64_t segment_bytes) {
    struct skein_manifest m = describe(h->shard_count - 1, name);
    struct skein_log_writer_opts opts = {.shard_count = h->shard_count,
                                         .durability = SKEIN_DURABILITY_NONE,
                                         .block_bytes = block_bytes,
                                         .segment_bytes = segment_bytes};
    struct author a = {.rng = {h->count}};
    struct skein_error err = {""};
    char dir[PATH_MAX];

    path_of(dir, name, "");
    opts.dir = dir;
    memcpy(opts.uuid, m.uuid, sizeof(opts.uuid));
    check(skein_recording_create(dir, &m, &err), &err);
    write_snapshot(name, &m);
    write_console(name, &m);
    check(skein_log_writer_create(&opts, &a.log, &err), &err);
    add_history(&a, h);
    if (ends) {
        check(skein_log_writer_finish(a.log, &err), &err);
        m.stats = *skein_log_writer_stats(a.log);
        fill_end(&m);
    } else {
        m.console = (struct skein_manifest_file){.size_bytes = 0};
    }
    skein_log_writer_free(a.log);
    check(skein_manifest_write(dir, &m, &err), &err);
}

static void change_file(const char *name, const char *file, uint64_t at, uint8_t bit) {
    char path[PATH_MAX];
    size_t n;

    path_of(path, name, file);
    uint8_t *bytes = fixture_read(path, &n);
    if (at >= n) {
        die(path, "it is too short to be damaged there");
    }
    bytes[at] ^= bit;
    fixture_write(path, bytes, n);
    free(bytes);
}

static void cut_file(const char *name, const char *file, uint64_t bytes) {
    char path[PATH_MAX];
    struct stat st;

    path_of(path, name, file);
    if (stat(path, &st) != 0 || truncate(path, st.st_size - (off_t)bytes) != 0) {
        die(path, strerror(errno));
    }
}

/* Where the data of a block begin; header: where its header does, about. */
static uint64_t block_at(const char *name, const char *file, size_t block) {
    struct skein_segment *seg;
    struct skein_error err = {""};
    char path[PATH_MAX];
    uint64_t offset;

    path_of(path, name, file);
    check(skein_segment_open(path, SKEIN_READ_STRICT, &seg, &err), &err);
    offset = block < seg->block_count ? seg->blocks[block].offset : 0;
    skein_segment_close(seg);
    if (offset == 0) {
        die(path, "it has too few blocks");
    }
    return offset;
}

static void write_expected(const char *name) {
    char text[2 * SUMMARY_MAX_BYTES], dir[PATH_MAX], path[PATH_MAX];

    path_of(dir, name, "");
    snprintf(path, sizeof(path), "%s/%s.expected", root, name);
    summary_make_both(dir, text);
    write_file(path, text, strlen(text));
    printf("%s\n", dir);
}

static void make_complete(void) {
    struct history h = history_make(1, 3, 460, 1);

    write_recording("complete", &h, true, 3 << 10, 12 << 10);
    history_free(&h);
    write_expected("complete");
}

static void make_wide(void) {
    struct history h = history_make(2, SKEIN_MAX_SHARDS, 100, 1);

    write_recording("wide", &h, true, 4 << 10, 1 << 20);
    history_free(&h);
    write_expected("wide");
}

static void make_partial(void) {
    struct history h = history_make(3, 3, 340, 0);

    write_recording("partial", &h, false, 3 << 10, 20 << 10);
    history_free(&h);
    cut_file("partial", "segments/000002.skn.partial", 100);
    write_expected("partial");
}

/* One block's data, another's header, and the last segment's end. */
static void make_damaged(void) {
    struct history h = history_make(4, 3, 500, 1);
    uint64_t header;

    write_recording("damaged", &h, true, 3 << 10, 12 << 10);
    history_free(&h);
    header = block_at("damaged", "segments/000002.skn", 1) - 20;
    change_file("damaged", "segments/000001.skn", block_at("damaged", "segments/000001.skn", 1) + 9,
                0x10);
    change_file("damaged", "segments/000002.skn", header, 0x01);
    cut_file("damaged", "segments/000004.skn", 5);
    write_expected("damaged");
}

/* What skein recover makes of the damaged one. */
static void make_recovered(void) {
    char source[PATH_MAX], out[PATH_MAX];
    const struct skein_recover_opts opts = {.source = source, .out = out};
    struct skein_recovered done;
    struct skein_error err = {""};

    path_of(source, "damaged", "");
    path_of(out, "recovered", "");
    check(skein_recover(&opts, &done, &err), &err);
    skein_recovered_free(&done);
    write_expected("recovered");
}

/* One that counts 2450 MHz by a clock of 100 MHz, read by threads that move between processors. */
static uint64_t read_counter(struct random *rng, uint64_t *clock, uint64_t i) {
    *clock += 1 + random_below(rng, i % 10 == 0 ? 100000 : 40);
    return *clock * 49 / 2 + (i / 100 % 2) * 5;
}

/* Time-stamp counters on a grid. */
static void make_counters(void) {
    struct history h = history_make(5, 3, 600, 1);
    struct random rng = {5};
    uint64_t clock = 1ull << 40;

    for (size_t i = 0; i < h.count; i++) {
        struct skein_record *r = (void *)(h.records + h.events[i].offset);
        const uint64_t value = read_counter(&rng, &clock, i);

        if (r->size_bytes == 16 && r->kind != SKEIN_END) {
            *r = (struct skein_record){16, SKEIN_VALUE, 0, skein_value_arg(SKEIN_VALUE_TSC, 8, 0)};
            memcpy(r + 1, &value, sizeof(value));
        }
    }
    write_recording("counters", &h, true, 256 << 10, 1 << 20);
    history_free(&h);
    write_expected("counters");
}

int main(int argc, char **argv) {
    if (argc != 2) {
        die("usage", "make DIR");
    }
    snprintf(root, sizeof(root), "%s/v%u", argv[1], SKEIN_FORMAT_VERSION);
    if (mkdir(root, 0777) != 0) {
        die(root, strerror(errno));
    }
    make_complete();
    make_wide();
    make_partial();
    make_damaged();
    make_recovered();
    make_counters();
    return 0;
}
