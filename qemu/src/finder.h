/*
 * The divergence finder: which event of the log, changed how, makes the replay right? All of it
 * runs in the one thread that replays.
 *
 *   override.c       events that are read otherwise than they are logged
 *   finder.c         stops at the last digest that was right, and tries hypotheses in children
 *   finder_child.c   one hypothesis: a fork of the replay, up to its first wrong digest
 *   finder_solve.c   what the digests say about an event's content, without executing anything
 *   finder_guess.c   the hypotheses, in the order of how likely they are
 */
#ifndef ACCEL_TCG_SKEIN_FINDER_H
#define ACCEL_TCG_SKEIN_FINDER_H

#include "accel/tcg/skein/replay.h"

#include "pipeline/finding.h"

/* Values in the digest of registers: skein_digest_values(). */
#define SKEIN_FINDER_NOTES 65536u

/* An event of the bracket. */
struct skein_suspect {
    const struct skein_record *record;
    uint64_t tick;
    uint64_t end; /* cursor behind it */
};

/* A value that went into the digest of kernel exits and device writes. */
struct skein_note {
    uint32_t tick; /* events consumed before, since the bracket's start */
    int32_t slot;  /* kernel exit: of which it is the value; else -1 */
    uint64_t value;
};

/* What a child has to say, in memory shared with the parent. */
struct skein_trial {
    uint32_t ended;
    uint32_t right;    /* digests as far as the log in the ring goes, or the target, are right */
    uint64_t tick;     /* events of the vCPU consumed */
    uint64_t icount;   /* of the vCPU when the event in question was consumed; 0: it was not */
    uint64_t position; /* scan: where the digest is right; 0: nowhere. walk: the entry */
    uint64_t released_shard;
    uint64_t released_tick;
    struct skein_divergence divergence;
    /* The state behind a wrong digest. */
    uint64_t digest;
    uint64_t inputs;
    uint32_t value_count;
    uint64_t values[SKEIN_DIGEST_VALUES];
    uint32_t note_count;
    struct skein_note notes[SKEIN_FINDER_NOTES]; /* of the first child only */
};

struct skein_hypothesis {
    uint32_t shard;
    uint64_t tick;
    uint64_t end; /* cursor behind the event */
    enum skein_finding_way way;
    bool scan;      /* the position is where the event's digest is right */
    uint32_t walk;  /* MEM of a page walk: the entry that is there then, with these bits set */
    unsigned depth; /* how often it was improved */
    const struct skein_record *recorded;
    struct skein_record *right;
};

/* override.c */
void skein_override(struct skein_shard_reader *reader, uint64_t end,
                    const struct skein_record *record);
/* At the vCPU's first stop behind the good tick of a finding: the event is as it should be. */
void skein_override_due(SkeinCPU *c);

/* finder.c */
bool skein_finder_open(Error **errp);
struct skein_shard_reader *skein_finder_reader(uint32_t shard);
/* The hypothesis takes over `right`. False: enough, it has been found or the time is up. */
bool skein_finder_try(struct skein_hypothesis *h);
/* A copy of the record, to be changed. */
struct skein_record *skein_finder_copy(const struct skein_record *r);

/* finder_child.c */
void skein_child_begin(SkeinCPU *c, struct skein_trial *trial, const struct skein_hypothesis *h,
                       uint64_t target, bool notes);

/* Between two instructions of the vCPU: what the hypothesis leaves open until there. */
void skein_child_scan(SkeinCPU *c);
/* Which word of the event that is. */
size_t skein_child_open_word(const struct skein_hypothesis *h);

/* finder_solve.c */
/* The events of the bracket, and the vCPU's state at its start; first of all. */
void skein_solve_begin(SkeinCPU *c, const struct skein_suspect *s, size_t count);
/* Tries the contents under which the digest that was wrong is right. False: enough. */
bool skein_solve_try(const struct skein_trial *trial);
/* The same for one word of which h has changed the value. True: *better has another one. */
bool skein_solve_again(const struct skein_hypothesis *h, const struct skein_trial *trial,
                       struct skein_hypothesis *better);

/* finder_guess.c */
void skein_finder_guess(SkeinCPU *c, const struct skein_suspect *s, size_t count,
                        const struct skein_trial *trial);
/* A hypothesis on the event: `value` in its word; 0 is the header, whose upper half is arg. */
struct skein_hypothesis skein_guess_word(SkeinCPU *c, const struct skein_suspect *s, size_t word,
                                         uint64_t value, enum skein_finding_way way);

#endif
