/* skein replay: everything is shown. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/from.h"
#include "cli/replay_cmd.h"
#include "cli/replay_log.h"
#include "cli/replay_report.h"
#include "cli/report.h"

static void say_result(const char *dir, const struct skein_replay_result *r) {
    if (r->outcome == SKEIN_OUTCOME_SAME || r->outcome == SKEIN_OUTCOME_INCOMPLETE) {
        skein_report_text(stderr, dir, &r->manifest);
        fprintf(stderr, "  %-10s %.2f s, %.0f k events/s; the recording took %.2f s\n", "replay",
                (double)r->duration_ns / 1e9,
                r->duration_ns > 0 ? (double)r->events_done * 1e6 / (double)r->duration_ns : 0,
                (double)r->manifest.duration_ns / 1e9);
    }
    if (r->outcome == SKEIN_OUTCOME_DIVERGED)
        skein_replay_report_divergence(stderr, r);
    skein_replay_report_line(stderr, dir, r);
}

/* What replay alone takes. */
struct own {
    const char *log;
    const char *from;
    struct skein_epoch epoch; /* from there to the end */
};

static bool gdb_option(struct skein_replay_cmd *c, const char *port) {
    c->run.gdb = true;
    c->run.qemu_options = ",debug=on";
    return port == NULL || skein_parse_u32(port, UINT16_MAX, &c->run.gdb_port);
}

static int own_option(struct skein_replay_cmd *c, struct own *own, int found, char **argv) {
    if (found == 'l')
        own->log = optarg;
    else if (found == 'f')
        own->from = optarg;
    else if (found == 'V')
        c->run.vmlinux = optarg;
    else if (found == 'e' && !skein_parse_seconds(optarg, &c->run.epoch_ms))
        return skein_fail(SKEIN_EXIT_USAGE, "replay: --epoch %s: it must be seconds, like 2 or 0.5",
                          optarg);
    else if (found == 'g' && !gdb_option(c, optarg))
        return skein_fail(SKEIN_EXIT_USAGE, "replay: --gdb=%s is no port", optarg);
    else if (found != 'e' && found != 'g' && !skein_replay_cmd_option(c, found))
        return skein_fail_option("replay", argv, found);
    return 0;
}

static int parse(struct skein_replay_cmd *c, struct own *own, int argc, char **argv) {
    static const struct option options[] = {
        {"gdb", optional_argument, NULL, 'g'},     {"log", required_argument, NULL, 'l'},
        {"from", required_argument, NULL, 'f'},    {"epoch", required_argument, NULL, 'e'},
        {"qemu", required_argument, NULL, 'Q'},    {"json", optional_argument, NULL, 'j'},
        {"quiet", no_argument, NULL, 'q'},         {"verbose", no_argument, NULL, 'v'},
        {"vmlinux", required_argument, NULL, 'V'}, {NULL, 0, NULL, 0},
    };
    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, ":q", options, NULL)) != -1;) {
        int code = own_option(c, own, found, argv);
        if (code != 0)
            return code;
    }
    if (c->run.gdb && c->run.epoch_ms != 0)
        return skein_fail(SKEIN_EXIT_USAGE, "replay: --epoch is not for a replay under gdb");
    if (c->run.vmlinux != NULL && !c->run.gdb)
        return skein_fail(SKEIN_EXIT_USAGE, "replay: --vmlinux is for --gdb");
    if (c->run.gdb && own->log != NULL)
        return skein_fail(SKEIN_EXIT_USAGE, "replay: --gdb or --log, not both");
    if (optind >= argc)
        return skein_fail(SKEIN_EXIT_USAGE, "replay: which recording?");
    if (optind + 1 != argc)
        return skein_fail(SKEIN_EXIT_USAGE, "replay: one recording at a time");
    return 0;
}

int skein_cmd_replay(int argc, char **argv) {
    struct skein_replay_cmd c = {0};
    struct own own = {0};
    struct skein_error err;
    int code = parse(&c, &own, argc, argv);
    if (code != 0)
        return code;
    const char *dir = argv[optind];
    if (own.log != NULL)
        return skein_replay_log(&c, dir, own.log);
    if (own.from != NULL && skein_from_find(dir, own.from, &own.epoch, &err) != 0)
        return skein_fail(SKEIN_EXIT_USAGE, "replay: %s", err.text);
    if (own.from != NULL)
        c.run.epoch = &own.epoch;
    c.run.show = !c.quiet && !(c.json.on && c.json.file == NULL);
    struct skein_replay_result *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return skein_fail(SKEIN_EXIT_FAILED, "out of memory");
    skein_replay_run(dir, &c.run, r);
    if (r->outcome == SKEIN_OUTCOME_UNREADABLE)
        skein_fail(SKEIN_EXIT_USAGE, "%s", r->error.text);
    else if (!c.quiet || r->outcome != SKEIN_OUTCOME_SAME)
        say_result(dir, r);
    FILE *out = c.json.on ? skein_json_begin(&c.json) : NULL;
    code = skein_outcome_exit(r->outcome);
    if (out != NULL) {
        struct skein_json j = {.out = out};
        skein_replay_cmd_json(&j, dir, r);
        skein_json_end(out);
    } else if (c.json.on) {
        code = skein_fail(SKEIN_EXIT_USAGE, "cannot write %s", c.json.file);
    }
    free(r);
    return code;
}
