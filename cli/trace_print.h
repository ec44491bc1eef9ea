/*
 * A trace as text (a line for each instruction: icount, PC, bytes, disassembly, what changed, what
 * memory it names; events as comments) or as JSON lines.
 */
#ifndef SKEIN_CLI_TRACE_PRINT_H
#define SKEIN_CLI_TRACE_PRINT_H

#include <stdio.h>

#include "cli/event_print.h"
#include "replay/disassembler.h"
#include "replay/trace_file.h"

/* The most that one record takes. */
#define SKEIN_TRACE_PRINT_MAX (SKEIN_EVENT_PRINT_MAX + (16u << 10))

struct skein_trace_print {
    struct skein_event_print event;
    struct skein_disassembler *disassembler;
};

/* 0 or -ENOMEM. shard_count: of the recording. */
int skein_trace_print_open(struct skein_trace_print *p, uint32_t shard_count, bool json);
void skein_trace_print_close(struct skein_trace_print *p);

/* What was read last. Needs SKEIN_TRACE_PRINT_MAX of room; ends with a newline. */
void skein_trace_print(const struct skein_trace_print *p, const struct skein_trace *trace,
                       struct skein_out *out);

/* All registers, as text: a few in each line, indented. RIP is `pc`. */
void skein_trace_print_registers(const uint64_t *regs, FILE *out);

#endif
