/* skein collect: its options, and what it tells QEMU. */
#include "cli/collect.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/record.h"
#include "pipeline/session_map.h"

/* One object, with what fill() puts into it. */
static int tell(int fd, void (*fill)(struct skein_json *j, const void *what), const void *what) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return -errno;
    struct skein_json j = {.out = out};
    skein_json_open(&j, NULL, '{');
    fill(&j, what);
    skein_json_close(&j, '}');
    fputc('\n', out);
    int ret = fclose(out) == 0 ? 0 : -ENOMEM;
    if (ret == 0 && send(fd, text, size, MSG_NOSIGNAL) != (ssize_t)size)
        ret = errno != 0 ? -errno : -EIO;
    free(text);
    return ret;
}

struct session {
    const struct skein_stage *stage;
    const char *dir;
};

static void fill_session(struct skein_json *j, const void *what) {
    const struct session *s = what;
    skein_json_string(j, "session", skein_session_name(s->stage->session));
    skein_json_string(j, "snapshot", s->stage->snapshot);
    skein_json_string(j, "console", s->stage->console);
    skein_json_string(j, "path", s->dir);
}

int skein_collect_tell_session(int fd, const struct skein_stage *stage, const char *dir) {
    const struct session s = {.stage = stage, .dir = dir};
    return tell(fd, fill_session, &s);
}

static void fill_error(struct skein_json *j, const void *what) {
    skein_json_string(j, "error", what);
}

int skein_collect_tell_error(int fd, const char *text) {
    return tell(fd, fill_error, text);
}

struct end {
    const char *dir;
    const struct skein_manifest *m;
};

static void fill_end(struct skein_json *j, const void *what) {
    const struct end *e = what;
    skein_json_string(j, "path", e->dir);
    skein_json_bool(j, "complete", e->m->complete);
    if (e->m->end_reason[0] != '\0')
        skein_json_string(j, "reason", e->m->end_reason);
    skein_json_u64(j, "events", skein_stats_events(&e->m->stats));
    skein_json_u64(j, "bytes", e->m->stats.disk_bytes);
    skein_json_u64(j, "slices", e->m->stats.slices);
}

int skein_collect_tell_end(int fd, const char *dir, const struct skein_manifest *m) {
    const struct end e = {.dir = dir, .m = m};
    return tell(fd, fill_end, &e);
}

enum opt { OPT_FD = 256, OPT_MACHINE, OPT_CPU, OPT_MEMORY, OPT_SMP, OPT_QEMU_VERSION };

static const struct option options[] = {
    {"output", required_argument, NULL, 'o'},
    {"fd", required_argument, NULL, OPT_FD},
    {"machine", required_argument, NULL, OPT_MACHINE},
    {"cpu", required_argument, NULL, OPT_CPU},
    {"memory", required_argument, NULL, OPT_MEMORY},
    {"smp", required_argument, NULL, OPT_SMP},
    {"qemu-version", required_argument, NULL, OPT_QEMU_VERSION},
    {NULL, 0, NULL, 0},
};

static bool parse_option(int option, const char *value, struct skein_record_opts *o) {
    uint32_t fd = 0;
    switch (option) {
    case 'o':
        o->dir = value;
        return *value != '\0';
    case OPT_FD:
        if (!skein_parse_u32(value, INT_MAX, &fd))
            return false;
        o->vm_fd = (int)fd;
        return true;
    case OPT_MACHINE:
        o->machine.machine = value;
        return true;
    case OPT_CPU:
        o->machine.cpu = value;
        return true;
    case OPT_MEMORY:
        return skein_parse_size(value, &o->machine.memory_bytes);
    case OPT_SMP:
        return skein_parse_u32(value, SKEIN_MAX_VCPUS, &o->machine.vcpus) && o->machine.vcpus > 0;
    default:
        o->qemu_version = value;
        return true;
    }
}

static bool is_socket(int fd) {
    int type;
    socklen_t size = sizeof(type);
    return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

int skein_cmd_collect(int argc, char **argv) {
    struct skein_record_opts o = {
        .vm = SKEIN_VM_ASKED,
        .vm_fd = -1,
        .start = {.when = SKEIN_WHEN_EDGE, .word = "rr_record"},
        .stop = {.when = SKEIN_WHEN_EDGE, .word = "rr_end_record"},
        .durability = SKEIN_DURABILITY_SEGMENT,
        .quiet = true,
        .verbose = true,
    };

    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, "+:o:", options, NULL)) != -1;) {
        if (found == '?' || found == ':')
            return skein_fail_option("collect", argv, found);
        if (!parse_option(found, optarg, &o))
            return skein_fail(SKEIN_EXIT_USAGE, "collect: %s is not what %s takes", optarg,
                              argv[optind - 2]);
    }
    if (optind < argc || o.dir == NULL || o.machine.machine == NULL || o.machine.cpu == NULL ||
        o.machine.memory_bytes == 0 || o.machine.vcpus == 0 || o.qemu_version == NULL ||
        !is_socket(o.vm_fd))
        return skein_fail(SKEIN_EXIT_USAGE,
                          "collect: QEMU starts it, for rr_record in its monitor");
    fcntl(o.vm_fd, F_SETFD, FD_CLOEXEC);
    if (access(o.dir, F_OK) == 0) {
        char why[PATH_MAX + 64];
        snprintf(why, sizeof(why), "%s exists already: choose another name", o.dir);
        skein_collect_tell_error(o.vm_fd, why);
        return SKEIN_EXIT_USAGE;
    }
    return skein_record_run(&o, NULL);
}
