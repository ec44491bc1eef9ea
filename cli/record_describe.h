/* What a manifest says before anything is recorded. */
#ifndef SKEIN_CLI_RECORD_DESCRIBE_H
#define SKEIN_CLI_RECORD_DESCRIBE_H

#include "cli/record.h"

/* qemu: the program, of a VM of our own. */
int skein_record_describe(const struct skein_record_opts *o, const char *qemu,
                          struct skein_manifest *m, struct skein_error *err);

#endif
