/*
 * A recording as people look at it: spans, one after the other.
 *
 * A span is a stretch of a slice under one name: a system call, an exception, an interrupt, what
 * goes on after a hand-off, a page walk of user mode, a device's DMA. One thread at a time holds
 * the kernel token, so spans never overlap, also not those of different shards. Between the spans
 * of a vCPU it is in user mode, halted, or waiting for the token.
 *
 * Times are estimates (pipeline/timebase.h). A span begins when the vCPU came back from somewhere
 * that is not in the log, so the first read of the time-stamp counter in it says where its
 * beginning belongs: what had passed unseen until then passed before the span, not in it.
 */
#ifndef SKEIN_CLI_SPAN_H
#define SKEIN_CLI_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/error.h"
#include "pipeline/manifest.h"
#include "pipeline/reader.h"

enum skein_span_type {
    SKEIN_SPAN_KERNEL = 0, /* a kernel that has not been entered since the recording began */
    SKEIN_SPAN_SYSCALL = 1,
    SKEIN_SPAN_EXCEPTION = 2,
    SKEIN_SPAN_INTERRUPT = 3,
    SKEIN_SPAN_IDLE = 4, /* woken up, and nothing has come yet */
    SKEIN_SPAN_WALK = 5, /* user mode's page walk sets accessed and dirty bits */
    SKEIN_SPAN_DEVICE = 6,
    SKEIN_SPAN_TYPE_COUNT = 7,
};

#define SKEIN_SPAN_REGS 6u

struct skein_span {
    uint32_t shard;
    uint32_t name; /* skein_spans_name() */
    enum skein_span_type type;
    bool opens_slice; /* with a TOKEN; false: the token was there from the span before */
    bool entered;     /* with an ENTRY; false: goes on with what the vCPU was in */
    bool follows;     /* the span before gave the token to this one (flow: its slice) */
    bool gives;       /* the next span follows this one (flow: next_slice) */
    uint64_t slice, next_slice;
    uint64_t begin_ns, end_ns;
    uint64_t first_tick, last_tick;
    uint64_t first_icount, last_icount; /* of its vCPU; of devices 0 */
    uint64_t bytes;                     /* in the shard */
    /* entered: the arguments that the log has, in the order of the system call's convention */
    uint32_t vector;
    uint64_t error; /* error code */
    uint64_t cr2;   /* EXCEPTION; 0: not in the log */
    uint64_t rip;   /* of user mode; 0: not in the log */
    uint32_t reg_mask;
    uint64_t reg[SKEIN_SPAN_REGS]; /* rdi rsi rdx r10 r8 r9, as reg_mask says */
};

/* An interrupt in kernel mode, within a span. */
struct skein_instant {
    uint32_t shard;
    uint32_t name;
    uint64_t ns;
    uint64_t tick;
    uint64_t icount;
};

/* What is told of the spans; 0, or a negative errno that ends the walk. */
struct skein_span_sink {
    void *opaque;
    int (*begin)(void *opaque, const struct skein_span *span);
    int (*instant)(void *opaque, const struct skein_instant *instant);
    int (*end)(void *opaque, const struct skein_span *span);
};

struct skein_spans;

/* Spans that are not over at from_ns, up to those that begin at to_ns. */
int skein_spans_create(const struct skein_manifest *manifest, uint32_t shard_count,
                       uint64_t from_ns, uint64_t to_ns, const struct skein_span_sink *sink,
                       struct skein_spans **out);
void skein_spans_free(struct skein_spans *spans);

/* The next event in canonical order. 1: nothing after it is wanted; else as the sink says. */
int skein_spans_feed(struct skein_spans *spans, const struct skein_event *event);

/* There are no more events. */
int skein_spans_finish(struct skein_spans *spans);

/* Names are numbered from 0 as they are met, and live as long as `spans`. */
const char *skein_spans_name(const struct skein_spans *spans, uint32_t name);
enum skein_span_type skein_spans_name_type(const struct skein_spans *spans, uint32_t name);
uint32_t skein_spans_name_count(const struct skein_spans *spans);

/* "syscall", "exception", …; "vCPU 3", "devices". */
const char *skein_span_type_name(enum skein_span_type type);
void skein_span_lane_name(char out[32], uint32_t shard, uint32_t shard_count);

#endif
