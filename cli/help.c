/*
 * The text of each verb, in the order of skein help. docs/man has the same at length; tests/docs
 * compares both with the options that the verbs take.
 */
#include "cli/help.h"

#include <stddef.h>
#include <string.h>

#include "cli/qemu_args.h"

#define JSON_OPTION "      --json[=FILE]   an object for programs, on stdout or into FILE\n"
#define QEMU_OPTIONS                                                                               \
    "      --qemu PATH     the QEMU with Skein's recorder (SKEIN_QEMU)\n"                          \
    "      --verbose       QEMU's own messages, on stderr\n"

static const char record[] =
    "skein record -o DIR --kernel FILE [OPTIONS] [-- QEMU ARGS…]\n"
    "skein record -o DIR --attach SOCKET [OPTIONS]\n"
    "\n"
    "Runs a guest under QEMU and records its kernel; or records a VM that runs already.\n"
    "\n"
    "  -o, --output DIR    the recording, a new folder\n"
    "      --attach SOCKET QMP's UNIX socket of a running VM, which goes on after the recording\n"
    "      --print-args    prints the QEMU arguments of a VM that can be recorded, no more\n"
    "      --kernel FILE   the guest's kernel\n"
    "      --initrd FILE   its initial file system\n"
    "      --append TEXT   its command line\n"
    "      --smp N         vCPUs, up to 64 (1)\n"
    "      --memory SIZE   RAM (" SKEIN_DEFAULT_MEMORY ")\n"
    "      --cpu MODEL     QEMU's -cpu (" SKEIN_DEFAULT_CPU ")\n"
    "      --scope kernel|system\n"
    "                      what is recorded: the kernel, or user programs too (kernel)\n"
    "      --start boot|console:TEXT|guest\n"
    "                      when it begins: at boot, when the console shows TEXT, or when the\n"
    "                      guest writes byte 1 to port 0x5ce0 (boot)\n"
    "      --stop exit|console:TEXT|guest\n"
    "                      when it ends: with the guest, when the console shows TEXT, or at\n"
    "                      byte 2 on that port (exit)\n"
    "      --durability none|segment|block\n"
    "                      what is forced to the disk, and when (segment)\n"
    "      --epoch SECONDS a checkpoint so often, from which a replay can begin: 2, 0.5\n"
    "      --timeout SECONDS\n"
    "                      end the recording after that long\n"
    "      --huge-pages    the shards in huge pages, where the system offers them\n"
    "      --until panic|console:TEXT|exit:N\n"
    "                      keep the recording only when it has caught that: a broken kernel,\n"
    "                      TEXT on the console, byte N written to port 0x5ce1\n"
    "      --repeat N      with --until: up to N recordings, one after the other (1)\n"
    "      --chaos SEED    disturb the order of execution, so that rare races happen\n" QEMU_OPTIONS
    "  -q, --quiet         neither the console nor the summary\n" JSON_OPTION;

static const char replay[] =
    "skein replay [OPTIONS] DIR\n"
    "\n"
    "Runs the recording again, comparing all the way; shows console, progress and summary.\n"
    "\n"
    "      --from N|icount=N|slice=N\n"
    "                      begins at checkpoint N, or at the last one before a position\n"
    "      --epoch SECONDS adds checkpoints, one so often, from where it begins; there must be\n"
    "                      none behind that\n"
    "      --gdb[=PORT]    waits for gdb, which goes through it in both directions, on that port "
    "of\n"
    "                      127.0.0.1 (a free one); says what to type\n"
    "      --vmlinux FILE  the guest kernel with its symbols, for gdb (those that the guest has)\n"
    "      --log cpu=N,start=ICOUNT,end=ICOUNT\n"
    "                      instructions and changed registers of a vCPU instead, up to the end,\n"
    "                      which is not included; --json: a line for each\n" QEMU_OPTIONS
    "  -q, --quiet         only what is not the same\n" JSON_OPTION;

static const char verify[] =
    "skein verify [OPTIONS] DIR…\n"
    "\n"
    "Runs the recordings again, quietly: one line for each. What stands between two checkpoints, "
    "an\n"
    "epoch, is replayed by itself, and must end as the second one says.\n"
    "\n"
    "  -j, --jobs N        so many replays at once; 0: one for each processor (1)\n"
    "      --resume FILE   keeps results in FILE, and goes on with what is missing there\n"
    "      --junit FILE    JUnit XML: a suite for each recording, a case for each "
    "epoch\n" QEMU_OPTIONS "  -q, --quiet         only those that are not the same; no progress\n"
    "      --json[=FILE]   an array for programs, on stdout or into FILE\n";

static const char bisect[] =
    "skein bisect [OPTIONS] DIR\n"
    "\n"
    "Goes from a replay that differs to the first instruction that does, and shows both sides: "
    "from\n"
    "the last digest that was right, single changes of the log are tried until those that follow "
    "are\n"
    "right. 0: the same; 1: found; 3: only where the digests are right and wrong is known.\n"
    "\n"
    "      --reference DIR compares with this copy or recording of the same run instead\n"
    "      --reference-qemu PATH\n"
    "                      compares with a replay by this QEMU instead\n"
    "  -j, --jobs N        changes tried at a time, up to 64 (as many as cores)\n"
    "      --seconds N     tries for so long (300)\n" QEMU_OPTIONS JSON_OPTION;

static const char info[] = "skein info [OPTIONS] DIR\n"
                           "\n"
                           "Shows what was recorded.\n"
                           "\n" JSON_OPTION;

static const char doctor[] =
    "skein doctor [OPTIONS]\n"
    "\n"
    "Shows how this machine would record: the plan for nodes, shards and threads, what stands in\n"
    "the way, what makes it slow, and what to change. HWLOC_SYNTHETIC or HWLOC_XMLFILE shows the "
    "plan\n"
    "for another machine.\n"
    "\n"
    "      --vcpus N       for a guest with so many (2)\n"
    "      --memory SIZE   and with that much RAM (" SKEIN_DEFAULT_MEMORY ")\n"
    "      --qemu PATH     the QEMU with Skein's recorder (SKEIN_QEMU)\n" JSON_OPTION;

static const char stats[] =
    "skein stats [OPTIONS] DIR\n"
    "\n"
    "Shows what a recording is made of: rates, sizes, slices, waits, and what the kernel spent "
    "its\n"
    "instructions on.\n"
    "\n"
    "      --top N         only the first N of each list (10; with --json all)\n" JSON_OPTION;

static const char ls[] = "skein ls [OPTIONS] [DIR…]\n"
                         "\n"
                         "Shows the recordings that folders are or hold (.).\n"
                         "\n"
                         "      --json[=FILE]   an array for programs, on stdout or into FILE\n";

static const char cat[] =
    "skein cat [OPTIONS] DIR\n"
    "\n"
    "Prints the events of a recording, in the order in which they happened.\n"
    "\n"
    "      --kind K,…      only these kinds, as skein info names them\n"
    "      --vcpu N,…      only these vCPUs; devices: the device threads\n"
    "      --tick A..B     only these ticks; A.. and ..B are ranges too\n"
    "      --slice A..B    only these slices\n"
    "      --time A..B     only these seconds since the recording began\n"
    "      --limit N       no more than N events\n"
    "      --bytes         what was read and written in full\n"
    "      --json[=FILE]   an object for each event, on stdout or into FILE\n";

static const char diff[] = "skein diff [OPTIONS] A B\n"
                           "\n"
                           "Shows where two recordings begin to differ.\n"
                           "\n" JSON_OPTION;

#define TIME_OPTIONS                                                                               \
    "      --from SECONDS  from then on, since the recording began\n"                              \
    "      --to SECONDS    up to then\n"

static const char export[] =
    "skein export --perfetto FILE [OPTIONS] DIR\n"
    "\n"
    "Writes what each vCPU was in for other tools to show.\n"
    "\n"
    "      --perfetto FILE a trace for ui.perfetto.dev\n" TIME_OPTIONS JSON_OPTION;

static const char symbols[] =
    "skein symbols [OPTIONS] DIR\n"
    "\n"
    "Shows which kernel was running in the guest and where it lay, and writes its symbols for "
    "gdb.\n"
    "\n"
    "  -o, --output FILE   writes an ELF file with the symbols of the kernel and its modules, and "
    "how\n"
    "                      to unwind its stack: for gdb's symbol-file\n"
    "      --checkpoint N  as it was at that checkpoint, not where the recording begins\n"
    "      --vmlinux FILE  says whether this is its file, and how gdb is to load it\n" JSON_OPTION;

static const char timeline[] =
    "skein timeline -o FILE.html [OPTIONS] DIR\n"
    "\n"
    "Writes a page that shows in any browser what each vCPU was in.\n"
    "\n"
    "  -o FILE.html        the page\n" TIME_OPTIONS
    "      --max N         shows each span up to N of them (1000000)\n" JSON_OPTION;

static const char recover[] =
    "skein recover [OPTIONS] DIR|SESSION\n"
    "\n"
    "Makes a damaged or incomplete recording readable, with what is left in shared memory, and\n"
    "lists what is missing.\n"
    "\n"
    "  -o, --output DIR    where the result goes (the recording is repaired where it is)\n"
    "      --session FILE  its shared memory (looked for in /dev/shm)\n"
    "  -q, --quiet         does not say what was found\n" JSON_OPTION;

static const char collect[] =
    "skein collect --fd N -o DIR [OPTIONS]\n"
    "\n"
    "What QEMU starts for rr_record in its monitor, to make the recording; nobody else needs it.\n"
    "\n"
    "  -o, --output DIR    the recording, a new folder\n"
    "      --fd N          the socket on which it talks to QEMU\n"
    "      --machine TEXT  the VM's -machine\n"
    "      --cpu TEXT      its -cpu\n"
    "      --memory BYTES  its RAM\n"
    "      --smp N         its vCPUs\n"
    "      --qemu-version TEXT\n"
    "                      QEMU's version\n";

static const char bench[] =
    "skein bench WORKLOAD… -o DIR [OPTIONS]\n"
    "\n"
    "Measures what recording costs, verifies every recording, and writes tables, graphs and a "
    "page.\n"
    "The same command with the same folder goes on with what is missing there. Workloads: "
    "rocksdb,\n"
    "redis, nginx, build, micro.\n"
    "\n"
    "  -o, --output DIR    results.csv, summary.json, report.md, graphs\n"
    "      --schemes NAME,…\n"
    "                      native: stock QEMU; skein: the kernel recorded; system: the whole VM;\n"
    "                      qemu-rr: QEMU's own record/replay, 1 vCPU only (native,skein)\n"
    "      --cores N,…     numbers of vCPUs (1,2,4)\n"
    "      --trials N      so many of everything, interleaved (3)\n"
    "      --only PATTERN,…\n"
    "                      only benches of these names, like 'read*-tmpfs'\n"
    "      --scale N       so many times the work of each bench: 0.2 is quick (1)\n"
    "      --qemu PATH     the QEMU with Skein's recorder (SKEIN_QEMU)\n"
    "  -q, --quiet         no progress\n"
    "      --json[=FILE]   the summary, on stdout or into FILE, instead of the table\n";

static const char completion[] =
    "skein completion bash\n"
    "\n"
    "Prints the script that completes verbs, options, values and recordings in bash; in\n"
    "~/.bashrc: eval \"$(skein completion bash)\"\n";

static const struct {
    const char *verb;
    const char *text;
} texts[] = {
    {"doctor", doctor},
    {"record", record},
    {"replay", replay},
    {"verify", verify},
    {"bisect", bisect},
    {"info", info},
    {"stats", stats},
    {"ls", ls},
    {"cat", cat},
    {"diff", diff},
    {"export", export},
    {"timeline", timeline},
    {"symbols", symbols},
    {"collect", collect},
    {"recover", recover},
    {"bench", bench},
    {"completion", completion},
};

const char *skein_help_find(const char *verb) {
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (strcmp(verb, texts[i].verb) == 0)
            return texts[i].text;
    return NULL;
}
