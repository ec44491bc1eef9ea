/* Where two traces of the same range begin to differ. */
#ifndef SKEIN_REPLAY_TRACE_DIFF_H
#define SKEIN_REPLAY_TRACE_DIFF_H

#include "replay/trace_file.h"

enum skein_trace_what {
    SKEIN_TRACE_NOTHING,   /* they are the same as far as both go */
    SKEIN_TRACE_EVENTS,    /* an event has another content or place */
    SKEIN_TRACE_REGISTERS, /* an instruction left other registers behind */
    SKEIN_TRACE_PATH,      /* another instruction */
};

struct skein_trace_diff {
    enum skein_trace_what what;
    uint64_t icount;   /* of the instruction at which they differ, in any of the ways above */
    uint64_t compared; /* instructions that are the same */
    size_t at[2];      /* where the first record that differs lies in each trace */
    uint64_t pc[2];    /* of the instruction with that icount; 0: the trace has it not */
};

void skein_trace_diff(struct skein_trace *a, struct skein_trace *b, struct skein_trace_diff *diff);

#endif
