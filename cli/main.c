#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/help.h"
#include "cli/qemu_args.h"
#include "pipeline/manifest.h"

static const char usage[] =
    "skein records the kernel of a virtual machine and replays it, exactly.\n"
    "\n"
    "  skein record -o DIR --kernel FILE [OPTIONS] [-- QEMU ARGS…]\n"
    "      --initrd FILE, --append TEXT   the guest's initial file system and command line\n"
    "      --smp N                        vCPUs (1)\n"
    "      --memory SIZE                  guest RAM (" SKEIN_DEFAULT_MEMORY ")\n"
    "      --cpu MODEL                    QEMU's -cpu (" SKEIN_DEFAULT_CPU ")\n"
    "      --scope kernel|system          what is recorded: the kernel, or user space too "
    "(kernel)\n"
    "      --start boot|console:TEXT|guest  when it begins: at boot, when the console shows TEXT,\n"
    "                                     or when the guest writes byte 1 to port 0x5ce0 (boot)\n"
    "      --stop exit|console:TEXT|guest   when it ends: with the guest, when the console shows\n"
    "                                     TEXT, or at byte 2 on that port (exit)\n"
    "      --durability none|segment|block  what is forced to the disk, and when (segment)\n"
    "      --timeout SECONDS              end the recording after that long\n"
    "      --huge-pages                   the shards in huge pages, where the system offers them\n"
    "  skein replay DIR                   run the recording again, comparing all the way\n"
    "  skein verify DIR…                  the same, quietly: one line for each\n"
    "  skein info DIR                     what was recorded\n"
    "  skein cat [OPTIONS] DIR            its events, in the order in which they happened\n"
    "      --kind K,…, --vcpu N,…|devices, --tick A..B, --slice A..B, --time A..B\n"
    "                                     only these (seconds since the start); --limit N\n"
    "      --bytes                        what was read and written, in full\n"
    "  skein ls [DIR…]                    the recordings in folders (.)\n"
    "  skein diff A B                     where two recordings begin to differ\n"
    "  skein recover DIR|SESSION [-o OUT] what a killed recorder or a damaged disk has left\n"
    "      --session FILE                 its shared memory, if not found in /dev/shm\n"
    "  skein export --perfetto FILE [--from S] [--to S] DIR   a trace for ui.perfetto.dev\n"
    "  skein timeline -o FILE.html [--from S] [--to S] DIR    a page that shows it in any browser\n"
    "  skein doctor [--vcpus N] [--memory SIZE]   how this machine would record, and what to\n"
    "                                     change\n"
    "  skein completion bash              a script that completes skein's command lines\n"
    "  skein help [VERB] | --version      this; VERB --help is the same as help VERB\n"
    "\n"
    "record, replay and verify take --qemu PATH (or SKEIN_QEMU) and --verbose (QEMU's own\n"
    "messages); all verbs take --json[=FILE]; record, replay and recover take --quiet.\n"
    "\n"
    "Exit codes: 0 recorded, or the same; 1 failed, or diverged; 2 bad usage, an unreadable\n"
    "recording, or a QEMU that cannot record; 3 an incomplete recording (QEMU died; in replay,\n"
    "what could be checked was the same; in recover, something is missing); 130 interrupted.\n";

struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
};

static const struct verb verbs[] = {
    /* One to a line. */
    /* clang-format off */
    {"record", skein_cmd_record},
    {"replay", skein_cmd_replay},
    {"verify", skein_cmd_verify},
    {"info", skein_cmd_info},
    {"cat", skein_cmd_cat},
    {"ls", skein_cmd_ls},
    {"diff", skein_cmd_diff},
    {"recover", skein_cmd_recover},
    {"export", skein_cmd_export},
    {"timeline", skein_cmd_timeline},
    {"doctor", skein_cmd_doctor},
    {"completion", skein_cmd_completion},
    /* clang-format on */
};

static bool asks_for_help(const char *word) {
    return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int help(const char *verb) {
    const char *text = verb != NULL ? skein_help_find(verb) : usage;
    if (text == NULL)
        return skein_fail(SKEIN_EXIT_USAGE, "no help on %s (see skein help)", verb);
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
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(word, verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    return skein_fail(SKEIN_EXIT_USAGE, "unknown verb %s (see skein help)", word);
}
