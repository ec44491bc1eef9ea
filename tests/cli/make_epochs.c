/*
 * make_epochs DIR SEED CHECKPOINTS EVENTS [growing]: a recording with checkpoints, for
 * fake_epochs.c to replay and check. Epochs are of one length, or each is longer than the one
 * before it. Each event says which tick it is, byte N of the console is a letter by N, and the
 * checkpoints' digest of RAM is that of its bytes. Another seed, another UUID.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "pipeline/checkpoint_pack.h"
#include "pipeline/log_writer.h"
#include "pipeline/recording.h"
#include "pipeline/snapshot_file.h"
#include "tests/pipeline/fixture.h"
#include "tests/pipeline/machine.h"

#define SHARDS 3u
#define CONSOLE_BYTES 1000u
#define PAGES 300u

static void check(bool good, const char *what) {
    if (!good) {
        fprintf(stderr, "make_epochs: %s\n", what);
        exit(1);
    }
}

static void add(struct skein_log_writer *log, uint32_t shard, uint8_t kind, uint32_t arg,
                const uint64_t *words, size_t count) {
    struct any_record rec = {
        .header = {.size_bytes = (uint16_t)(8 + 8 * count), .kind = kind, .arg = arg}};
    memcpy(rec.payload, words, 8 * count);
    check(skein_log_writer_add(log, shard, &rec.header, NULL) == 0, "cannot write");
}

static void make_log(const char *dir, struct skein_manifest *m, uint64_t events) {
    struct skein_log_writer_opts opts = {
        .dir = dir, .shard_count = SHARDS, .block_bytes = 20000, .segment_bytes = 100000};
    struct skein_log_writer *log;
    memcpy(opts.uuid, m->uuid, sizeof(opts.uuid));
    check(skein_log_writer_create(&opts, &log, NULL) == 0, "cannot begin");
    for (uint64_t i = 0; i < events; i++) {
        const uint64_t tick = i / SHARDS + 1;
        add(log, (uint32_t)(i % SHARDS), SKEIN_VALUE, skein_value_arg(SKEIN_VALUE_TSC, 8, 0), &tick,
            1);
    }
    for (uint32_t s = 0; s < SHARDS; s++) {
        const uint64_t end[] = {0, 0, CONSOLE_BYTES, 0, 0};
        add(log, s, SKEIN_END, SKEIN_END_SHUTDOWN, end, 5);
    }
    check(skein_log_writer_finish(log, NULL) == 0, "cannot finish");
    m->stats = *skein_log_writer_stats(log);
    skein_log_writer_free(log);
}

static void make_console(const char *dir, struct skein_manifest *m) {
    char path[4096];
    uint8_t bytes[CONSOLE_BYTES];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)('a' + i % 26);
    snprintf(path, sizeof(path), "%s/" SKEIN_CONSOLE_NAME, dir);
    fixture_write(path, bytes, sizeof(bytes));
    check(skein_manifest_file_fill(&m->console, path, NULL) == 0, "cannot read the console");
}

static uint64_t digest_of(const struct machine *m) {
    uint64_t sum = 0;
    for (unsigned b = 0; b < MACHINE_BLOCKS; b++)
        sum = XXH64(m->ram[b], m->pages[b] * MACHINE_PAGE, sum);
    return sum;
}

/* (n / all) to the given power, of x. */
static uint64_t part_of(uint64_t x, uint64_t n, uint64_t all, uint64_t power) {
    for (; power > 0; power--)
        x = x * n / all;
    return x;
}

static void make_checkpoints(const char *dir, const struct skein_manifest *m,
                             struct machine *machine, uint64_t count, bool growing) {
    const uint64_t power = growing ? 2 : 1;
    struct skein_checkpoint_packer *packer;
    struct skein_error err = {""};
    char raw[4096];
    snprintf(raw, sizeof(raw), "%s.raw", dir);
    check(skein_checkpoint_packer_open(dir, m, 0, &packer, &err) == 0, err.text);
    for (uint64_t n = 1; n <= count; n++) {
        uint64_t ticks[SHARDS];
        for (uint32_t i = 0; i < SHARDS; i++)
            ticks[i] = part_of(skein_stats_shard(&m->stats, i), n, count + 1, power);
        machine_run(machine, 40);
        machine_move(machine, ticks);
        machine->cut.console_bytes = CONSOLE_BYTES * n / (count + 1);
        machine->cut.ram_digest = digest_of(machine);
        machine_checkpoint(machine, raw);
        check(skein_checkpoint_packer_add(packer, raw, &err) == 0, err.text);
    }
    skein_checkpoint_packer_close(packer);
    unlink(raw);
}

int main(int argc, char **argv) {
    check(argc == 5 || (argc == 6 && strcmp(argv[5], "growing") == 0),
          "make_epochs DIR SEED CHECKPOINTS EVENTS [growing]");
    const char *dir = argv[1];
    const uint64_t seed = strtoull(argv[2], NULL, 10);
    struct skein_manifest m = fixture_manifest(SHARDS);
    struct skein_error err = {""};
    char raw[4096];
    memcpy(m.uuid + 1, &seed, sizeof(seed));
    struct machine machine = machine_make(m.uuid, SHARDS - 1, PAGES, seed);
    check(skein_recording_create(dir, &m, &err) == 0, err.text);
    make_log(dir, &m, strtoull(argv[4], NULL, 10));
    make_console(dir, &m);
    snprintf(raw, sizeof(raw), "%s.raw", dir);
    machine_snapshot(&machine, raw);
    check(skein_snapshot_compress(raw, dir, &m.snapshot, &m.snapshot_raw_bytes, &err) == 0,
          err.text);
    unlink(raw);
    m.complete = true;
    m.end = SKEIN_END_SHUTDOWN;
    check(skein_manifest_write(dir, &m, &err) == 0, err.text);
    make_checkpoints(dir, &m, &machine, strtoull(argv[3], NULL, 10), argc == 6);
    machine_free(&machine);
    return 0;
}
