/* skein record: its options. */
#include "cli/record.h"

#include <getopt.h>
#include <string.h>

#include "cli/attach.h"
#include "cli/textmatch.h"

enum opt {
    OPT_KERNEL = 256,
    OPT_ATTACH,
    OPT_PRINT_ARGS,
    OPT_INITRD,
    OPT_APPEND,
    OPT_SMP,
    OPT_MEMORY,
    OPT_CPU,
    OPT_SCOPE,
    OPT_START,
    OPT_STOP,
    OPT_DURABILITY,
    OPT_EPOCH,
    OPT_TIMEOUT,
    OPT_HUGE_PAGES,
    OPT_UNTIL,
    OPT_REPEAT,
    OPT_CHAOS,
    OPT_QEMU,
    OPT_JSON,
    OPT_VERBOSE,
};

static const struct option options[] = {
    {"output", required_argument, NULL, 'o'},
    {"attach", required_argument, NULL, OPT_ATTACH},
    {"print-args", no_argument, NULL, OPT_PRINT_ARGS},
    {"kernel", required_argument, NULL, OPT_KERNEL},
    {"initrd", required_argument, NULL, OPT_INITRD},
    {"append", required_argument, NULL, OPT_APPEND},
    {"smp", required_argument, NULL, OPT_SMP},
    {"memory", required_argument, NULL, OPT_MEMORY},
    {"cpu", required_argument, NULL, OPT_CPU},
    {"scope", required_argument, NULL, OPT_SCOPE},
    {"start", required_argument, NULL, OPT_START},
    {"stop", required_argument, NULL, OPT_STOP},
    {"durability", required_argument, NULL, OPT_DURABILITY},
    {"epoch", required_argument, NULL, OPT_EPOCH},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"huge-pages", no_argument, NULL, OPT_HUGE_PAGES},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"repeat", required_argument, NULL, OPT_REPEAT},
    {"chaos", required_argument, NULL, OPT_CHAOS},
    {"qemu", required_argument, NULL, OPT_QEMU},
    {"json", optional_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, OPT_VERBOSE},
    {NULL, 0, NULL, 0},
};

static int bad_value(const char *option, const char *value, const char *wanted) {
    return skein_fail(SKEIN_EXIT_USAGE, "record: --%s %s: it must be %s", option, value, wanted);
}

/* edge: the word for SKEIN_WHEN_EDGE, "boot" or "exit". */
static bool parse_trigger(const char *value, const char *edge, struct skein_trigger *t) {
    static const char console[] = "console:";
    t->word = value;
    if (strcmp(value, edge) == 0) {
        t->when = SKEIN_WHEN_EDGE;
    } else if (strcmp(value, "guest") == 0) {
        t->when = SKEIN_WHEN_GUEST;
    } else {
        t->when = SKEIN_WHEN_CONSOLE;
        t->text = value + sizeof(console) - 1;
        return strncmp(value, console, sizeof(console) - 1) == 0 && *t->text != '\0' &&
               strlen(t->text) < SKEIN_TEXT_MAX - sizeof(console);
    }
    return true;
}

/* The place of a word in a NULL-terminated list; -1: it is not there. */
static int find_word(const char *word, const char *const *list) {
    for (int i = 0; list[i] != NULL; i++)
        if (strcmp(word, list[i]) == 0)
            return i;
    return -1;
}

static int parse_scope(const char *value, struct skein_record_opts *o) {
    static const char *const words[] = {"kernel", "system", NULL}; /* as enum skein_scope */
    int i = find_word(value, words);
    if (i < 0)
        return bad_value("scope", value, "kernel or system");
    o->scope = (enum skein_scope)i;
    return 0;
}

static int parse_durability(const char *value, struct skein_record_opts *o) {
    static const char *const words[] = {"none", "segment", "block", NULL}; /* as the enum */
    int i = find_word(value, words);
    if (i < 0)
        return bad_value("durability", value, "none, segment or block");
    o->durability = (enum skein_durability)i;
    return 0;
}

static int parse_machine(int option, const char *value, struct skein_record_opts *o) {
    if (option == OPT_SMP && (!skein_parse_u32(value, UINT32_MAX, &o->machine.vcpus) ||
                              o->machine.vcpus == 0 || o->machine.vcpus > SKEIN_MAX_VCPUS))
        return bad_value("smp", value, "1 to 64 vCPUs");
    if (option == OPT_MEMORY &&
        (!skein_parse_size(value, &o->machine.memory_bytes) ||
         o->machine.memory_bytes < 16u << 20 || o->machine.memory_bytes % (1u << 20) != 0))
        return bad_value("memory", value, "whole MiB, at least 16M");
    return 0;
}

static int parse_option(int option, const char *value, struct skein_record_opts *o) {
    switch (option) {
    case 'o':
        o->dir = value;
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    case OPT_VERBOSE:
        o->verbose = true;
        return 0;
    case OPT_HUGE_PAGES:
        o->huge_pages = true;
        return 0;
    case OPT_ATTACH:
        o->attach = value;
        return 0;
    case OPT_PRINT_ARGS:
        o->print_args = true;
        return 0;
    case OPT_KERNEL:
        o->guest.kernel = value;
        return 0;
    case OPT_INITRD:
        o->guest.initrd = value;
        return 0;
    case OPT_APPEND:
        o->guest.append = value;
        return 0;
    case OPT_CPU:
        o->machine.cpu = value;
        return 0;
    case OPT_QEMU:
        o->qemu = value;
        return 0;
    case OPT_JSON:
        o->json = (struct skein_json_opt){.on = true, .file = value};
        return 0;
    case OPT_CHAOS:
        return skein_parse_u32(value, UINT32_MAX, &o->chaos) && o->chaos > 0
                   ? 0
                   : bad_value("chaos", value, "a seed, 1 to 4294967295");
    case OPT_UNTIL:
        return skein_until_parse(value, &o->until)
                   ? 0
                   : bad_value("until", value, "panic, console:TEXT or exit:N");
    case OPT_REPEAT:
        return skein_parse_u32(value, 1000000, &o->repeat) && o->repeat > 0
                   ? 0
                   : bad_value("repeat", value, "a number of runs");
    case OPT_SCOPE:
        return parse_scope(value, o);
    case OPT_DURABILITY:
        return parse_durability(value, o);
    case OPT_EPOCH:
        return skein_parse_seconds(value, &o->epoch_ms)
                   ? 0
                   : bad_value("epoch", value, "seconds, like 2 or 0.5");
    case OPT_START:
        return parse_trigger(value, "boot", &o->start)
                   ? 0
                   : bad_value("start", value, "boot, console:TEXT or guest");
    case OPT_STOP:
        return parse_trigger(value, "exit", &o->stop)
                   ? 0
                   : bad_value("stop", value, "exit, console:TEXT or guest");
    case OPT_TIMEOUT:
        return skein_parse_u32(value, 1000000, &o->timeout_s) && o->timeout_s > 0
                   ? 0
                   : bad_value("timeout", value, "a number of seconds");
    default:
        return parse_machine(option, value, o);
    }
}

/* A VM that runs: what it is like is its own affair. */
static int record_attached(struct skein_record_opts *o) {
    if (o->guest.kernel != NULL || o->guest.initrd != NULL || o->guest.append != NULL ||
        o->extra[0] != NULL)
        return skein_fail(SKEIN_EXIT_USAGE, "record: with --attach the VM is there already: no "
                                            "kernel, initrd, command line or QEMU arguments");
    if (o->start.when == SKEIN_WHEN_CONSOLE)
        return bad_value("start", o->start.word, "guest, or nothing, with --attach");
    if (o->until.kind != SKEIN_UNTIL_NOTHING || o->repeat > 0)
        return skein_fail(SKEIN_EXIT_USAGE,
                          "record: --until and --repeat start guests of their own: no --attach");
    struct skein_attached vm;
    struct skein_error err = {0};
    if (skein_attach_open(o->attach, &vm, &err) != 0)
        return skein_fail(SKEIN_EXIT_USAGE, "record: %s", err.text);
    o->vm = SKEIN_VM_ATTACHED;
    o->vm_fd = vm.fd;
    o->qemu_version = vm.version;
    o->machine = (struct skein_machine){
        .machine = vm.machine, .cpu = vm.cpu, .memory_bytes = vm.memory_bytes, .vcpus = vm.vcpus};
    if (o->start.when == SKEIN_WHEN_EDGE)
        o->start.word = "attach";
    return skein_record_run(o, NULL);
}

int skein_cmd_record(int argc, char **argv) {
    struct skein_record_opts o = {
        .machine = {.machine = SKEIN_DEFAULT_MACHINE, .cpu = SKEIN_DEFAULT_CPU, .vcpus = 1},
        .durability = SKEIN_DURABILITY_SEGMENT,
    };
    parse_trigger("boot", "boot", &o.start);
    parse_trigger("exit", "exit", &o.stop);
    skein_parse_size(SKEIN_DEFAULT_MEMORY, &o.machine.memory_bytes);

    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, "+:o:q", options, NULL)) != -1;) {
        if (found == '?' || found == ':')
            return skein_fail_option("record", argv, found);
        int code = parse_option(found, optarg, &o);
        if (code != 0)
            return code;
    }
    bool separated = optind > 1 && strcmp(argv[optind - 1], "--") == 0;
    if (optind < argc && !separated)
        return skein_fail(SKEIN_EXIT_USAGE, "record: what is %s? QEMU's own arguments follow --",
                          argv[optind]);
    o.extra = argv + optind;
    if (o.print_args)
        return skein_qemu_args_print(&o.machine);
    if (o.dir == NULL || *o.dir == '\0')
        return skein_fail(SKEIN_EXIT_USAGE, "record: where to? Give -o DIR");
    if (o.attach != NULL)
        return record_attached(&o);
    if (o.guest.kernel == NULL)
        return skein_fail(SKEIN_EXIT_USAGE, "record: which kernel? Give --kernel FILE");
    if (o.repeat > 0 && o.until.kind == SKEIN_UNTIL_NOTHING)
        return skein_fail(SKEIN_EXIT_USAGE, "record: --repeat until when? Give --until");
    return o.until.kind != SKEIN_UNTIL_NOTHING ? skein_record_repeat(&o)
                                               : skein_record_run(&o, NULL);
}
