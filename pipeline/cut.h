/*
 * Where a replay of a recording can stop. A recording that ended well stops at the END of every
 * shard. One whose recorder died stops at a consistent cut where it is known how far each vCPU ran:
 *
 * - the last event of each vCPU's shard carries an icount;
 * - a slice is replayed only if the vCPU that it follows has a later TOKEN inside, which says where
 *   that vCPU stood when it gave the token up. (The device shard executes nothing and needs none.)
 *
 * A TOKEN that fails the second rule stays as the last event of its shard: it cannot be taken, but
 * it says where the slice before it ends.
 */
#ifndef SKEIN_PIPELINE_CUT_H
#define SKEIN_PIPELINE_CUT_H

#include <stdbool.h>

#include "pipeline/clock.h"
#include "pipeline/error.h"
#include "pipeline/recording.h"

/* cut: the last tick of each shard to replay. *truncated: the recording lacks an END. */
int skein_cut_find(struct skein_recording *rec, struct skein_clock *cut, bool *truncated,
                   struct skein_error *err);

#endif
