/* skein verify: quietly, by several at once, one line for each recording. */
#include "cli/verify.h"

#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/fingerprint.h"
#include "cli/junit.h"
#include "cli/outfile.h"
#include "cli/qemu_probe.h"
#include "cli/report.h"
#include "cli/stage.h"
#include "cli/verify_pool.h"
#include "cli/verify_report.h"
#include "cli/verify_room.h"
#include "cli/verify_store.h"

#define WORKERS_MAX 1024u

struct verify_cmd {
    struct skein_replay_opts run;
    struct skein_json_opt json;
    const char *junit;
    const char *resume;
    uint32_t workers; /* 0: as many as there are processors */
    bool quiet;
};

static int parse(struct verify_cmd *c, int argc, char **argv) {
    static const struct option options[] = {
        {"jobs", required_argument, NULL, 'j'},  {"resume", required_argument, NULL, 'r'},
        {"junit", required_argument, NULL, 'x'}, {"qemu", required_argument, NULL, 'Q'},
        {"json", optional_argument, NULL, 'J'},  {"quiet", no_argument, NULL, 'q'},
        {"verbose", no_argument, NULL, 'v'},     {NULL, 0, NULL, 0},
    };
    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, ":qj:", options, NULL)) != -1;) {
        if (found == 'Q')
            c->run.qemu = optarg;
        else if (found == 'J')
            c->json = (struct skein_json_opt){.on = true, .file = optarg};
        else if (found == 'r')
            c->resume = optarg;
        else if (found == 'x')
            c->junit = optarg;
        else if (found == 'q')
            c->quiet = true;
        else if (found == 'v')
            c->run.verbose = true;
        else if (found != 'j')
            return skein_fail_option(argv[0], argv, found);
        else if (!skein_parse_u32(optarg, WORKERS_MAX, &c->workers))
            return skein_fail(SKEIN_EXIT_USAGE, "-j %s: 0 to %u replays at once, please", optarg,
                              WORKERS_MAX);
    }
    return optind < argc ? 0 : skein_fail(SKEIN_EXIT_USAGE, "%s: which recording?", argv[0]);
}

static uint32_t processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof(set), &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
}

struct printer {
    const struct verify_cmd *cmd;
    struct skein_json *json; /* NULL: lines */
};

static void print_recording(const struct skein_verify_recording *rec, void *opaque) {
    const struct printer *p = opaque;
    skein_verify_report_errors(rec);
    if (p->json == NULL)
        skein_verify_report_line(stdout, rec, p->cmd->quiet);
    else
        skein_verify_report_json(p->json, rec);
    fflush(stdout);
}

/* Those that were interrupted, unless nothing was done of them. */
static void print_rest(struct skein_verify *v, struct printer *p) {
    for (size_t i = 0; i < v->recording_count; i++) {
        const struct skein_verify_recording *rec = &v->recordings[i];
        if (rec->cases_done != 0 && rec->cases_done != rec->case_count)
            print_recording(rec, p);
    }
}

static int recall(struct skein_verify *v, const struct verify_cmd *c,
                  struct skein_verify_store *store, struct skein_error *err) {
    const uint64_t qemu = c->run.qemu_checked ? skein_fingerprint_program(c->run.qemu) : 0;
    for (size_t i = 0; i < v->recording_count; i++) {
        struct skein_verify_recording *rec = &v->recordings[i];
        if (!rec->has_manifest)
            continue;
        int ret = skein_fingerprint_dir(rec->dir, &rec->fingerprint, err);
        if (ret != 0)
            return ret;
        rec->fingerprint ^= qemu;
        skein_verify_store_recall(store, rec);
    }
    return 0;
}

static int exit_code(const struct skein_verify *v) {
    int code = SKEIN_EXIT_OK;
    for (size_t i = 0; i < v->recording_count; i++) {
        const struct skein_verify_recording *rec = &v->recordings[i];
        for (size_t k = 0; k < rec->case_count; k++) {
            const struct skein_verify_case *c = &rec->cases[k];
            code = skein_verify_worse(code, c->done ? skein_outcome_exit(c->outcome)
                                                    : SKEIN_EXIT_INTERRUPTED);
        }
    }
    return code;
}

static int write_junit(const struct skein_verify *v, const char *path) {
    struct skein_outfile out;
    int ret = skein_outfile_open(&out, path);
    if (ret == 0) {
        skein_junit_write(out.f, v);
        ret = skein_outfile_close(&out, true);
    }
    return ret == 0 ? 0 : skein_fail(SKEIN_EXIT_USAGE, "cannot write %s: %s", path, strerror(-ret));
}

static int verify(struct skein_verify *v, const struct verify_cmd *c, struct skein_json *json) {
    const uint32_t wanted = c->workers != 0 ? c->workers : processors();
    struct printer printer = {c, json};
    struct skein_verify_pool_opts opts = {
        .run = c->run,
        .workers = skein_verify_room(v, wanted),
        .quiet = c->quiet,
        .recording_done = print_recording,
        .opaque = &printer,
    };
    struct skein_error err = {""};
    int ret = 0;
    if (opts.workers < wanted && !c->quiet)
        skein_fail(0, "/dev/shm has room for %u of %u replays at once", opts.workers, wanted);
    if (c->resume != NULL)
        ret = skein_verify_store_open(c->resume, &opts.store, &err);
    if (ret == 0 && c->resume != NULL)
        ret = recall(v, c, opts.store, &err);
    if (ret == 0)
        ret = skein_verify_pool_run(v, &opts, &err);
    skein_verify_store_close(opts.store);
    print_rest(v, &printer);
    if (ret != 0)
        return skein_fail(SKEIN_EXIT_USAGE, "%s", err.text);
    ret = c->junit != NULL ? write_junit(v, c->junit) : 0;
    return skein_verify_worse(ret, exit_code(v));
}

/* Asks QEMU once, and not when there is nothing for it to do. */
static int check_qemu(struct verify_cmd *c, const struct skein_verify *v) {
    struct skein_error err;
    bool any = false;
    for (size_t i = 0; i < v->recording_count; i++)
        any = any || v->recordings[i].has_manifest;
    if (!any)
        return 0;
    if (skein_qemu_find_replayer(c->run.qemu, &c->run.qemu, &err) != 0)
        return skein_fail(SKEIN_EXIT_USAGE, "%s", err.text);
    c->run.qemu_checked = true;
    return 0;
}

static int verify_to_json(struct skein_verify *v, const struct verify_cmd *c) {
    FILE *out = skein_json_begin(&c->json);
    if (out == NULL)
        return skein_fail(SKEIN_EXIT_USAGE, "cannot write %s", c->json.file);
    struct skein_json j = {.out = out};
    skein_json_open(&j, NULL, '[');
    int code = verify(v, c, &j);
    skein_json_close(&j, ']');
    if (!skein_json_end(out))
        return skein_fail(SKEIN_EXIT_USAGE, "cannot write the JSON");
    return code;
}

int skein_cmd_verify(int argc, char **argv) {
    struct verify_cmd c = {.workers = 1};
    struct skein_verify v;
    struct skein_error err;
    int code = parse(&c, argc, argv);
    if (code != 0)
        return code;
    skein_stage_sweep();
    if (skein_verify_plan(argv + optind, &v, &err) != 0)
        code = skein_fail(SKEIN_EXIT_FAILED, "%s", err.text);
    if (code == 0)
        code = check_qemu(&c, &v);
    if (code == 0)
        code = c.json.on ? verify_to_json(&v, &c) : verify(&v, &c, NULL);
    skein_verify_free(&v);
    return code;
}
