/* Reading a trace (pipeline/trace_record.h), with the vCPU's registers at each point of it. */
#ifndef SKEIN_REPLAY_TRACE_FILE_H
#define SKEIN_REPLAY_TRACE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/error.h"
#include "pipeline/event.h"
#include "pipeline/trace_record.h"

struct skein_trace {
    const uint8_t *map; /* NULL: an empty one */
    size_t bytes;
    size_t at;
    bool ended;                     /* END was read: the range is complete */
    uint64_t regs[SKEIN_REG_COUNT]; /* before the record that was read last */
    const struct skein_trace_record *last;
};

/* 0 or negative errno. */
int skein_trace_open(const char *path, struct skein_trace *trace, struct skein_error *err);
void skein_trace_close(struct skein_trace *trace);

/* From the start again. */
void skein_trace_rewind(struct skein_trace *trace);

/* The next record; NULL: there is no more, or the rest is not a trace. */
const struct skein_trace_record *skein_trace_next(struct skein_trace *trace);

/* The registers that a record (not an EVENT) has changed. */
const struct skein_trace_change *skein_trace_changes(const struct skein_trace_record *record);

/* The event of an EVENT record. */
const struct skein_record *skein_trace_event(const struct skein_trace_record *record);

/* Does the instruction that the vCPU executes ask for the event, or does it stand between two? */
bool skein_trace_within_insn(const struct skein_record *event);

/* "rax", "rflags", "xmm3.high", …. */
const char *skein_trace_register_name(uint64_t reg);

#endif
