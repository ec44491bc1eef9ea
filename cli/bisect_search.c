/*
 * The search: verify; bracket; hypotheses in QEMU, or two sides side by side; then a trace of both
 * sides around the place.
 */
#include "cli/bisect.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/replay_report.h"

/* A block of translated code counts as a whole: positions within it are known to this. */
#define BLOCK_INSNS 600u
#define AROUND_INSNS 64u

const char *skein_bisect_side(const struct skein_bisect *b, int side) {
    if (side == 0)
        return "recorded";
    return b->outcome == SKEIN_BISECT_EVENT ? "right" : "reference";
}

static void fail(struct skein_bisect *b, int code, const char *what) {
    b->outcome = SKEIN_BISECT_FAILED;
    b->exit_code = skein_fail(code, "%s: %s", b->dir, what);
}

static int temp_file(struct skein_bisect *b, char *path, size_t size) {
    int ret = skein_trace_temp(path, size);
    if (ret != 0)
        fail(b, SKEIN_EXIT_FAILED, "cannot write a temporary file");
    return ret;
}

static void verify(struct skein_bisect *b) {
    struct skein_replay_opts run = b->run;
    struct skein_replay_result *r = &b->verified;
    /* Waits for the log where it matters, so that the difference is the same each time. */
    run.qemu_options = ",find=-";
    skein_replay_run(b->dir, &run, r);
    b->exit_code = skein_outcome_exit(r->outcome);
    if (r->outcome == SKEIN_OUTCOME_SAME || r->outcome == SKEIN_OUTCOME_INCOMPLETE)
        b->outcome = SKEIN_BISECT_SAME;
    else if (r->outcome == SKEIN_OUTCOME_DIVERGED && r->has_divergence)
        b->outcome = SKEIN_BISECT_BRACKET;
    else
        fail(b, b->exit_code, r->error.text);
}

/* A trace of one side into its file. */
static int trace(struct skein_bisect *b, int side, const char *dir,
                 const struct skein_replay_opts *opts, const char *more) {
    struct skein_replay_result *r = calloc(1, sizeof(*r));
    struct skein_error err = {0};
    if (r == NULL || temp_file(b, b->trace_path[side], sizeof(b->trace_path[side])) != 0) {
        free(r);
        return -ENOMEM;
    }
    skein_trace_run(dir, opts, &b->range, b->trace_path[side], more, r);
    int ret = 0;
    if (r->outcome == SKEIN_OUTCOME_UNREADABLE || r->outcome == SKEIN_OUTCOME_INTERRUPTED) {
        ret = -EIO;
        fail(b, skein_outcome_exit(r->outcome), r->error.text);
    } else if (skein_trace_open(b->trace_path[side], &b->trace[side], &err) != 0) {
        ret = -EIO;
        fail(b, SKEIN_EXIT_FAILED, err.text);
    }
    free(r);
    return ret;
}

/* Everything between the last right digest and the wrong one. */
static void take_bracket(struct skein_bisect *b) {
    const struct skein_divergence *d = &b->verified.divergence;
    b->range = (struct skein_trace_range){
        .vcpu = d->vcpu, .start = d->good_icount, .end = d->icount + BLOCK_INSNS};
}

static void compare_with_reference(struct skein_bisect *b) {
    struct skein_replay_opts other = b->run;
    if (b->reference_qemu != NULL)
        other.qemu = b->reference_qemu;
    take_bracket(b);
    if (trace(b, 0, b->dir, &b->run, "") != 0 ||
        trace(b, 1, b->reference != NULL ? b->reference : b->dir, &other, "") != 0)
        return;
    skein_trace_diff(&b->trace[0], &b->trace[1], &b->diff);
    b->outcome = b->diff.what == SKEIN_TRACE_NOTHING ? SKEIN_BISECT_BRACKET : SKEIN_BISECT_SIDES;
}

static bool read_finding(struct skein_bisect *b, const char *path) {
    b->finding = calloc(1, sizeof(*b->finding));
    FILE *f = fopen(path, "rb");
    bool ok = b->finding != NULL && f != NULL &&
              fread(b->finding, sizeof(*b->finding), 1, f) == 1 &&
              b->finding->magic == SKEIN_FINDING_MAGIC;
    if (f != NULL)
        fclose(f);
    return ok;
}

/* The instructions around the wrong event. */
static void take_place(struct skein_bisect *b) {
    const struct skein_finding *f = b->finding;
    uint64_t low = f->icount, high = f->icount, icount;
    if (skein_record_icount((const void *)f->recorded, &icount) && icount >= f->good_icount &&
        icount < low + BLOCK_INSNS)
        low = icount < low ? icount : low;
    if (skein_record_icount((const void *)f->right, &icount))
        high = icount > high ? icount : high;
    uint64_t first = f->shard == f->divergence.vcpu ? f->good_icount : 0;
    b->range = (struct skein_trace_range){
        .vcpu = f->shard,
        .start = low > first + BLOCK_INSNS ? low - BLOCK_INSNS : first,
        .end = high + AROUND_INSNS,
    };
}

static void trace_both(struct skein_bisect *b, const char *finding) {
    char more[512];
    take_place(b);
    if (b->range.vcpu >= b->verified.manifest.vcpu_count)
        return; /* devices execute nothing */
    snprintf(more, sizeof(more), ",find=-,override=%s", finding);
    if (trace(b, 0, b->dir, &b->run, ",find=-") == 0 && trace(b, 1, b->dir, &b->run, more) == 0)
        skein_trace_diff(&b->trace[0], &b->trace[1], &b->diff);
}

static void try_hypotheses(struct skein_bisect *b) {
    const struct skein_divergence *d = &b->verified.divergence;
    struct skein_replay_opts run = b->run;
    char path[256], options[768];
    if (d->vcpu >= b->verified.manifest.vcpu_count)
        return; /* no vCPU's digests enclose it */
    if (temp_file(b, path, sizeof(path)) != 0)
        return;
    snprintf(options, sizeof(options),
             ",find=%s,find-cpu=%" PRIu32 ",find-good=%" PRIu64 ",find-wrong=%" PRIu64
             ",find-jobs=%" PRIu32 ",find-seconds=%" PRIu32,
             path, d->vcpu, d->good_tick, d->tick, b->jobs, b->seconds);
    run.qemu_options = options;
    struct skein_replay_result *r = calloc(1, sizeof(*r));
    if (r != NULL) {
        skein_replay_run(b->dir, &run, r);
        if (!read_finding(b, path))
            fail(b,
                 r->outcome == SKEIN_OUTCOME_INTERRUPTED ? SKEIN_EXIT_INTERRUPTED
                                                         : SKEIN_EXIT_FAILED,
                 r->error.text);
        else if (b->finding->outcome == SKEIN_FINDING_EVENT)
            b->outcome = SKEIN_BISECT_EVENT;
    }
    if (b->outcome == SKEIN_BISECT_EVENT)
        trace_both(b, path);
    free(r);
    unlink(path);
}

void skein_bisect_search(struct skein_bisect *b) {
    verify(b);
    if (b->outcome != SKEIN_BISECT_BRACKET)
        return;
    if (b->reference != NULL || b->reference_qemu != NULL)
        compare_with_reference(b);
    else
        try_hypotheses(b);
    if (b->outcome == SKEIN_BISECT_BRACKET && b->trace[0].map == NULL &&
        b->verified.divergence.vcpu < b->verified.manifest.vcpu_count) {
        take_bracket(b);
        trace(b, 0, b->dir, &b->run, ",find=-");
    }
    if (b->outcome == SKEIN_BISECT_EVENT || b->outcome == SKEIN_BISECT_SIDES)
        b->exit_code = SKEIN_EXIT_FAILED;
    else if (b->outcome == SKEIN_BISECT_BRACKET)
        b->exit_code = SKEIN_EXIT_INCOMPLETE;
}

void skein_bisect_clean(struct skein_bisect *b) {
    for (int i = 0; i < 2; i++) {
        skein_trace_close(&b->trace[i]);
        if (b->trace_path[i][0] != '\0')
            unlink(b->trace_path[i]);
    }
    free(b->finding);
}
