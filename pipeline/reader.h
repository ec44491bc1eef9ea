/* Iteration over the events of a recording with bounded memory. One thread per reader. */
#ifndef SKEIN_PIPELINE_READER_H
#define SKEIN_PIPELINE_READER_H

#include <stdint.h>

#include "pipeline/error.h"
#include "pipeline/event.h"
#include "pipeline/recording.h"

struct skein_event {
    uint32_t shard;
    uint64_t tick;
    uint64_t slice; /* TOKEN events up to and including this one, in canonical order */
    const struct skein_record *record; /* valid until the next call on this reader */
};

struct skein_reader;

/* All events in canonical order. The recording must outlive the reader. */
int skein_reader_open(struct skein_recording *rec, struct skein_reader **out,
                      struct skein_error *err);

/* The events of one shard, from first_tick (≥ 1) on. Blocks without such events are not read. */
int skein_reader_open_shard(struct skein_recording *rec, uint32_t shard, uint64_t first_tick,
                            struct skein_reader **out, struct skein_error *err);

/* 1: *event is the next one; 0: there are no more; negative errno: damage or I/O error. */
int skein_reader_next(struct skein_reader *reader, struct skein_event *event,
                      struct skein_error *err);

void skein_reader_close(struct skein_reader *reader);

#endif
