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

/* Asks QEMU; false: it could not be asked. */
static bool ask(struct skein_bisect *b, enum skein_finding_task task) {
    b->finding.magic = SKEIN_FINDING_MAGIC;
    b->finding.task = task;
    b->finding.jobs = b->jobs;
    b->finding.seconds = b->seconds;
    FILE *f = fopen(b->finding_path, "wb");
    bool ok = f != NULL && fwrite(&b->finding, sizeof(b->finding), 1, f) == 1;
    ok = f != NULL && fclose(f) == 0 && ok;
    if (!ok)
        fail(b, SKEIN_EXIT_FAILED, "cannot write a temporary file");
    snprintf(b->find, sizeof(b->find), ",find=%s", b->finding_path);
    return ok;
}

static void verify(struct skein_bisect *b) {
    struct skein_replay_opts run = b->run;
    struct skein_replay_result *r = &b->verified;
    if (temp_file(b, b->finding_path, sizeof(b->finding_path)) != 0 || !ask(b, SKEIN_TASK_VERIFY))
        return;
    run.qemu_options = b->find;
    skein_replay_run(b->dir, &run, r);
    b->finding.divergence = r->divergence;
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

/* The answer. */
static bool read_finding(struct skein_bisect *b) {
    struct skein_finding *f = &b->finding;
    const struct skein_record *events[] = {(const void *)f->recorded, (const void *)f->right};
    FILE *file = fopen(b->finding_path, "rb");
    bool ok = file != NULL && fread(f, sizeof(*f), 1, file) == 1 &&
              f->magic == SKEIN_FINDING_MAGIC && f->answered != 0 && f->way <= SKEIN_WAY_TRIED;
    for (int i = 0; i < 2 && ok && f->outcome == SKEIN_FINDING_EVENT; i++)
        ok = events[i]->size_bytes >= sizeof(*events[i]) &&
             events[i]->size_bytes <= sizeof(f->right);
    if (file != NULL)
        fclose(file);
    return ok;
}

/* The instructions around the wrong event. */
static void take_place(struct skein_bisect *b) {
    const struct skein_finding *f = &b->finding;
    const struct skein_divergence *d = &f->divergence;
    uint64_t low = f->icount, high = f->icount, icount;
    if (skein_record_icount((const void *)f->recorded, &icount) && icount >= d->good_icount &&
        icount < low + BLOCK_INSNS)
        low = icount < low ? icount : low;
    if (skein_record_icount((const void *)f->right, &icount))
        high = icount > high ? icount : high;
    uint64_t first = f->shard == d->vcpu ? d->good_icount : 0;
    b->range = (struct skein_trace_range){
        .vcpu = f->shard,
        .start = low > first + BLOCK_INSNS ? low - BLOCK_INSNS : first,
        .end = high + AROUND_INSNS,
    };
}

static void trace_both(struct skein_bisect *b) {
    take_place(b);
    if (b->range.vcpu < b->verified.manifest.vcpu_count && ask(b, SKEIN_TASK_VERIFY) &&
        trace(b, 0, b->dir, &b->run, b->find) == 0 && ask(b, SKEIN_TASK_APPLY) &&
        trace(b, 1, b->dir, &b->run, b->find) == 0)
        skein_trace_diff(&b->trace[0], &b->trace[1], &b->diff);
}

static void try_hypotheses(struct skein_bisect *b) {
    struct skein_replay_opts run = b->run;
    struct skein_replay_result *r = calloc(1, sizeof(*r));
    run.qemu_options = b->find;
    if (r == NULL || !ask(b, SKEIN_TASK_SEARCH)) {
        free(r);
        return;
    }
    skein_replay_run(b->dir, &run, r);
    if (!read_finding(b))
        fail(b,
             r->outcome == SKEIN_OUTCOME_INTERRUPTED ? SKEIN_EXIT_INTERRUPTED : SKEIN_EXIT_FAILED,
             r->error.text);
    else if (b->finding.outcome == SKEIN_FINDING_EVENT)
        b->outcome = SKEIN_BISECT_EVENT;
    free(r);
    if (b->outcome == SKEIN_BISECT_EVENT)
        trace_both(b);
}

/* The vCPU whose digests enclose the difference; not when RAM or the console differ at the end. */
static bool has_bracket(const struct skein_bisect *b) {
    return b->verified.divergence.vcpu < b->verified.manifest.vcpu_count;
}

static void search(struct skein_bisect *b) {
    if (b->reference != NULL || b->reference_qemu != NULL)
        compare_with_reference(b);
    else
        try_hypotheses(b);
    if (b->outcome == SKEIN_BISECT_BRACKET && b->trace[0].map == NULL) {
        take_bracket(b);
        if (ask(b, SKEIN_TASK_VERIFY))
            trace(b, 0, b->dir, &b->run, b->find);
    }
}

void skein_bisect_search(struct skein_bisect *b) {
    verify(b);
    if (b->outcome == SKEIN_BISECT_BRACKET && has_bracket(b))
        search(b);
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
    if (b->finding_path[0] != '\0')
        unlink(b->finding_path);
}
