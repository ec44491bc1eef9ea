/* What verify says: a line for each recording, or an object. */
#ifndef SKEIN_CLI_VERIFY_REPORT_H
#define SKEIN_CLI_VERIFY_REPORT_H

#include <stdio.h>

#include "cli/json.h"
#include "cli/verify.h"

/* quiet: only when it is not the same. */
void skein_verify_report_line(FILE *out, const struct skein_verify_recording *rec, bool quiet);

/* On stderr, what nothing could be verified of. */
void skein_verify_report_errors(const struct skein_verify_recording *rec);

void skein_verify_report_json(struct skein_json *j, const struct skein_verify_recording *rec);

#endif
