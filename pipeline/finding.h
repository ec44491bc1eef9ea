/*
 * A finding: what skein bisect asks QEMU about a replay that diverges, and the answer. A file with
 * one of these (property find=FILE).
 */
#ifndef SKEIN_PIPELINE_FINDING_H
#define SKEIN_PIPELINE_FINDING_H

#include <stdint.h>

#include "pipeline/event.h"
#include "pipeline/session.h"

#define SKEIN_FINDING_MAGIC 0x444e49464e4b5301ull
/* An event of any size: shard_layout.h has the same number. */
#define SKEIN_FINDING_EVENT_BYTES (sizeof(struct skein_record) + 8 * 45 + SKEIN_RECORD_MAX_BYTES)

enum skein_finding_task {
    SKEIN_TASK_VERIFY = 0, /* replay; wait for the log, to diverge at the same event always */
    SKEIN_TASK_SEARCH = 1, /* which event is wrong? The answer goes into this file */
    SKEIN_TASK_APPLY = 2,  /* replay with the event as `right` says */
};

enum skein_finding_outcome {
    SKEIN_FINDING_NONE = 0,  /* no hypothesis holds */
    SKEIN_FINDING_EVENT = 1, /* with the event as `right` says, the digests that follow are right */
    SKEIN_FINDING_SAME = 2,  /* it did not diverge this time */
};

/* How the event was found to be wrong. */
enum skein_finding_way {
    SKEIN_WAY_NONE = 0,
    SKEIN_WAY_FIELD = 1,    /* the field that was compared is wrong, nothing else */
    SKEIN_WAY_SOLVED = 2,   /* its content follows from the next digest */
    SKEIN_WAY_POSITION = 3, /* its digest is right at another instruction */
    SKEIN_WAY_EDGE = 4,     /* nobody else's slice can follow */
    SKEIN_WAY_TRIED = 5,    /* by trying */
};

struct skein_finding {
    uint64_t magic;
    uint32_t task;
    uint32_t jobs;     /* SEARCH: children at a time */
    uint64_t seconds;  /* SEARCH: the longest it may take */
    uint32_t answered; /* 1: what follows is QEMU's */
    uint32_t outcome;
    uint32_t way;
    uint64_t tried; /* hypotheses */
    uint64_t duration_ns;
    /* What the replay says of the log as it is. The search begins behind its good_tick. */
    struct skein_divergence divergence;
    uint32_t shard;   /* EVENT: of the wrong event; its tick */
    uint32_t stopped; /* NONE: 1 when the time was up */
    uint64_t tick;
    uint64_t icount; /* the vCPU's, near where the event is met; exact when it has a position */
    uint8_t recorded[SKEIN_FINDING_EVENT_BYTES];
    uint8_t right[SKEIN_FINDING_EVENT_BYTES];
};

#endif
