/* The checkpoints of a recording, as text and as JSON. */
#ifndef SKEIN_CLI_CHECKPOINT_PRINT_H
#define SKEIN_CLI_CHECKPOINT_PRINT_H

#include <stdio.h>

#include "cli/json.h"
#include "pipeline/checkpoint.h"

/* A line for each. */
void skein_checkpoint_print_text(FILE *out, const struct skein_checkpoint_list *list);

/* A member "checkpoints", an array. */
void skein_checkpoint_print_json(struct skein_json *j, const struct skein_checkpoint_list *list);

#endif
