/* skein bisect: from a replay that diverges to the first instruction that differs. */
#ifndef SKEIN_CLI_BISECT_H
#define SKEIN_CLI_BISECT_H

#include "cli/cli.h"
#include "cli/replay_log.h"
#include "pipeline/finding.h"
#include "replay/trace_diff.h"

enum skein_bisect_outcome {
    SKEIN_BISECT_SAME,    /* there is nothing to be found */
    SKEIN_BISECT_EVENT,   /* an event of the log is wrong: which, and what is right */
    SKEIN_BISECT_SIDES,   /* two sides were compared, and they differ */
    SKEIN_BISECT_BRACKET, /* no more is known than where the digests are right and wrong */
    SKEIN_BISECT_FAILED,  /* it could not be looked for; exit_code, and the reason has been said */
};

struct skein_bisect {
    struct skein_replay_opts run;
    struct skein_json_opt json;
    const char *dir;
    const char *reference;      /* a recording; NULL */
    const char *reference_qemu; /* NULL */
    uint32_t jobs;
    uint32_t seconds;

    enum skein_bisect_outcome outcome;
    int exit_code;
    struct skein_replay_result verified;
    struct skein_finding finding;
    char finding_path[256];
    char find[300]; /* the property that names it */
    struct skein_trace_range range;
    char trace_path[2][256]; /* this recording; as it should be, or the reference */
    struct skein_trace trace[2];
    struct skein_trace_diff diff;
};

/* What the sides are called. */
const char *skein_bisect_side(const struct skein_bisect *b, int side);

/* bisect_search.c: fills in the outcome and all that follows. */
void skein_bisect_search(struct skein_bisect *b);
void skein_bisect_clean(struct skein_bisect *b);

/* bisect_report.c */
void skein_bisect_report(struct skein_bisect *b, FILE *out);
void skein_bisect_json(struct skein_bisect *b, FILE *out);

/* bisect_around.c: the events of the log around that place: the last ones of each vCPU, and the
 * edges before and behind it. Text, or the elements of a JSON array. */
void skein_bisect_around(const char *dir, uint32_t shard, uint64_t tick, bool json, FILE *out);

#endif
