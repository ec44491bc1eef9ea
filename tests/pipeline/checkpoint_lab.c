#include "tests/pipeline/checkpoint_lab.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/checkpoint_pack.h"
#include "pipeline/recording.h"
#include "pipeline/snapshot_file.h"
#include "tests/pipeline/fixture.h"

static void must(int rc, const struct skein_error *err) {
    if (rc != 0) {
        fprintf(stderr, "%d: %s\n", rc, err->text);
        abort();
    }
}

void checkpoint_lab_keep(struct checkpoint_lab *l, uint64_t n) {
    const uint64_t first = l->m.pages[0] * MACHINE_PAGE, second = l->m.pages[1] * MACHINE_PAGE;

    l->ram[n] = malloc(first + second);
    memcpy(l->ram[n], l->m.ram[0], first);
    memcpy(l->ram[n] + first, l->m.ram[1], second);
}

/* RAM of the machine becomes that of checkpoint n again. */
void checkpoint_lab_return(struct checkpoint_lab *l, uint64_t n) {
    const uint64_t first = l->m.pages[0] * MACHINE_PAGE, second = l->m.pages[1] * MACHINE_PAGE;

    memcpy(l->m.ram[0], l->ram[n], first);
    memcpy(l->m.ram[1], l->ram[n] + first, second);
}

static void make_snapshot(struct checkpoint_lab *l) {
    struct skein_error err = {""};

    snprintf(l->out, sizeof(l->out), "%s/out", l->dir);
    machine_snapshot(&l->m, l->out);
    must(skein_snapshot_compress(l->out, l->dir, &l->manifest.snapshot,
                                 &l->manifest.snapshot_raw_bytes, &err),
         &err);
    must(skein_manifest_write(l->dir, &l->manifest, &err), &err);
    unlink(l->out);
}

void checkpoint_lab_reopen(struct checkpoint_lab *l) {
    struct skein_error err = {""};

    skein_recording_close(l->rec);
    l->rec = NULL;
    must(skein_recording_open(l->dir, SKEIN_READ_STRICT, &l->rec, &err), &err);
}

/* The ticks of checkpoint n: that part of each shard. */
void checkpoint_lab_move(struct checkpoint_lab *l, uint64_t n, uint64_t of) {
    uint64_t ticks[CHECKPOINT_LAB_SHARDS];

    for (uint32_t i = 0; i < CHECKPOINT_LAB_SHARDS; i++) {
        ticks[i] = skein_stats_shard(&l->manifest.stats, i) * n / of;
    }
    machine_move(&l->m, ticks);
}

struct checkpoint_lab checkpoint_lab_make(uint64_t pages, uint64_t count, unsigned writes) {
    struct checkpoint_lab l = {.count = count};
    struct history h = history_make(3, CHECKPOINT_LAB_SHARDS, 300, 1);
    struct skein_checkpoint_packer *packer;
    struct skein_error err = {""};

    fixture_dir(l.dir);
    fixture_record(l.dir, &h, h.count, 4000, 20000);
    history_free(&h);
    must(skein_manifest_read(l.dir, &l.manifest, &err), &err);
    l.m = machine_make(l.manifest.uuid, CHECKPOINT_LAB_SHARDS - 1, pages, 7);
    make_snapshot(&l);
    checkpoint_lab_keep(&l, 0);
    must(skein_checkpoint_packer_open(l.dir, &l.manifest, 0, &packer, &err), &err);
    for (uint64_t n = 1; n <= count; n++) {
        machine_run(&l.m, writes);
        checkpoint_lab_move(&l, n, count + 1);
        snprintf(l.raw[n], sizeof(l.raw[n]), "%s/raw.%u", l.dir, (unsigned)n);
        machine_checkpoint(&l.m, l.raw[n]);
        checkpoint_lab_keep(&l, n);
        must(skein_checkpoint_packer_add(packer, l.raw[n], &err), &err);
    }
    assert(skein_checkpoint_packer_last(packer) == count);
    skein_checkpoint_packer_close(packer);
    checkpoint_lab_reopen(&l);
    return l;
}

void checkpoint_lab_leave(struct checkpoint_lab *l) {
    for (int i = 0; i < 8; i++) {
        free(l->ram[i]);
    }
    skein_recording_close(l->rec);
    machine_free(&l->m);
}

void checkpoint_lab_free(struct checkpoint_lab *l) {
    checkpoint_lab_leave(l);
    fixture_remove(l->dir);
}

void checkpoint_lab_path(const struct checkpoint_lab *l, unsigned n, char path[300]) {
    snprintf(path, 300, "%s/checkpoints/%06u.skc", l->dir, n);
}

const char *checkpoint_lab_compare(struct checkpoint_lab *l, uint64_t n) {
    struct skein_error err = {""};
    const char *problem;

    must(skein_checkpoint_expand(l->rec, n, l->out, &err), &err);
    checkpoint_lab_return(l, n);
    problem = machine_compare(&l->m, l->out, n != 0 ? l->raw[n] : NULL);
    unlink(l->out);
    return problem;
}
