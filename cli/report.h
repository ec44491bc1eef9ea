/* A recording in words and in JSON: the summary of record and replay, and all of info. */
#ifndef SKEIN_CLI_REPORT_H
#define SKEIN_CLI_REPORT_H

#include <stdio.h>

#include "cli/cli.h"
#include "cli/json.h"
#include "pipeline/manifest.h"

void skein_report_text(FILE *out, const char *dir, const struct skein_manifest *m);

/* The members of an object that is open. */
void skein_report_json(struct skein_json *j, const char *dir, const struct skein_manifest *m);

/* Where --json wants it; NULL when it cannot be written. */
FILE *skein_json_begin(const struct skein_json_opt *opt);
bool skein_json_end(FILE *out);

/* One object, to where --json wants it. */
bool skein_report_json_to(const struct skein_json_opt *opt, const char *dir,
                          const struct skein_manifest *m);

const char *skein_scope_name(uint32_t scope);
const char *skein_end_name(uint32_t end);

#endif
