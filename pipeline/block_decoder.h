/* From the columns of a block to its records. */
#ifndef SKEIN_PIPELINE_BLOCK_DECODER_H
#define SKEIN_PIPELINE_BLOCK_DECODER_H

#include "pipeline/block.h"
#include "pipeline/block_columns.h"

/*
 * Fills in what the block has room for. 0; -EBADMSG: the columns are not of a block whose header
 * said block->info, whose clocks and number of events must agree; -ENOMEM. Uses the columns up.
 */
int skein_block_decode_columns(struct skein_block *block, struct skein_block_columns *columns);

#endif
