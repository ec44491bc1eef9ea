/* The recorder as QEMU gets it: an object with its properties. */
#ifndef SKEIN_CLI_RECORD_OBJECT_H
#define SKEIN_CLI_RECORD_OBJECT_H

#include <stddef.h>

#include "cli/argv.h"
#include "cli/record.h"
#include "cli/stage.h"

/* On the command line. */
void skein_record_object_args(const struct skein_record_opts *opts, const struct skein_stage *stage,
                              struct skein_argv *argv);

/* By QMP, in a machine that runs already. */
void skein_record_object_qmp(const struct skein_record_opts *opts, const struct skein_stage *stage,
                             char *text, size_t size);

#endif
