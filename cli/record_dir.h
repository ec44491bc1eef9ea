/* The folder of a recording in the making. */
#ifndef SKEIN_CLI_RECORD_DIR_H
#define SKEIN_CLI_RECORD_DIR_H

#include <limits.h>
#include <stdbool.h>

#include "pipeline/manifest.h"

/* Made, or empty so far. absolute: PATH_MAX bytes; made: it did not exist before. */
int skein_record_dir_make(const char *dir, const struct skein_manifest *manifest, char *absolute,
                          bool *made, struct skein_error *err);

/*
 * The recording is not wanted: removes what it consists of, and the folder when it was made. Links
 * are not followed. Says so when something stays.
 */
void skein_record_dir_remove(const char *absolute, bool made);

#endif
