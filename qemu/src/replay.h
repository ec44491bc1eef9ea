/*
 * What the parts of the replayer share. All of it runs in the one thread that replays.
 *
 *   replay_log.c    the log: events of each vCPU, in order
 *   replay.c        one vCPU: up to its next event, and that event
 *   replay_order.c  all of them: whose slice is next, and what devices do between slices
 *   trace.c         what it executes, written down
 *   verdict.c       how it ends
 */
#ifndef ACCEL_TCG_SKEIN_REPLAY_H
#define ACCEL_TCG_SKEIN_REPLAY_H

#include "accel/tcg/skein/state.h"

/* A stop that is not known yet. */
#define SKEIN_STOP_UNKNOWN UINT64_MAX

static inline uint64_t skein_first_word(const struct skein_record *r)
{
    return *(const uint64_t *)(r + 1);
}

/* replay_log.c */

const char *skein_replay_kind_name(uint8_t kind);

/* The record at *cursor, which moves behind it; NULL: nothing more is published yet. */
const struct skein_record *skein_replay_peek_at(struct skein_shard_reader *r, uint64_t *cursor);
/* The next event of a vCPU, not consumed; NULL: nothing more is published yet. */
const struct skein_record *skein_replay_peek(SkeinCPU *c);
/* As above, but waits; NULL: the log has no more. */
const struct skein_record *skein_replay_await(SkeinCPU *c);
void skein_replay_consume(SkeinCPU *c);
/* No more events will come, and all that came are consumed. */
bool skein_replay_log_over(struct skein_shard_reader *r, uint64_t cursor);
bool skein_replay_log_closed(struct skein_shard_reader *r);
/* A moment for the feeder; ends the process when it is gone. */
void skein_replay_wait_for_feeder(void);
/* The log has no event where one is needed. Does not return unless the recording was cut off. */
void skein_replay_log_ended(SkeinCPU *c, uint8_t kind);
/* A run of bytes read from user memory must be used up when another event is met. */
void skein_replay_run_used_up(SkeinCPU *c, uint8_t kind);
/* Looks ahead for the next stop. False: none is known yet; *full: and the ring cannot hold more. */
bool skein_replay_find_stop(SkeinCPU *c, bool *full);

/* The log goes on behind the ticks at which all shards stand now. */
void skein_replay_seek(void);

/* replay.c */
void skein_replay_mem(const struct skein_record *r);

/*
 * Who wants to see the replay at certain instructions: the debugger, the trace, checkpoints. A
 * vCPU is "about to execute" when every event that stands at its icount is applied and the next
 * thing to happen is its instruction of that number. That state is the same in every replay.
 */
struct skein_observer {
    /* The first icount of the vCPU behind the present one at which at() must be called. */
    uint64_t (*next)(SkeinCPU *c);
    /* The vCPU is about to execute; called more often than asked for. True: stop here. */
    bool (*at)(SkeinCPU *c);
};

#define SKEIN_NEVER UINT64_MAX

/* Before the replay runs; the observer lives on. */
void skein_observe(const struct skein_observer *observer);
/* The machine's icount: all vCPUs' together. It tells points of the whole replay apart. */
uint64_t skein_replay_icount(void);

/* override.c: an event as it should be; record: as it is logged, may be NULL. */
const struct skein_record *skein_override_read(struct skein_shard_reader *reader, uint64_t end,
                                               const struct skein_record *record);

/* finder.c, finder_child.c */
/* The vCPU is between two instructions, or in user mode. */
void skein_finder_stop(SkeinCPU *c);
bool skein_in_child(void);
/* Ends the child that tries a hypothesis; returns when this process is none. */
void skein_child_finish(enum skein_verdict verdict);
/* A digest was right; an event was consumed. */
void skein_child_good(SkeinCPU *c);
void skein_child_met_end(SkeinCPU *c);
void skein_child_consumed(SkeinCPU *c);

/* trace.c */
bool skein_trace_open(Error **errp);
/* An event is consumed, or applied by the devices. */
void skein_trace_event(uint32_t shard, uint64_t tick, const struct skein_record *r);
void skein_trace_close(void);

/* replay_order.c */
bool skein_replay_edge_met(const struct skein_record *r);
void skein_replay_give_up(SkeinCPU *c);
/* The vCPU's log ends with this event: compares, and consumes it. */
void skein_replay_end(SkeinCPU *c, const struct skein_record *r);
/* A slice, or what devices do, or a wait for the log. */
void skein_replay_go_on(void);
/* Device events until the slice that begins with this TOKEN may follow. */
void skein_replay_devices(const struct skein_record *token);

/* checkpoint.c: files, as the options ask for. */
void skein_epochs_begin(void);
void skein_epochs_end(void);

/*
 * rewind.c: checkpoints in memory, in a list by their icount. All of it in the replay's thread,
 * with the big QEMU lock held.
 */
typedef struct SkeinCheckpoint SkeinCheckpoint;

/* Some vCPU is about to execute. A replay that takes files as well cannot have these. */
SkeinCheckpoint *skein_checkpoint_take(void);
/* The machine as it was there, outside of any execution loop; later checkpoints are forgotten. */
void skein_checkpoint_return(SkeinCheckpoint *cp);
/* Forgets one that is neither the first nor the last. */
void skein_checkpoint_drop(SkeinCheckpoint *cp);
SkeinCheckpoint *skein_checkpoint_first(void);
SkeinCheckpoint *skein_checkpoint_last(void);
SkeinCheckpoint *skein_checkpoint_before(const SkeinCheckpoint *cp); /* NULL: it is the first */
uint64_t skein_checkpoint_icount(const SkeinCheckpoint *cp);         /* the machine's */
uint64_t skein_checkpoint_bytes(void);                               /* of all */

/* until.c: the replay ends at the checkpoint in this file. */
bool skein_until_begin(const char *path, Error **errp);
/* An event of the shard was consumed; c: its vCPU, or NULL. */
void skein_until_consumed(SkeinCPU *c, uint32_t shard, uint64_t tick);
/* Between two instructions, all that was consumed is applied: ends the replay when it is there. */
void skein_until_check(void);

/* verdict.c */
G_NORETURN void skein_replay_finish(enum skein_verdict verdict);
/* All shards are at their end: compares what remains. */
G_NORETURN void skein_replay_check_end(void);

#endif
