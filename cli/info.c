/* skein info: what was recorded. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "cli/checkpoint_print.h"
#include "cli/cli.h"
#include "cli/json_option.h"
#include "cli/report.h"
#include "pipeline/recording.h"

static void text_segments(const struct skein_recording *rec) {
    for (size_t i = 0; i < skein_recording_segment_count(rec); i++) {
        struct skein_segment_info s;
        skein_recording_segment(rec, i, &s);
        printf("  %-10s %06" PRIu64 ": %" PRIu64 " events in %" PRIu64 " blocks, %" PRIu64
               " bytes%s\n",
               "segment", s.number, s.events, s.blocks, s.size_bytes,
               s.sealed ? "" : ", not sealed");
    }
}

static void json_segments(struct skein_json *j, const struct skein_recording *rec) {
    skein_json_open(j, "segment_files", '[');
    for (size_t i = 0; i < skein_recording_segment_count(rec); i++) {
        struct skein_segment_info s;
        skein_recording_segment(rec, i, &s);
        skein_json_open(j, NULL, '{');
        skein_json_u64(j, "number", s.number);
        skein_json_u64(j, "events", s.events);
        skein_json_u64(j, "blocks", s.blocks);
        skein_json_u64(j, "bytes", s.size_bytes);
        skein_json_bool(j, "sealed", s.sealed);
        skein_json_close(j, '}');
    }
    skein_json_close(j, ']');
}

static bool write_json(const struct skein_json_opt *opt, const char *dir,
                       const struct skein_recording *rec,
                       const struct skein_checkpoint_list *checkpoints) {
    FILE *out = skein_json_begin(opt);
    if (out == NULL)
        return false;
    struct skein_json j = {.out = out};
    skein_json_open(&j, NULL, '{');
    skein_report_json(&j, dir, skein_recording_manifest(rec));
    json_segments(&j, rec);
    skein_checkpoint_print_json(&j, checkpoints);
    skein_json_close(&j, '}');
    return skein_json_end(out);
}

static int info(const char *dir, const struct skein_json_opt *json) {
    struct skein_recording *rec = NULL;
    struct skein_checkpoint_list checkpoints;
    struct skein_error err;
    if (skein_recording_open(dir, SKEIN_READ_STRICT, &rec, &err) != 0)
        return skein_fail(SKEIN_EXIT_USAGE, "%s", err.text);
    int code = SKEIN_EXIT_OK;
    if (skein_checkpoint_list_read(rec, &checkpoints, &err) != 0)
        code = skein_fail(SKEIN_EXIT_USAGE, "%s", err.text);
    if (!json->on) {
        skein_report_text(stdout, dir, skein_recording_manifest(rec));
        text_segments(rec);
        skein_checkpoint_print_text(stdout, &checkpoints);
    } else if (!write_json(json, dir, rec, &checkpoints)) {
        code = skein_fail(SKEIN_EXIT_USAGE, "cannot write the JSON");
    }
    skein_checkpoint_list_free(&checkpoints);
    skein_recording_close(rec);
    return code;
}

int skein_cmd_info(int argc, char **argv) {
    struct skein_json_opt json;
    int bad = skein_json_option("info", argc, argv, &json);
    if (bad != SKEIN_EXIT_OK)
        return bad;
    if (optind + 1 != argc)
        return skein_fail(SKEIN_EXIT_USAGE, "info: which recording? One at a time");
    return info(argv[optind], &json);
}
