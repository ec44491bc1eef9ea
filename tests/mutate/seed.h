/*
 * What a seed changes in a recording: one event of a vCPU, chosen with the same chance for every
 * class of change, then for every event of the class.
 */
#ifndef SKEIN_TESTS_MUTATE_SEED_H
#define SKEIN_TESTS_MUTATE_SEED_H

#include "pipeline/reader.h"

struct seeded {
    uint64_t state;
    unsigned class;
    char what[64];     /* in words */
    uint64_t moved_to; /* the icount at which the event stands now; 0: where it was */
};

void seed_begin(struct seeded *s, uint64_t seed);

/* The next random number. */
uint64_t seed_next(struct seeded *s);

/* Does the seed's class of change apply to this event? */
bool seed_wants(const struct seeded *s, const struct skein_event *e, uint32_t vcpu_count);

/* low_icount: the stop in front of it, which an event that moves stays behind. */
void seed_change(struct seeded *s, struct skein_record *r, uint64_t low_icount);

#endif
