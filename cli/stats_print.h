/* What `skein stats` says, in words and in JSON. */
#ifndef SKEIN_CLI_STATS_PRINT_H
#define SKEIN_CLI_STATS_PRINT_H

#include <stdio.h>

#include "cli/json.h"
#include "cli/tally.h"

struct skein_stats_view {
    const char *dir;
    const struct skein_manifest *manifest;
    const struct skein_tally_numbers *numbers;
    uint64_t disk_bytes; /* of segments, sealed or not */
    uint32_t top;        /* how long lists may be */
};

void skein_stats_text(FILE *out, const struct skein_stats_view *view);

/* The members of an object that is open. */
void skein_stats_json(struct skein_json *j, const struct skein_stats_view *view);

/* Both print these: "port 0x3fd", "tsc". */
void skein_stats_value_name(const struct skein_tally_value *value, char *name, size_t size);

/* a / b, and 0 where b is. */
double skein_ratio(double a, double b);

#endif
