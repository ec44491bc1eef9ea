/*
 * One event as a line of text or as a JSON object.
 *
 * Text: seconds since the start, slice, shard ("0" … for vCPUs, "dev" for the devices), tick, kind,
 * and what the event holds. JSON: every field, so that the record can be made from it again.
 * Counts, ticks, icounts and positions are JSON numbers; addresses, registers, values, digests and
 * hashes are strings in hexadecimal, since many readers of JSON have no 64-bit numbers. An event
 * that has not the shape of its kind is shown with its payload alone.
 */
#ifndef SKEIN_CLI_EVENT_PRINT_H
#define SKEIN_CLI_EVENT_PRINT_H

#include "cli/event_names.h"
#include "cli/out.h"
#include "pipeline/reader.h"

/* The most that one event takes. */
#define SKEIN_EVENT_PRINT_MAX (192u << 10)

struct skein_event_print {
    const struct skein_event_names *names;
    uint32_t shard_count;
    bool json;
    bool all_bytes; /* text: payloads in full, not only how they begin */
    bool no_time;   /* when it happened is not known */
};

/* Needs SKEIN_EVENT_PRINT_MAX of room in `out`. No newline. */
void skein_event_print(const struct skein_event_print *p, struct skein_out *out,
                       const struct skein_event *event, uint64_t time_ns);

#endif
