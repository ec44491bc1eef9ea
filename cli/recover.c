/* skein recover: what a killed recorder, or a damaged disk, has left. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "pipeline/recover.h"

#define REDRAW_NS 200000000ull

static void draw(void *opaque, uint64_t done_bytes, uint64_t all_bytes) {
    struct skein_progress *p = opaque;
    uint64_t now_ns = skein_now_ns();
    if (!p->on || now_ns - p->last_ns < REDRAW_NS)
        return;
    fprintf(stderr, "\r\033[Kskein: %.1f of %.1f MB", (double)done_bytes / 1e6,
            (double)all_bytes / 1e6);
    fflush(stderr);
    p->drawn = true;
    p->last_ns = now_ns;
}

static const char *shard_name(char *text, size_t size, const struct skein_manifest *m,
                              uint32_t shard) {
    if (shard == m->vcpu_count)
        snprintf(text, size, "devices");
    else
        snprintf(text, size, "vCPU %" PRIu32, shard);
    return text;
}

static void text_loss(FILE *out, const struct skein_manifest *m, const struct skein_loss *l) {
    char name[32];
    fprintf(out, "  missing    ");
    if (l->kind == SKEIN_LOSS_EVENTS)
        fprintf(out, "%s, ticks %" PRIu64 " to %" PRIu64 " ",
                shard_name(name, sizeof(name), m, l->shard), l->first_tick, l->last_tick);
    else if (l->kind == SKEIN_LOSS_UNKNOWN)
        fprintf(out, "%s, from tick %" PRIu64 " on ", shard_name(name, sizeof(name), m, l->shard),
                l->first_tick);
    if (l->segment != 0)
        fprintf(out, "(segment %" PRIu64, l->segment);
    if (l->segment != 0 && l->first_block != 0)
        fprintf(out, ", blocks %" PRIu64 " to %" PRIu64, l->first_block, l->last_block);
    if (l->segment != 0)
        fprintf(out, ", %" PRIu64 " bytes passed over) ", l->bytes);
    fprintf(out, "%s%s\n", l->kind == SKEIN_LOSS_FILE ? "" : "— ", l->what);
}

static void text(FILE *out, const struct skein_recovered *r) {
    const char *state = r->manifest.complete ? "complete"
                        : r->loss_count == 0 ? "all that was published is there"
                        : r->manifest.loss   ? "readable, with losses"
                                             : "incomplete";
    fprintf(out, "%s: %s%s\n", r->dir, state, r->changed ? "" : "; there was nothing to do");
    fprintf(out,
            "  %-10s %" PRIu64 " from files, %" PRIu64 " from shared memory; %" PRIu64
            " segments rewritten, %" PRIu64 " bytes passed over\n",
            "events", r->events_in_files, r->events_from_shards, r->segments_rewritten,
            r->passed_bytes);
    if (r->checkpoints_kept + r->checkpoints_dropped != 0)
        fprintf(out, "  %-10s %" PRIu64 " kept, %" PRIu64 " dropped%s%s\n", "checkpoints",
                r->checkpoints_kept, r->checkpoints_dropped,
                r->checkpoint_why.text[0] != '\0' ? ": " : "", r->checkpoint_why.text);
    if (r->session[0] != '\0')
        fprintf(out, "  %-10s %s: %s\n", "session", r->session,
                r->session_removed ? "all of it is on disk, and it is removed"
                                   : "kept, since not all of it could be used");
    for (size_t i = 0; i < r->loss_count; i++)
        text_loss(out, &r->manifest, &r->losses[i]);
}

static void json_losses(struct skein_json *j, const struct skein_recovered *r) {
    static const char *const kinds[] = {"events", "unknown", "file"};
    skein_json_open(j, "missing", '[');
    for (size_t i = 0; i < r->loss_count; i++) {
        const struct skein_loss *l = &r->losses[i];
        skein_json_open(j, NULL, '{');
        skein_json_string(j, "kind", kinds[l->kind]);
        skein_json_string(j, "what", l->what);
        if (l->kind != SKEIN_LOSS_FILE) {
            skein_json_u64(j, "shard", l->shard);
            skein_json_u64(j, "first_tick", l->first_tick);
        }
        if (l->kind == SKEIN_LOSS_EVENTS)
            skein_json_u64(j, "last_tick", l->last_tick);
        if (l->segment != 0)
            skein_json_u64(j, "segment", l->segment);
        if (l->first_block != 0) {
            skein_json_u64(j, "first_block", l->first_block);
            skein_json_u64(j, "last_block", l->last_block);
        }
        skein_json_u64(j, "bytes", l->bytes);
        skein_json_close(j, '}');
    }
    skein_json_close(j, ']');
}

static bool write_json(const struct skein_json_opt *opt, const struct skein_recovered *r) {
    FILE *out = skein_json_begin(opt);
    if (out == NULL)
        return false;
    struct skein_json j = {.out = out};
    skein_json_open(&j, NULL, '{');
    skein_report_json(&j, r->dir, &r->manifest);
    skein_json_bool(&j, "changed", r->changed);
    skein_json_u64(&j, "events_from_files", r->events_in_files);
    skein_json_u64(&j, "events_from_memory", r->events_from_shards);
    skein_json_u64(&j, "segments_rewritten", r->segments_rewritten);
    skein_json_u64(&j, "bytes_passed_over", r->passed_bytes);
    skein_json_u64(&j, "checkpoints_kept", r->checkpoints_kept);
    skein_json_u64(&j, "checkpoints_dropped", r->checkpoints_dropped);
    if (r->session[0] != '\0') {
        skein_json_string(&j, "session", r->session);
        skein_json_bool(&j, "session_removed", r->session_removed);
    }
    json_losses(&j, r);
    skein_json_close(&j, '}');
    return skein_json_end(out);
}

static int exit_code(int rc) {
    switch (rc) {
    case -ENOENT:
    case -ENOTDIR:
    case -EINVAL:
    case -EPROTO:
    case -EBUSY:
    case -EEXIST:
    case -EACCES:
    case -ENAMETOOLONG:
        return SKEIN_EXIT_USAGE;
    default:
        return SKEIN_EXIT_FAILED;
    }
}

static int recover(struct skein_recover_opts *opts, const struct skein_json_opt *json, bool quiet) {
    struct skein_progress progress;
    struct skein_recovered r;
    struct skein_error err = {""};
    skein_progress_init(&progress, quiet);
    opts->progress = draw;
    opts->opaque = &progress;
    int rc = skein_recover(opts, &r, &err);
    skein_progress_clear(&progress);
    int code = r.loss_count != 0 ? SKEIN_EXIT_INCOMPLETE : SKEIN_EXIT_OK;
    if (rc != 0) {
        code = skein_fail(exit_code(rc), "%s", err.text);
    } else {
        if (!quiet)
            text(stderr, &r);
        if (json->on && !write_json(json, &r))
            code = skein_fail(SKEIN_EXIT_USAGE, "cannot write the JSON");
    }
    skein_recovered_free(&r);
    return code;
}

int skein_cmd_recover(int argc, char **argv) {
    static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                            {"session", required_argument, NULL, 's'},
                                            {"json", optional_argument, NULL, 'j'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {NULL, 0, NULL, 0}};
    struct skein_recover_opts opts = {0};
    struct skein_json_opt json = {0};
    bool quiet = false;
    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, ":o:q", options, NULL)) != -1;) {
        if (found == 'o')
            opts.out = optarg;
        else if (found == 's')
            opts.session = optarg;
        else if (found == 'j')
            json = (struct skein_json_opt){.on = true, .file = optarg};
        else if (found == 'q')
            quiet = true;
        else
            return skein_fail_option("recover", argv, found);
    }
    if (optind + 1 != argc)
        return skein_fail(SKEIN_EXIT_USAGE,
                          "recover: which recording, or which session's file? One at a time");
    opts.source = argv[optind];
    return recover(&opts, &json, quiet);
}
