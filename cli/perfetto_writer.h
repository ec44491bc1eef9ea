/*
 * Spans → a trace that ui.perfetto.dev opens: a track per vCPU and one for the devices, arrows for
 * hand-offs of the token, instants for interrupts in kernel mode, counters of hand-offs and of what
 * went into the log. Written as it comes, with bounded memory.
 */
#ifndef SKEIN_CLI_PERFETTO_WRITER_H
#define SKEIN_CLI_PERFETTO_WRITER_H

#include <stdio.h>

#include "cli/span.h"

struct skein_perfetto {
    FILE *out;
    const struct skein_spans *spans; /* whose names they are */
    uint64_t base_uuid;              /* tracks and arrows are numbered from here on */
    uint32_t names_told;             /* to the reader of the trace */
    uint64_t bin;                    /* of the counters */
    uint64_t bin_bytes, bin_handoffs;
};

/* Writes the tracks. title: what the recording is called. 0 or -errno. */
int skein_perfetto_start(struct skein_perfetto *p, FILE *out, const struct skein_spans *spans,
                         const struct skein_manifest *manifest, const char *title);

/* Its sink; opaque: the writer. */
struct skein_span_sink skein_perfetto_sink(struct skein_perfetto *p);

/* The last of the counters. 0 or -errno. */
int skein_perfetto_finish(struct skein_perfetto *p);

#endif
