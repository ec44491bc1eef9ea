/*
 * hand_made DIR VCPUS TSC_HZ whole|torn < EVENTS: makes a recording of what a test writes down.
 *
 * One event to a line, in canonical order: SHARD KIND FLAGS ARG WORD…, numbers as C writes them.
 * After a line "repeat N" the next one counts N times. "torn": the manifest says that it is not
 * complete.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/log_writer.h"
#include "pipeline/recording.h"

#define WORDS_MAX 48

struct line {
    uint32_t shard;
    uint64_t words[1 + WORDS_MAX]; /* the record */
};

static void die(const char *what, const char *detail) {
    fprintf(stderr, "hand_made: %s: %s\n", what, detail);
    exit(1);
}

static uint64_t number(const char *word) {
    char *end;
    if (word == NULL)
        die("a number is missing", "at the end of a line");
    uint64_t value = strtoull(word, &end, 0);
    if (end == word || *end != '\0')
        die("not a number", word);
    return value;
}

static uint8_t kind_of(const char *name) {
    for (uint8_t kind = 1; name != NULL && kind < (uint8_t)SKEIN_KIND_COUNT; kind++)
        if (strcmp(skein_kind_name(kind), name) == 0)
            return kind;
    die("not a kind", name != NULL ? name : "");
    return 0;
}

static void parse(char *text, struct line *line) {
    struct skein_record rec = {0};
    char *save;
    size_t n = 0;
    line->shard = (uint32_t)number(strtok_r(text, " \n", &save));
    rec.kind = kind_of(strtok_r(NULL, " \n", &save));
    rec.flags = (uint8_t)number(strtok_r(NULL, " \n", &save));
    rec.arg = (uint32_t)number(strtok_r(NULL, " \n", &save));
    for (char *word; (word = strtok_r(NULL, " \n", &save)) != NULL && n < WORDS_MAX;)
        line->words[1 + n++] = number(word);
    rec.size_bytes = (uint16_t)(8 + 8 * n);
    memcpy(line->words, &rec, sizeof(rec));
}

static void write_events(struct skein_log_writer *log) {
    char text[4096];
    uint64_t times = 1;
    struct skein_error err;
    while (fgets(text, sizeof(text), stdin) != NULL) {
        struct line line = {0};
        if (strncmp(text, "repeat ", 7) == 0) {
            times = strtoull(text + 7, NULL, 10);
            continue;
        }
        parse(text, &line);
        for (; times > 0; times--)
            if (skein_log_writer_add(log, line.shard, (const void *)line.words, &err) != 0)
                die("cannot add", err.text);
        times = 1;
    }
}

int main(int argc, char **argv) {
    static struct skein_manifest m;
    struct skein_log_writer *log;
    struct skein_error err;
    if (argc != 5)
        die("usage", "hand_made DIR VCPUS TSC_HZ whole|torn < EVENTS");
    m.vcpu_count = (uint32_t)number(argv[2]);
    m.tsc_hz = number(argv[3]);
    m.stats.shard_count = m.vcpu_count + 1;
    memcpy(m.uuid, "made by a hand..", sizeof(m.uuid));
    m.created_unix_ns = 1700000000ull * 1000000000;
    struct skein_log_writer_opts opts = {
        .dir = argv[1], .shard_count = m.vcpu_count + 1, .block_bytes = 16384};
    memcpy(opts.uuid, m.uuid, sizeof(opts.uuid));
    if (skein_recording_create(argv[1], &m, &err) != 0 ||
        skein_log_writer_create(&opts, &log, &err) != 0)
        die("cannot create", err.text);
    write_events(log);
    if (skein_log_writer_finish(log, &err) != 0)
        die("cannot finish", err.text);
    m.stats = *skein_log_writer_stats(log);
    m.complete = strcmp(argv[4], "whole") == 0;
    m.end = m.complete ? SKEIN_END_STOPPED : 0;
    skein_log_writer_free(log);
    if (skein_manifest_write(argv[1], &m, &err) != 0)
        die("cannot write the manifest", err.text);
    return 0;
}
