/* The inside of an open recording, for the files that read from it. */
#ifndef SKEIN_PIPELINE_RECORDING_PRIVATE_H
#define SKEIN_PIPELINE_RECORDING_PRIVATE_H

#include "pipeline/recording.h"
#include "pipeline/segment.h"

struct skein_recording {
    char *dir;
    enum skein_read_mode mode;
    struct skein_manifest manifest;
    size_t segment_count;
    struct skein_segment **segments;
    bool complete;
};

#endif
