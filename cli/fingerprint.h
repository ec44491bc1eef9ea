/* Whether files are still what they were. */
#ifndef SKEIN_CLI_FINGERPRINT_H
#define SKEIN_CLI_FINGERPRINT_H

#include <stdint.h>

#include "pipeline/error.h"

/* Of the names and all bytes of the files in a folder and the folders in it. */
int skein_fingerprint_dir(const char *dir, uint64_t *fingerprint, struct skein_error *err);

/* Of one file, by its name, size and age. */
uint64_t skein_fingerprint_program(const char *path);

#endif
