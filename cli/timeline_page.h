/* The timeline's page: the template of cli/timeline/ with a recording in it. */
#ifndef SKEIN_CLI_TIMELINE_PAGE_H
#define SKEIN_CLI_TIMELINE_PAGE_H

#include <stdio.h>

#include "cli/span_walk.h"
#include "cli/timeline_rows.h"

/* 0 or -errno. Once only: it finishes the rows. */
int skein_timeline_page_write(FILE *out, const struct skein_span_walk *walk,
                              struct skein_timeline_rows *rows);

#endif
