/*
 * Checkpoints. The first byte says what the rest is: 0, a raw one as QEMU hands it over, to be
 * packed; 1, a packed one, with its checksums made right again, to be listed, checked and expanded.
 * What is accepted must come back, and what is refused leaves nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "pipeline/checkpoint.h"
#include "pipeline/checkpoint_pack.h"
#include "pipeline/frame.h"
#include "pipeline/snapshot_file.h"
#include "proto/skein.pb-c.h"
#include "tests/fuzz/fuzz.h"
#include "tests/pipeline/fixture.h"
#include "tests/pipeline/machine.h"

#define SHARDS 3u

static struct skein_manifest manifest;
static char dir[300], raw[340], first[340], out[340];
static struct machine machine;

/* A recording with a snapshot; raw, the first checkpoint as QEMU writes it. */
static void prepare(void) {
    struct history h;

    if (dir[0] != '\0') {
        return;
    }
    snprintf(dir, sizeof(dir), "%s/rec", fuzz_dir());
    snprintf(raw, sizeof(raw), "%s/raw", fuzz_dir());
    snprintf(out, sizeof(out), "%s/out", fuzz_dir());
    snprintf(first, sizeof(first), "%s/checkpoints/000001.skc", dir);
    h = history_make(3, SHARDS, 60, 1);
    fixture_record(dir, &h, h.count, 4000, 20000);
    history_free(&h);
    FUZZ_CHECK(skein_manifest_read(dir, &manifest, NULL) == 0);
    machine = machine_make(manifest.uuid, SHARDS - 1, 9, 5);
    machine.opaque_bytes = 30;
    machine_snapshot(&machine, raw);
    FUZZ_CHECK(skein_snapshot_compress(raw, dir, &manifest.snapshot, &manifest.snapshot_raw_bytes,
                                       NULL) == 0);
    FUZZ_CHECK(skein_manifest_write(dir, &manifest, NULL) == 0);
}

static int pack(uint64_t after) {
    struct skein_checkpoint_packer *p;
    struct skein_error err = {""};
    int rc = skein_checkpoint_packer_open(dir, &manifest, after, &p, &err);

    if (rc == 0) {
        rc = skein_checkpoint_packer_add(p, raw, &err);
        skein_checkpoint_packer_close(p);
    }
    FUZZ_CHECK(rc == 0 || err.text[0] != '\0');
    return rc;
}

/* Listed as good, or with a reason; and expanded whenever all can be read. */
static void use(void) {
    struct skein_checkpoint_list list;
    struct skein_recording *rec;
    struct skein_error err = {""};
    struct stat st;

    FUZZ_CHECK(skein_recording_open(dir, SKEIN_READ_STRICT, &rec, NULL) == 0);
    const bool good = skein_checkpoint_check(rec, NULL) == 0;
    FUZZ_CHECK(skein_checkpoint_list_read(rec, &list, NULL) == 0 && list.count != 0);
    for (uint64_t n = 1; n <= list.count; n++) {
        const struct skein_checkpoint_info *c = &list.items[n - 1];
        FUZZ_CHECK(c->ok == (c->error.text[0] == '\0'));
        FUZZ_CHECK(c->ok || !good);
        const int rc = skein_checkpoint_expand(rec, n, out, &err);
        FUZZ_CHECK(rc == 0 || (err.text[0] != '\0' && access(out, F_OK) != 0));
        FUZZ_CHECK(rc == 0 || !good);
        if (rc == 0) {
            FUZZ_CHECK(stat(out, &st) == 0 && st.st_size > 0);
            unlink(out);
        }
        if (skein_checkpoint_expand_state(rec, n, out, &err) == 0) {
            unlink(out);
        } else {
            FUZZ_CHECK(!good && access(out, F_OK) != 0);
        }
    }
    skein_checkpoint_list_free(&list);
    skein_recording_close(rec);
}

static void take_raw(const struct fuzz_input *in) {
    fixture_write(raw, in->bytes, in->left);
    if (pack(0) != 0) {
        FUZZ_CHECK(access(first, F_OK) != 0);
        return;
    }
    struct skein_recording *rec;
    FUZZ_CHECK(skein_recording_open(dir, SKEIN_READ_STRICT, &rec, NULL) == 0);
    FUZZ_CHECK(skein_checkpoint_expand(rec, 1, out, NULL) == 0);
    skein_recording_close(rec);
    unlink(out);
    unlink(first);
}

/* Chunk hashes in the footer, then the footer's own; the header's was made right before. */
static void reseal_footer(uint8_t *file, size_t size) {
    uint64_t at, hash;
    uint32_t length;
    Skein__CheckpointFooter *footer;

    if (size < 64) {
        return;
    }
    memcpy(&at, file + size - 16, sizeof(at));
    if (at > size - 40) {
        return;
    }
    memcpy(&length, file + at + 12, sizeof(length));
    if (length > size - at - 40) {
        return;
    }
    footer = skein__checkpoint_footer__unpack(NULL, length, file + at + 16);
    if (footer == NULL) {
        return;
    }
    memcpy(&length, file + 12, sizeof(length));
    if (length <= size - 24) {
        uint64_t chunk = 24 + (uint64_t)length;
        memcpy(&footer->header_xxh64, file + chunk - 8, 8);
        for (size_t i = 0; i < footer->n_chunk_bytes && i < footer->n_chunk_xxh64; i++) {
            if (chunk > size || footer->chunk_bytes[i] > size - chunk) {
                break;
            }
            footer->chunk_xxh64[i] = XXH64(file + chunk, footer->chunk_bytes[i], 0);
            chunk += footer->chunk_bytes[i];
        }
    }
    memcpy(&length, file + at + 12, sizeof(length));
    if (skein__checkpoint_footer__get_packed_size(footer) == length) {
        skein__checkpoint_footer__pack(footer, file + at + 16);
    }
    skein__checkpoint_footer__free_unpacked(footer, NULL);
    hash = XXH64(file + at, 16 + length, 0);
    memcpy(file + at + 16 + length, &hash, sizeof(hash));
}

static void take_packed(const struct fuzz_input *in) {
    uint8_t *file = malloc(in->left + 1);

    memcpy(file, in->bytes, in->left);
    fuzz_reseal(file, in->left);
    reseal_footer(file, in->left);
    fixture_write(first, file, in->left);
    free(file);
    use();
    unlink(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct fuzz_input in = {bytes, size};
    char folder[320];

    prepare();
    snprintf(folder, sizeof(folder), "%s/checkpoints", dir);
    mkdir(folder, 0777);
    if (fuzz_take(&in, 1) % 2 == 0) {
        take_raw(&in);
    } else {
        take_packed(&in);
    }
    return 0;
}

static void add_file(fuzz_add add, uint8_t what, const char *path) {
    size_t size;
    uint8_t *bytes = fixture_read(path, &size), *seed = malloc(size + 1);

    seed[0] = what;
    memcpy(seed + 1, bytes, size);
    add(seed, size + 1);
    free(seed);
    free(bytes);
}

void fuzz_seeds(fuzz_add add) {
    uint8_t *seeds[4];
    size_t sizes[4];

    prepare();
    for (int i = 0; i < 2; i++) {
        machine_run(&machine, 5 * (unsigned)i);
        machine.number = 0;
        machine_checkpoint(&machine, raw);
        FUZZ_CHECK(pack(0) == 0);
        seeds[2 * i] = fixture_read(raw, &sizes[2 * i]);
        seeds[2 * i + 1] = fixture_read(first, &sizes[2 * i + 1]);
        unlink(first);
    }
    for (int i = 0; i < 4; i++) {
        fixture_write(out, seeds[i], sizes[i]);
        free(seeds[i]);
        add_file(add, (uint8_t)(i % 2), out);
    }
}
