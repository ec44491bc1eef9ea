/* skein cat: the events of a recording, in canonical order. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/event_clock.h"
#include "cli/event_filter.h"
#include "cli/event_print.h"
#include "cli/open.h"

/*
 * Times begin to be right with the guest's next read of its counter, of which there are many in
 * each block.
 */
#define LEAD_IN_BLOCKS 2u

struct cat {
    struct skein_event_filter filter;
    uint64_t limit;
    struct skein_json_opt json;
    struct skein_event_print print;
    struct skein_out out;
    struct skein_event_clock clock;
};

/*
 * 0: all that was asked for is out; negative errno: err says what is wrong. With a plan, -EAGAIN:
 * nothing is out, since the blocks of the plan do not tell the time.
 */
static int print_events(struct cat *c, struct skein_opened *o, bool planned,
                        struct skein_error *err) {
    struct skein_event event;
    int rc = 1;
    skein_event_clock_init(&c->clock, skein_recording_manifest(o->rec));
    while (c->limit > 0 && c->out.error == 0 && (rc = skein_open_next(o, &event, err)) == 1) {
        const uint64_t now_ns = skein_event_clock_ns(&c->clock, &event);
        if (now_ns > c->filter.time_ns.last)
            return 0;
        if (!skein_event_filter_has(&c->filter, c->print.shard_count, &event, now_ns))
            continue;
        if (planned && c->clock.behind)
            return -EAGAIN;
        planned = false;
        skein_out_room(&c->out, SKEIN_EVENT_PRINT_MAX);
        skein_event_print(&c->print, &c->out, &event, now_ns);
        skein_out_char(&c->out, '\n');
        c->limit--;
    }
    return rc < 0 ? rc : 0;
}

/*
 * Reads the blocks that the filters need, or all of them where they do not tell the time: without
 * the rate of the guest's counter, or its reads, time is counted in instructions from the start.
 */
static int print_recording(struct cat *c, struct skein_opened *o) {
    struct skein_block_plan *plan = NULL;
    struct skein_block_want want;
    struct skein_error err;
    int rc = skein_open_reader(o, &err);
    skein_event_filter_want(&c->filter, c->print.shard_count, &want);
    want.lead_in = LEAD_IN_BLOCKS;
    if (rc == 0 && skein_event_filter_skips(&c->filter) &&
        skein_recording_manifest(o->rec)->tsc_hz != 0)
        rc = skein_open_plan(o, &want, &plan, &err);
    if (rc == 0)
        rc = print_events(c, o, plan != NULL, &err);
    if (rc == -EAGAIN && (rc = skein_open_reader(o, &err)) == 0)
        rc = print_events(c, o, false, &err);
    skein_block_plan_free(plan);
    skein_out_flush(&c->out);
    return rc == 0 ? SKEIN_EXIT_OK : skein_fail(SKEIN_EXIT_USAGE, "cat: %s", err.text);
}

static int check_vcpus(const struct cat *c) {
    for (uint32_t v = c->print.shard_count - 1; c->filter.by_shard && v < SKEIN_MAX_VCPUS; v++)
        if (c->filter.vcpu[v])
            return skein_fail(SKEIN_EXIT_USAGE,
                              "cat: --vcpu %" PRIu32 ": the recording has %" PRIu32 " vCPUs", v,
                              c->print.shard_count - 1);
    return SKEIN_EXIT_OK;
}

static int written(const struct cat *c, int fd) {
    if (c->out.error != 0 && !skein_out_closed(&c->out))
        return skein_fail(SKEIN_EXIT_USAGE, "cat: cannot write: %s", strerror(c->out.error));
    if (fd != STDOUT_FILENO && close(fd) != 0)
        return skein_fail(SKEIN_EXIT_USAGE, "cat: cannot write: %s", strerror(errno));
    return SKEIN_EXIT_OK;
}

static int cat(struct cat *c, const char *dir, int fd) {
    struct skein_event_names *names = NULL;
    struct skein_opened opened;
    if (!skein_open_readable(&opened, "cat", dir))
        return SKEIN_EXIT_USAGE;
    c->print.shard_count = skein_recording_shard_count(opened.rec);
    c->print.json = c->json.on;
    int code = check_vcpus(c);
    if (code == SKEIN_EXIT_OK &&
        (skein_event_names_create(&names) != 0 || skein_out_init(&c->out, fd) != 0))
        code = skein_fail(SKEIN_EXIT_FAILED, "cat: out of memory");
    if (code == SKEIN_EXIT_OK) {
        c->print.names = names;
        code = print_recording(c, &opened);
    }
    const int lost = skein_open_finish(&opened);
    const int put = written(c, fd);
    skein_out_free(&c->out);
    skein_event_names_free(names);
    return code != SKEIN_EXIT_OK ? code : put != SKEIN_EXIT_OK ? put : lost;
}

static bool take_option(struct cat *c, int found) {
    switch (found) {
    case 'k':
        return skein_event_filter_kinds(&c->filter, optarg);
    case 'v':
        return skein_event_filter_vcpus(&c->filter, optarg);
    case 't':
        return skein_range_parse(&c->filter.tick, optarg);
    case 's':
        return skein_range_parse(&c->filter.slice, optarg);
    case 'T':
        return skein_range_parse_seconds(&c->filter.time_ns, optarg);
    case 'n': {
        struct skein_range r;
        bool good = skein_range_parse(&r, optarg) && r.first == r.last;
        c->limit = r.first;
        return good;
    }
    case 'b':
        c->print.all_bytes = true;
        return true;
    default:
        c->json = (struct skein_json_opt){.on = true, .file = optarg};
        return true;
    }
}

int skein_cmd_cat(int argc, char **argv) {
    static const struct option options[] = {
        {"kind", required_argument, NULL, 'k'},
        {"vcpu", required_argument, NULL, 'v'},
        {"tick", required_argument, NULL, 't'},
        {"slice", required_argument, NULL, 's'},
        {"time", required_argument, NULL, 'T'},
        {"limit", required_argument, NULL, 'n'},
        {"bytes", no_argument, NULL, 'b'},
        {"json", optional_argument, NULL, 'j'},
        {NULL, 0, NULL, 0},
    };
    struct cat c = {.limit = UINT64_MAX};
    int fd = STDOUT_FILENO, at = 0;
    skein_event_filter_init(&c.filter);
    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, ":", options, &at)) != -1;) {
        if (found == '?' || found == ':')
            return skein_fail_option("cat", argv, found);
        if (!take_option(&c, found))
            return skein_fail(SKEIN_EXIT_USAGE, "cat: --%s %s is not possible (see skein help cat)",
                              options[at].name, optarg);
    }
    if (optind + 1 != argc)
        return skein_fail(SKEIN_EXIT_USAGE, "cat: which recording? One at a time");
    if (c.json.file != NULL && strcmp(c.json.file, "-") != 0)
        fd = open(c.json.file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return skein_fail(SKEIN_EXIT_USAGE, "cat: cannot write %s: %s", c.json.file,
                          strerror(errno));
    return cat(&c, argv[optind], fd);
}
