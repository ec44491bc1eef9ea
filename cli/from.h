/* Where a replay is to begin: --from. */
#ifndef SKEIN_CLI_FROM_H
#define SKEIN_CLI_FROM_H

#include "cli/epoch.h"

/*
 * "N", a checkpoint (0: the snapshot); "icount=N" or "slice=N", the last one at or before that
 * position. *epoch goes from there to the end. -EINVAL: the text; else the checkpoint cannot be
 * used: the sentence says why.
 */
int skein_from_find(const char *dir, const char *text, struct skein_epoch *epoch,
                    struct skein_error *err);

/* The same for the last place at or before that icount of a vCPU. */
int skein_from_find_vcpu(const char *dir, uint32_t vcpu, uint64_t icount, struct skein_epoch *epoch,
                         struct skein_error *err);

#endif
