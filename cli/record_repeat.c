/* skein record --until: one recording after the other, until one has caught the failure. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/progress.h"
#include "cli/record.h"
#include "cli/report.h"

struct run {
    uint32_t chaos;
    uint64_t duration_ns;
    bool caught;
};

struct repeat {
    const struct skein_record_opts *opts;
    uint32_t most; /* runs */
    uint32_t done;
    struct run *runs; /* `most` of them */
    struct skein_record_outcome last;
};

/* The first run has the seed as it was given, so that any run's seed can be given again. */
static uint32_t seed_of(uint32_t seed, uint32_t run) {
    uint64_t z = ((uint64_t)seed << 32 | run) * 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 32) * 0xd6e8feb86659fd93ull;
    if (seed == 0 || run == 1)
        return seed;
    return (uint32_t)(z >> 32) != 0 ? (uint32_t)(z >> 32) : 1;
}

/* " --chaos SEED", or nothing. */
static const char *seed_text(uint32_t seed, char *buf, size_t size) {
    buf[0] = '\0';
    if (seed != 0)
        snprintf(buf, size, " --chaos %" PRIu32, seed);
    return buf;
}

static void say_run(const struct repeat *r, const struct run *run) {
    char seed[32];
    if (r->opts->quiet)
        return;
    fflush(stdout);
    fprintf(stderr, "run %" PRIu32 " of %" PRIu32 "%s: %.2f s, %s\n", r->done, r->most,
            seed_text(run->chaos, seed, sizeof(seed)), (double)run->duration_ns / 1e9,
            run->caught           ? r->last.what
            : !r->last.began      ? "did not begin"
            : r->last.interrupted ? "interrupted"
                                  : "not found");
}

/* The next recording; its exit code. */
static int run_next(struct repeat *r) {
    struct skein_record_opts opts = *r->opts;
    struct run *run = &r->runs[r->done++];
    uint64_t begin_ns = skein_now_ns();
    opts.chaos = run->chaos = seed_of(r->opts->chaos, r->done);
    r->last = (struct skein_record_outcome){0};
    int code = skein_record_run(&opts, &r->last);
    if (code == SKEIN_EXIT_FAILED && !r->last.began && r->done > 1)
        code = SKEIN_EXIT_OK; /* it has been said; other runs did better */
    run->duration_ns = skein_now_ns() - begin_ns;
    run->caught = r->last.caught;
    say_run(r, run);
    return code;
}

static void json_run(struct skein_json *j, const struct run *run, uint32_t number) {
    skein_json_open(j, NULL, '{');
    skein_json_u64(j, "run", number);
    skein_json_u64(j, "seed", run->chaos);
    skein_json_f64(j, "seconds", (double)run->duration_ns / 1e9);
    skein_json_bool(j, "found", run->caught);
    skein_json_close(j, '}');
}

static bool write_json(const struct repeat *r) {
    FILE *out = skein_json_begin(&r->opts->json);
    struct skein_json j = {.out = out};
    if (out == NULL)
        return false;
    skein_json_open(&j, NULL, '{');
    skein_json_string(&j, "until", r->opts->until.word);
    skein_json_bool(&j, "found", r->last.caught);
    if (r->last.caught)
        skein_json_string(&j, "what", r->last.what);
    skein_json_open(&j, "runs", '[');
    for (uint32_t i = 0; i < r->done; i++)
        json_run(&j, &r->runs[i], i + 1);
    skein_json_close(&j, ']');
    if (r->last.caught) {
        skein_json_open(&j, "recording", '{');
        skein_report_json(&j, r->opts->dir, &r->last.manifest);
        skein_json_close(&j, '}');
    }
    skein_json_close(&j, '}');
    return skein_json_end(out);
}

static int conclude(const struct repeat *r, int code) {
    char seed[32];
    const struct run *last = &r->runs[r->done - 1];
    if (r->opts->json.on && !write_json(r))
        return skein_fail(SKEIN_EXIT_FAILED, "cannot write %s", r->opts->json.file);
    if (r->last.caught && !r->opts->quiet)
        fprintf(stderr, "skein: found in run %" PRIu32 " of %" PRIu32 "%s: %s\n", r->done, r->most,
                seed_text(last->chaos, seed, sizeof(seed)), r->opts->dir);
    if (r->last.caught || code != SKEIN_EXIT_OK)
        return code;
    if (r->last.interrupted)
        return skein_fail(SKEIN_EXIT_INTERRUPTED, "interrupted; %s was in none of %" PRIu32 " runs",
                          r->opts->until.word, r->done);
    return skein_fail(SKEIN_EXIT_NOT_FOUND, "%s was in none of %" PRIu32 " runs; nothing is kept",
                      r->opts->until.word, r->done);
}

int skein_record_repeat(const struct skein_record_opts *opts) {
    struct repeat r = {.opts = opts, .most = opts->repeat > 0 ? opts->repeat : 1};
    r.runs = calloc(r.most, sizeof(*r.runs));
    if (r.runs == NULL)
        return skein_fail(SKEIN_EXIT_FAILED, "out of memory");
    int code = SKEIN_EXIT_OK;
    while (code == SKEIN_EXIT_OK && r.done < r.most && !r.last.caught && !r.last.interrupted)
        code = run_next(&r);
    code = conclude(&r, code);
    free(r.runs);
    return code;
}
