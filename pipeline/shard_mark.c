#include "pipeline/shard_mark.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "pipeline/atomics.h"

#define MARK_TRIES 1000

/*
 * Four words at a time where there are four: the additions of a group then wait for one another
 * only once.
 */
void skein_shard_sum_words(struct skein_shard_sums *sums, const uint8_t *at, uint64_t bytes) {
    uint64_t sum = sums->sum, sum_of_sums = sums->sum_of_sums, w[4];

    for (; bytes >= sizeof(w); at += sizeof(w), bytes -= sizeof(w)) {
        memcpy(w, at, sizeof(w));
        sum_of_sums += 4 * sum + 4 * w[0] + 3 * w[1] + 2 * w[2] + w[3];
        sum += w[0] + w[1] + w[2] + w[3];
    }
    for (; bytes != 0; at += sizeof(w[0]), bytes -= sizeof(w[0])) {
        memcpy(w, at, sizeof(w[0]));
        sum += w[0];
        sum_of_sums += sum;
    }
    *sums = (struct skein_shard_sums){sum, sum_of_sums};
}

/* The same for a part of the ring by its positions, which may wrap. */
void skein_shard_sum_ring(struct skein_shard_sums *sums, const uint8_t *ring, uint64_t mask,
                          uint64_t from, uint64_t to) {
    while (from != to) {
        const uint64_t index = from & mask, to_end = mask + 1 - index;
        const uint64_t bytes = to - from < to_end ? to - from : to_end;
        skein_shard_sum_words(sums, ring + index, bytes);
        from += bytes;
    }
}

/*
 * Stores a mark. Every store is a release, so that who sees one of them sees the position that was
 * stored before them, too: pairs with the acquires in skein_shard_mark_load().
 */
void skein_shard_mark_store(struct skein_shard_mark *to, uint64_t at, uint64_t ticks,
                            const struct skein_shard_sums *sums) {
    skein_store_release_64(&to->at, at);
    skein_store_release_64(&to->ticks, ticks);
    skein_store_release_64(&to->sum, sums->sum);
    skein_store_release_64(&to->sum_of_sums, sums->sum_of_sums);
}

/*
 * The position and its mark. A mark is overwritten only after the position that it belonged to, so
 * one that was read under an unchanged position is whole. -EAGAIN: the other side moves too fast;
 * -EBADMSG: there is no mark for the position.
 */
int skein_shard_mark_load(const uint64_t *position, const struct skein_shard_mark marks[2],
                          struct skein_shard_mark *mark) {
    for (int i = 0; i < MARK_TRIES; i++) {
        const uint64_t at = skein_load_acquire_64(position);
        bool found = false;
        for (int k = 0; k < 2 && !found; k++) {
            mark->at = skein_load_acquire_64(&marks[k].at);
            mark->ticks = skein_load_acquire_64(&marks[k].ticks);
            mark->sum = skein_load_acquire_64(&marks[k].sum);
            mark->sum_of_sums = skein_load_acquire_64(&marks[k].sum_of_sums);
            found = mark->at == at;
        }
        if (skein_load_acquire_64(position) == at) {
            return found ? 0 : -EBADMSG;
        }
    }
    return -EAGAIN;
}

/* The mark that may be overwritten: not the position's. */
uint32_t skein_shard_mark_spare(const struct skein_shard_mark marks[2], uint64_t at) {
    return skein_load_relaxed_64(&marks[0].at) == at ? 1 : 0;
}
