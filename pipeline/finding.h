/*
 * A finding: what QEMU found out about a replay that diverges, for skein bisect. A file with one of
 * these. Given back to QEMU (property override=FILE), the replay takes the events as they should
 * have been.
 */
#ifndef SKEIN_PIPELINE_FINDING_H
#define SKEIN_PIPELINE_FINDING_H

#include <stdint.h>

#include "pipeline/event.h"
#include "pipeline/session.h"

#define SKEIN_FINDING_MAGIC 0x444e49464e4b5301ull
/* An event of any size: shard_layout.h has the same number. */
#define SKEIN_FINDING_EVENT_BYTES (sizeof(struct skein_record) + 8 * 45 + SKEIN_RECORD_MAX_BYTES)

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
    uint32_t outcome;
    uint32_t way;
    uint64_t tried; /* hypotheses */
    uint64_t duration_ns;
    struct skein_divergence divergence; /* as recorded */
    uint64_t good_tick;                 /* of the vCPU that diverges: where the search began */
    uint64_t good_icount;
    uint32_t shard;   /* EVENT: of the wrong event; its tick */
    uint32_t stopped; /* NONE: 1 when the time or the number of hypotheses was up */
    uint64_t tick;
    uint64_t icount; /* the vCPU's, near where the event is met; exact when it has a position */
    uint8_t recorded[SKEIN_FINDING_EVENT_BYTES];
    uint8_t right[SKEIN_FINDING_EVENT_BYTES];
};

#endif
