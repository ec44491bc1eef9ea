/* dump DIR strict|salvage: what our reader gives, one line per event, to compare others with. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/reader.h"

static void print_event(const struct skein_event *e) {
    const uint8_t *bytes = (const void *)e->record;

    printf("%" PRIu32 " %" PRIu64 " %" PRIu64 " ", e->shard, e->tick, e->slice);
    for (uint32_t i = 0; i < e->record->size_bytes; i++) {
        printf("%02x", bytes[i]);
    }
    putchar('\n');
}

static int dump(struct skein_recording *rec, struct skein_error *err) {
    struct skein_reader *reader;
    struct skein_event event;
    uint64_t blocks, bytes;
    int rc = skein_reader_open(rec, &reader, err);

    if (rc != 0) {
        return rc;
    }
    while ((rc = skein_reader_next(reader, &event, err)) == 1) {
        print_event(&event);
    }
    skein_reader_close(reader);
    skein_recording_losses(rec, &blocks, &bytes);
    printf("complete %d lost_blocks %" PRIu64 " lost_bytes %" PRIu64 "\n",
           skein_recording_complete(rec), blocks, bytes);
    return rc;
}

int main(int argc, char **argv) {
    struct skein_recording *rec;
    struct skein_error err = {""};
    int rc;

    if (argc != 3) {
        fputs("usage: dump DIR strict|salvage\n", stderr);
        return 2;
    }
    rc = skein_recording_open(
        argv[1], strcmp(argv[2], "salvage") == 0 ? SKEIN_READ_SALVAGE : SKEIN_READ_STRICT, &rec,
        &err);
    if (rc == 0) {
        rc = dump(rec, &err);
        skein_recording_close(rec);
    }
    if (rc != 0) {
        fprintf(stderr, "dump: %s\n", err.text);
        return 1;
    }
    return 0;
}
