/* What verify found as JUnit XML: a test suite for each recording, a test case for each epoch. */
#ifndef SKEIN_CLI_JUNIT_H
#define SKEIN_CLI_JUNIT_H

#include <stdio.h>

#include "cli/verify.h"

void skein_junit_write(FILE *out, const struct skein_verify *v);

#endif
