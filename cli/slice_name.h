/*
 * What each vCPU is in: the name that people give to the kernel's work of the moment.
 *
 * An ENTRY begins something new: "openat", "#PF", "irq timer", "NMI". A vCPU that woke up from HLT
 * is "idle" until it takes an interrupt. A slice that goes on with what its vCPU was in keeps the
 * name; one that begins with an interrupt has the interrupt's name, and what it interrupted comes
 * back with the vCPU's next slice (the log does not say where a handler returns). A vCPU that has
 * not entered the kernel since the recording began is in "boot". The device shard is in "dma".
 */
#ifndef SKEIN_CLI_SLICE_NAME_H
#define SKEIN_CLI_SLICE_NAME_H

#include <stdint.h>

#include "cli/event_names.h"

struct skein_slice_name;

/* names: must outlive it. 0 or -ENOMEM. */
int skein_slice_name_create(const struct skein_event_names *names, uint32_t shard_count,
                            struct skein_slice_name **out);
void skein_slice_name_free(struct skein_slice_name *tracker);

/*
 * The next event, in canonical order. Returns what its shard is in from this event on; the string
 * lives as long as `names`, and equal names of one tracker are equal pointers.
 */
const char *skein_slice_name_feed(struct skein_slice_name *tracker, uint32_t shard,
                                  const struct skein_record *rec);

/* What that shard is in now. */
const char *skein_slice_name_of(const struct skein_slice_name *tracker, uint32_t shard);

#endif
