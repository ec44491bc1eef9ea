/* Reading the frames of a segment file that is mapped: all of them, or header and footer only. */
#ifndef SKEIN_PIPELINE_SEGMENT_SCAN_H
#define SKEIN_PIPELINE_SEGMENT_SCAN_H

#include <stdint.h>

#include "pipeline/error.h"
#include "pipeline/segment.h"

/* Fills everything in `seg` but its path, size and locks; size_bytes says how long `bytes` is. */
int skein_segment_scan(struct skein_segment *seg, const uint8_t *bytes, enum skein_read_mode mode,
                       struct skein_error *err);

/* The same but for the blocks, of a sealed segment in which header and footer are in order. */
int skein_segment_scan_ends(struct skein_segment *seg, const uint8_t *bytes,
                            struct skein_error *err);

#endif
