#include "cli/replay_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/from.h"
#include "cli/replay_report.h"
#include "cli/trace_print.h"

static bool number(const char **at, const char *name, uint64_t *value) {
    size_t len = strlen(name);
    char *end;
    if (strncmp(*at, name, len) != 0 || (*at)[len] < '0' || (*at)[len] > '9')
        return false;
    errno = 0;
    *value = strtoull(*at + len, &end, 10);
    *at = *end == ',' ? end + 1 : end;
    return errno == 0 && (*end == ',' || *end == '\0');
}

bool skein_trace_range_parse(const char *text, struct skein_trace_range *range) {
    uint64_t vcpu;
    if (!number(&text, "cpu=", &vcpu) || !number(&text, "start=", &range->start) ||
        !number(&text, "end=", &range->end) || *text != '\0')
        return false;
    range->vcpu = (uint32_t)vcpu;
    return vcpu < SKEIN_MAX_VCPUS && range->start < range->end && range->end < INT64_MAX / 2;
}

int skein_trace_temp(char *path, size_t size) {
    const char *dir = getenv("TMPDIR");
    snprintf(path, size, "%s/skein-trace-XXXXXX", dir != NULL && *dir == '/' ? dir : "/tmp");
    int fd = mkstemp(path);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

void skein_trace_run(const char *dir, const struct skein_replay_opts *opts,
                     const struct skein_trace_range *range, const char *path,
                     const char *qemu_options, struct skein_replay_result *result) {
    struct skein_replay_opts run = *opts;
    char options[1024];
    snprintf(options, sizeof(options),
             ",trace=%s,trace-cpu=%" PRIu32 ",trace-start=%" PRIu64 ",trace-end=%" PRIu64 "%s",
             path, range->vcpu, range->start, range->end, qemu_options);
    run.qemu_options = options;
    skein_replay_run(dir, &run, result);
}

static int print_trace(struct skein_trace *trace, uint32_t shard_count,
                       const struct skein_json_opt *json) {
    struct skein_trace_print print;
    struct skein_out out;
    FILE *file = json->file != NULL ? fopen(json->file, "w") : stdout;
    if (file == NULL)
        return skein_fail(SKEIN_EXIT_USAGE, "cannot write %s", json->file);
    int code = SKEIN_EXIT_OK;
    if (skein_trace_print_open(&print, shard_count, json->on) != 0)
        return skein_fail(SKEIN_EXIT_FAILED, "out of memory");
    if (skein_out_init(&out, fileno(file)) != 0) {
        skein_trace_print_close(&print);
        return skein_fail(SKEIN_EXIT_FAILED, "out of memory");
    }
    while (skein_trace_next(trace) != NULL && out.error == 0) {
        skein_out_room(&out, SKEIN_TRACE_PRINT_MAX);
        skein_trace_print(&print, trace, &out);
    }
    if (!skein_out_flush(&out) && !skein_out_closed(&out))
        code = skein_fail(SKEIN_EXIT_USAGE, "cannot write the trace: %s", strerror(out.error));
    skein_out_free(&out);
    skein_trace_print_close(&print);
    if (file != stdout)
        fclose(file);
    return code;
}

/* The trace is out; what is to be said about the replay? */
static int judge(const struct skein_replay_cmd *c, const char *dir,
                 const struct skein_trace_range *range, const struct skein_replay_result *r,
                 const struct skein_trace *trace) {
    if (trace->ended)
        return SKEIN_EXIT_OK;
    if (r->outcome != SKEIN_OUTCOME_SAME && r->outcome != SKEIN_OUTCOME_INCOMPLETE) {
        skein_replay_report_line(stderr, dir, r);
        return skein_outcome_exit(r->outcome);
    }
    if (!c->quiet)
        skein_fail(0, "%s: vCPU %" PRIu32 " ends before icount %" PRIu64, dir, range->vcpu,
                   range->end);
    return trace->bytes > 0 ? skein_outcome_exit(r->outcome) : SKEIN_EXIT_USAGE;
}

static int show(struct skein_replay_cmd *c, const char *dir, const struct skein_trace_range *range,
                const char *path, struct skein_replay_result *r) {
    struct skein_trace trace;
    struct skein_epoch epoch;
    struct skein_error err = {0};
    if (skein_from_find_vcpu(dir, range->vcpu, range->start, &epoch, &err) != 0)
        return skein_fail(SKEIN_EXIT_USAGE, "%s", err.text);
    c->run.epoch = &epoch;
    skein_trace_run(dir, &c->run, range, path, "", r);
    if (r->outcome == SKEIN_OUTCOME_UNREADABLE)
        return skein_fail(SKEIN_EXIT_USAGE, "%s", r->error.text);
    if (skein_trace_open(path, &trace, &err) != 0)
        return skein_fail(SKEIN_EXIT_FAILED, "%s", err.text);
    int code = print_trace(&trace, r->manifest.vcpu_count + 1, &c->json);
    if (code == SKEIN_EXIT_OK)
        code = judge(c, dir, range, r, &trace);
    skein_trace_close(&trace);
    return code;
}

int skein_replay_log(struct skein_replay_cmd *c, const char *dir, const char *text) {
    struct skein_trace_range range;
    char path[256];
    if (!skein_trace_range_parse(text, &range))
        return skein_fail(SKEIN_EXIT_USAGE,
                          "replay: --log is cpu=N,start=ICOUNT,end=ICOUNT, not %s", text);
    int ret = skein_trace_temp(path, sizeof(path));
    if (ret != 0)
        return skein_fail(SKEIN_EXIT_FAILED, "cannot write %s: %s", path, strerror(-ret));
    struct skein_replay_result *r = calloc(1, sizeof(*r));
    int code =
        r == NULL ? skein_fail(SKEIN_EXIT_FAILED, "out of memory") : show(c, dir, &range, path, r);
    unlink(path);
    free(r);
    return code;
}
