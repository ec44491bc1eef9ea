/*
 * The verbs of `skein`, their exit codes, and how they speak: data on stdout, everything else on
 * stderr, an error in one line.
 */
#ifndef SKEIN_CLI_CLI_H
#define SKEIN_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#define SKEIN_VERSION "0.1.0"

/*
 * Of every verb. record: OK complete, FAILED nothing was recorded, INCOMPLETE QEMU died. cat, diff:
 * INCOMPLETE something is missing from the recording, and what is there was shown or is the same.
 */
enum skein_exit {
    SKEIN_EXIT_OK = 0,         /* replay, diff: the same */
    SKEIN_EXIT_FAILED = 1,     /* replay: diverged; diff: different */
    SKEIN_EXIT_USAGE = 2,      /* bad usage, unreadable recording, QEMU without the recorder */
    SKEIN_EXIT_INCOMPLETE = 3, /* incomplete recording; replay: the same as far as it goes */
    SKEIN_EXIT_NOT_FOUND = 4,  /* record --until: in no run */
    SKEIN_EXIT_INTERRUPTED = 130,
};

/* argv[0] is the verb. */
int skein_cmd_record(int argc, char **argv);
int skein_cmd_replay(int argc, char **argv);
int skein_cmd_verify(int argc, char **argv);
int skein_cmd_bisect(int argc, char **argv);
int skein_cmd_info(int argc, char **argv);
int skein_cmd_stats(int argc, char **argv);
int skein_cmd_cat(int argc, char **argv);
int skein_cmd_ls(int argc, char **argv);
int skein_cmd_diff(int argc, char **argv);
int skein_cmd_collect(int argc, char **argv);
int skein_cmd_recover(int argc, char **argv);
int skein_cmd_export(int argc, char **argv);
int skein_cmd_timeline(int argc, char **argv);
int skein_cmd_symbols(int argc, char **argv);
int skein_cmd_doctor(int argc, char **argv);
int skein_cmd_bench(int argc, char **argv);
int skein_cmd_completion(int argc, char **argv);

/* "skein: …" and a newline on stderr; returns the code. */
int skein_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What getopt_long() found wrong, in one line; returns SKEIN_EXIT_USAGE. */
int skein_fail_option(const char *verb, char **argv, int found);

/* The JSON output that --json[=FILE] asks for. */
struct skein_json_opt {
    bool on;
    const char *file; /* NULL: stdout */
};

/* "512M", "2G": bytes with an optional K, M, G; false when it is anything else. */
bool skein_parse_size(const char *text, uint64_t *bytes);
bool skein_parse_u32(const char *text, uint32_t max, uint32_t *value);
/* "2", "0.25": seconds, down to a millisecond; not nothing. */
bool skein_parse_seconds(const char *text, uint32_t *ms);

#endif
