#include "pipeline/order.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/stats.h"

struct place {
    struct skein_chunk *chunk;
    size_t offset;
};

struct queue {
    struct skein_chunk *first, *last;
    struct place head;                /* the next event */
    struct place scan;                /* how far a TOKEN was looked for; never behind head */
    uint64_t head_pos, scan_pos;      /* both as bytes ever pushed before them */
    const struct skein_record *token; /* the first TOKEN at or after head, if found */
    bool closed;
};

struct skein_order {
    uint32_t shard_count;
    uint32_t holder; /* whose slice it is; SKEIN_SHARD_NONE before the first */
    uint64_t buffered;
    uint64_t emitted[SKEIN_MAX_SHARDS];
    struct queue queue[SKEIN_MAX_SHARDS];
};

struct skein_chunk *skein_chunk_new(size_t capacity) {
    struct skein_chunk *chunk = malloc(sizeof(*chunk) + capacity);

    if (chunk != NULL) {
        chunk->next = NULL;
        chunk->used = 0;
        chunk->capacity = capacity;
    }
    return chunk;
}

int skein_order_create(uint32_t shard_count, struct skein_order **out) {
    struct skein_order *o = calloc(1, sizeof(*o));

    if (o == NULL) {
        return -ENOMEM;
    }
    assert(shard_count != 0 && shard_count <= SKEIN_MAX_SHARDS);
    o->shard_count = shard_count;
    o->holder = SKEIN_SHARD_NONE;
    *out = o;
    return 0;
}

void skein_order_free(struct skein_order *o) {
    if (o == NULL) {
        return;
    }
    for (uint32_t i = 0; i < o->shard_count; i++) {
        for (struct skein_chunk *c = o->queue[i].first, *next; c != NULL; c = next) {
            next = c->next;
            free(c);
        }
    }
    free(o);
}

void skein_order_seek(struct skein_order *o, const uint64_t *clock, uint32_t last_shard) {
    memcpy(o->emitted, clock, o->shard_count * sizeof(*clock));
    o->holder = last_shard;
}

void skein_order_push(struct skein_order *o, uint32_t shard, struct skein_chunk *chunk) {
    struct queue *q = &o->queue[shard];

    assert(chunk->used != 0);
    chunk->next = NULL;
    if (q->first == NULL) {
        q->first = chunk;
        q->head = (struct place){chunk, 0};
        q->scan = (struct place){chunk, 0};
    } else {
        q->last->next = chunk;
    }
    q->last = chunk;
    o->buffered += chunk->used;
}

void skein_order_close(struct skein_order *o, uint32_t shard) {
    o->queue[shard].closed = true;
}

uint64_t skein_order_buffered(const struct skein_order *o) {
    return o->buffered;
}

/* The record there, or NULL at the end of what was pushed. Steps over the ends of chunks. */
static const struct skein_record *record_at(struct place *p) {
    if (p->chunk == NULL) {
        return NULL;
    }
    if (p->offset == p->chunk->used) {
        if (p->chunk->next == NULL) {
            return NULL;
        }
        *p = (struct place){p->chunk->next, 0};
    }
    return (const void *)(p->chunk->bytes + p->offset);
}

static const struct skein_record *head_of(struct queue *q) {
    const struct skein_record *rec = record_at(&q->head);

    if (q->scan_pos <= q->head_pos) {
        q->scan = q->head;
        q->scan_pos = q->head_pos;
    }
    /* Only now: the record given out last may lie in a chunk that the head has left. */
    while (q->first != q->head.chunk) {
        struct skein_chunk *done = q->first;
        q->first = done->next;
        free(done);
    }
    return rec;
}

static bool is_token(const struct skein_record *rec) {
    return rec->kind == SKEIN_TOKEN &&
           rec->size_bytes >= sizeof(*rec) + sizeof(struct skein_token_payload);
}

static const struct skein_record *first_token(struct queue *q) {
    const struct skein_record *rec;

    head_of(q); /* the scan is not behind it any more */
    while (q->token == NULL && (rec = record_at(&q->scan)) != NULL) {
        if (is_token(rec)) {
            q->token = rec;
        } else {
            q->scan.offset += rec->size_bytes;
            q->scan_pos += rec->size_bytes;
        }
    }
    return q->token;
}

static uint64_t edge_tick(const struct skein_record *token) {
    uint64_t tick;

    memcpy(&tick, token + 1, sizeof(tick));
    return tick;
}

static bool edge_inside(const struct skein_order *o, const struct skein_record *token) {
    return token->arg >= o->shard_count || edge_tick(token) <= o->emitted[token->arg];
}

/* Whether the event can come next as far as edges go. */
static bool ready(const struct skein_order *o, const struct skein_record *rec) {
    return rec->kind != SKEIN_END && (!is_token(rec) || edge_inside(o, rec));
}

/* The shard whose first TOKEN says that it follows the holder where the holder stands. */
static uint32_t successor(struct skein_order *o) {
    for (uint32_t i = 0; i < o->shard_count; i++) {
        const struct skein_record *token = i != o->holder ? first_token(&o->queue[i]) : NULL;
        if (token != NULL && token->arg == o->holder && edge_inside(o, token)) {
            return i;
        }
    }
    return SKEIN_SHARD_NONE;
}

/*
 * The lowest ready shard, when nobody is missing who might come before; ENDs only when there is
 * nothing else.
 */
static uint32_t lowest(struct skein_order *o, bool force) {
    uint32_t end = SKEIN_SHARD_NONE, pick = SKEIN_SHARD_NONE;
    bool all_ends = true;

    for (uint32_t i = o->shard_count; i-- != 0;) {
        struct queue *q = &o->queue[i];
        const struct skein_record *rec = head_of(q);
        if (rec == NULL) {
            if (!q->closed && !force) {
                return SKEIN_SHARD_NONE;
            }
            all_ends &= q->closed;
        } else if (ready(o, rec)) {
            pick = i;
        } else {
            end = rec->kind == SKEIN_END ? i : end;
            all_ends &= rec->kind == SKEIN_END;
        }
    }
    if (pick != SKEIN_SHARD_NONE) {
        return pick;
    }
    return all_ends ? end : SKEIN_SHARD_NONE;
}

static uint32_t choose(struct skein_order *o, bool force) {
    if (o->holder != SKEIN_SHARD_NONE) {
        const struct skein_record *rec = head_of(&o->queue[o->holder]);
        if (rec != NULL && ready(o, rec)) {
            return o->holder;
        }
    }
    uint32_t next = successor(o);
    return next != SKEIN_SHARD_NONE ? next : lowest(o, force);
}

static void advance(struct skein_order *o, struct queue *q, const struct skein_record *rec) {
    q->head.offset += rec->size_bytes;
    q->head_pos += rec->size_bytes;
    o->emitted[o->holder]++;
    o->buffered -= rec->size_bytes;
}

/* Within a slice, which is nearly always, there is nothing to choose. NULL: there may be. */
static const struct skein_record *next_in_slice(struct skein_order *o) {
    struct queue *q;
    const struct skein_record *rec;

    if (o->holder == SKEIN_SHARD_NONE) {
        return NULL;
    }
    q = &o->queue[o->holder];
    if (q->head.chunk == NULL || q->head.offset == q->head.chunk->used) {
        return NULL;
    }
    rec = (const void *)(q->head.chunk->bytes + q->head.offset);
    if (rec->kind == SKEIN_TOKEN || rec->kind == SKEIN_END) {
        return NULL;
    }
    advance(o, q, rec);
    return rec;
}

const struct skein_record *skein_order_next(struct skein_order *o, bool force, uint32_t *shard) {
    const struct skein_record *rec = next_in_slice(o);
    uint32_t next;
    struct queue *q;

    if (rec != NULL) {
        *shard = o->holder;
        return rec;
    }
    next = choose(o, force);
    if (next == SKEIN_SHARD_NONE) {
        return NULL;
    }
    q = &o->queue[next];
    rec = head_of(q);
    if (q->token == rec) {
        q->token = NULL;
    }
    o->holder = next;
    advance(o, q, rec);
    *shard = next;
    return rec;
}
