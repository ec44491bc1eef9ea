/* skein replay --log: the instructions of a vCPU between two icounts. */
#ifndef SKEIN_CLI_REPLAY_LOG_H
#define SKEIN_CLI_REPLAY_LOG_H

#include "cli/replay_cmd.h"

/* What is to be traced. */
struct skein_trace_range {
    uint32_t vcpu;
    uint64_t start; /* icounts */
    uint64_t end;   /* not included */
};

/* "cpu=0,start=1000,end=2000"; false: it is something else. */
bool skein_trace_range_parse(const char *text, struct skein_trace_range *range);

/* Prints it on stdout; the exit code. */
int skein_replay_log(struct skein_replay_cmd *c, const char *dir, const char *text);

/*
 * Replays with a trace of the range into the file `path`; qemu_options: more of the replay object's
 * properties, each with a comma in front. The result is as of any replay, but INCOMPLETE when the
 * range was left.
 */
void skein_trace_run(const char *dir, const struct skein_replay_opts *opts,
                     const struct skein_trace_range *range, const char *path,
                     const char *qemu_options, struct skein_replay_result *result);

/* A name for a file that lives as long as the command; it exists, and is empty. 0 or -errno. */
int skein_trace_temp(char *path, size_t size);

#endif
