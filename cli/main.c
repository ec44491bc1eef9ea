#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/help.h"
#include "pipeline/manifest.h"

struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *does;
};

static const struct verb verbs[] = {
    {"record", skein_cmd_record, "runs a guest under QEMU and records it"},
    {"replay", skein_cmd_replay, "runs a recording again, comparing all the way"},
    {"verify", skein_cmd_verify,
     "the same for several, quietly, N epochs at once: one line for each"},
    {"bisect", skein_cmd_bisect, "the first instruction at which a replay differs"},
    {"info", skein_cmd_info, "what was recorded"},
    {"stats", skein_cmd_stats, "what a recording is made of, and what the kernel did"},
    {"ls", skein_cmd_ls, "the recordings in folders"},
    {"cat", skein_cmd_cat, "the events of a recording, in the order in which they happened"},
    {"diff", skein_cmd_diff, "where two recordings begin to differ"},
    {"export", skein_cmd_export, "a recording as a trace for ui.perfetto.dev"},
    {"timeline", skein_cmd_timeline, "a recording as a page for any browser"},
    {"symbols", skein_cmd_symbols, "the names of the guest's kernel, for gdb"},
    {"collect", skein_cmd_collect, "what QEMU's rr_record starts: records the VM that asks"},
    {"recover", skein_cmd_recover, "what a killed recorder or a damaged disk has left"},
    {"doctor", skein_cmd_doctor, "how this machine would record, and what to change"},
    {"bench", skein_cmd_bench, "what recording costs: tables, graphs, goals"},
    {"completion", skein_cmd_completion, "a script that completes skein's command lines"},
};

#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static const char usage_tail[] =
    "  skein help VERB     its options, as does skein VERB --help; see man skein too\n"
    "  skein version       of skein, and of the format of recordings\n"
    "\n"
    "Data goes to stdout, everything else to stderr. --json[=FILE] has what programs read.\n"
    "\n"
    "Exit codes: 0 recorded, the same, or shown; 1 failed, diverged, or different; 2 bad usage,\n"
    "an unreadable recording, or a QEMU that cannot record; 3 something is missing, and what is\n"
    "there was the same, or was shown; 130 interrupted.\n";

static void print_usage(void) {
    puts("skein records the kernel of a virtual machine and replays it, exactly.\n");
    for (size_t i = 0; i < VERB_COUNT; i++)
        printf("  skein %-13s %s\n", verbs[i].name, verbs[i].does);
    fputs(usage_tail, stdout);
}

static bool asks_for_help(const char *word) {
    return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int help(const char *verb) {
    const char *text = verb != NULL ? skein_help_find(verb) : "";
    if (text == NULL)
        return skein_fail(SKEIN_EXIT_USAGE, "no help on %s (see skein help)", verb);
    if (verb == NULL)
        print_usage();
    fputs(text, stdout);
    return SKEIN_EXIT_OK;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2)
        return skein_fail(SKEIN_EXIT_USAGE, "what shall it do? See skein help");
    const char *word = argv[1];
    if (asks_for_help(word))
        return help(argv[2]);
    if (argc == 3 && asks_for_help(argv[2]) && *argv[2] == '-')
        return help(word);
    if (strcmp(word, "--version") == 0 || strcmp(word, "version") == 0) {
        printf("skein %s (recording format %u)\n", SKEIN_VERSION, SKEIN_FORMAT_VERSION);
        return SKEIN_EXIT_OK;
    }
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(word, verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    return skein_fail(SKEIN_EXIT_USAGE, "unknown verb %s (see skein help)", word);
}
