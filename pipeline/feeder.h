/*
 * The feeder: fills the shards of a replay session with the events of a recording, in a thread of
 * its own. Each shard is fed from a reader of its own as fast as its ring has room, so a full ring
 * never keeps another shard waiting, however far apart in the recording the shards stand, and the
 * memory is bounded by one block per shard.
 *
 * A shard is closed after its last event. A recording without END on every shard is cut where a
 * replay can stop (cut.h), and the session's header says truncated = 1.
 *
 * Until it is freed it answers QEMU's requests to go on elsewhere (seek in session.h), also after
 * the last event: within about a quarter of a millisecond, without reading anything. The events
 * then take as long as it takes to decode the block in which each shard's first one stands, unless
 * that is one of the blocks used last.
 */
#ifndef SKEIN_PIPELINE_FEEDER_H
#define SKEIN_PIPELINE_FEEDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pipeline/clock.h"
#include "pipeline/error.h"
#include "pipeline/recording.h"
#include "pipeline/session_map.h"

struct skein_feeder_opts {
    struct skein_recording *recording;
    struct skein_session *session;   /* created with mode REPLAY and the recording's vcpu_count */
    const struct skein_clock *after; /* feed what follows these ticks; NULL: from the first on */
};

enum skein_feeder_state {
    SKEIN_FEEDER_RUNNING,
    SKEIN_FEEDER_DONE,   /* every shard is fed and closed, until QEMU goes back */
    SKEIN_FEEDER_FAILED, /* error says why; the shards stay open */
};

struct skein_feeder_status {
    enum skein_feeder_state state;
    struct skein_error error;
    uint64_t events_fed;   /* of the recording, up to where the shards stand */
    uint64_t events_total; /* the same at its end */
    bool truncated;        /* the recording has no END on every shard */
};

struct skein_feeder;

/* Sets `truncated` in the session's header before it returns: start it before QEMU. */
int skein_feeder_start(const struct skein_feeder_opts *opts, struct skein_feeder **out,
                       struct skein_error *err);

/* At any time, from any thread. */
void skein_feeder_poll(struct skein_feeder *feeder, struct skein_feeder_status *status);

/* Ends the thread (also when it is not done) and frees. */
void skein_feeder_free(struct skein_feeder *feeder);

#endif
