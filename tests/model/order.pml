/*
 * The watermark and the cut (pipeline/order.c as pipeline/collector_merge.c calls it): threads hand
 * a kernel token around and log, each into its shard; batches are published and drained in any
 * interleaving; the merger must emit one sequence, the one that really happened. The edge in a TOKEN
 * is the watermark: how far the other shard must have been emitted before.
 *
 * The recorder may stop at any step (kill -9): what it has published is emitted all the same. Nobody
 * waits for a shard that stays silent. Without a kill it ends with an END on every shard.
 *
 * A mutation is a -D, see run.
 */
#define SHARDS 3
#define NONE 3  /* no shard */
#define TICKS 5 /* at most, of one shard, with its END */
#ifndef EVENTS
#define EVENTS 5 /* of all shards, without the ENDs */
#endif

/* The log: what event TICK of a shard is; a number up to NONE: a TOKEN that follows this shard. */
#define ORDINARY 4
#define END 5
#define AT(shard, tick) ((shard) * TICKS + (tick) - 1)
byte kind[SHARDS * TICKS];
byte edge_tick[SHARDS * TICKS];

byte logged[SHARDS];    /* ticks, by the writer */
byte published[SHARDS]; /* of these, visible to the drain thread */
byte arrived[SHARDS];   /* of these, pushed into the order */
byte emitted[SHARDS];   /* of these, given out */
bool closed[SHARDS];

/* What happened, in the order in which it happened: the shard of each event. */
byte real[EVENTS + SHARDS];
byte events, given;

byte owner = NONE;                 /* of the token */
byte last_shard = NONE, last_tick; /* where its last slice stood when it was given up */
bool killed, ending, something_new;

/* ------------------------------------------------------------ the recorder: qemu/src/token.c, log.c */

inline log_event(shard, what, tick) {
    kind[AT(shard, logged[shard] + 1)] = what;
    edge_tick[AT(shard, logged[shard] + 1)] = tick;
    logged[shard]++;
    real[events] = shard;
    events++
}

#define ROOM(shard) (events < EVENTS && logged[shard] < TICKS - 1)

proctype thread(byte me) provided(!killed) {
    do
    :: atomic {
           owner == NONE && !ending && ROOM(me) ->
           owner = me;
           if /* begin_slice(): who had it last goes on without an edge */
           :: last_shard != me -> log_event(me, last_shard, last_tick)
           :: else
           fi
       }
       do
       :: atomic { ROOM(me) -> log_event(me, ORDINARY, 0) }
       :: atomic { published[me] != logged[me] -> published[me] = logged[me] } /* a batch */
#ifdef NO_FLUSH
       :: break
#else
       :: atomic { published[me] = logged[me]; break }
#endif
       od;
       /* give_up(), after the flush: say where the slice ended, let go. */
       atomic { last_shard = me; last_tick = logged[me]; owner = NONE }
    od
}

active proctype fate() {
    if
    :: killed = true
    :: skip
    fi
}

/* skein_finish(): the machine stands still, every shard gets its END and is closed. */
active proctype finish() provided(!killed) {
    byte shard;
    atomic {
        owner == NONE ->
        ending = true;
        for (shard : 0 .. SHARDS - 1) {
            log_event(shard, END, 0);
        }
    }
    for (shard : 0 .. SHARDS - 1) {
        published[shard] = logged[shard]
    }
}

/* ------------------------------------------------------------------------- drain: any interleaving */

active proctype drain() {
    byte shard;
end:
    do
    :: atomic {
        if
        :: arrived[0] < published[0] -> shard = 0
        :: arrived[1] < published[1] -> shard = 1
        :: arrived[2] < published[2] -> shard = 2
        fi;
        arrived[shard]++;
        closed[shard] = kind[AT(shard, arrived[shard])] == END;
        something_new = true;
        shard = 0
    }
    od
}

/* -------------------------------------------------------------------- merger: skein_order_next() */

#define HAS(shard) (emitted[shard] < arrived[shard])
#define HEAD(shard) AT(shard, emitted[shard] + 1)
#define IS_TOKEN(at) (kind[at] <= NONE)
#define TICK_INSIDE(at) (kind[at] >= NONE || edge_tick[at] <= emitted[kind[at]])
#ifdef NO_WATERMARK
#define EDGE_INSIDE(at) true
#else
#define EDGE_INSIDE(at) TICK_INSIDE(at)
#endif
#ifdef END_IS_ORDINARY
#define READY(at) EDGE_INSIDE(at)
#else
#define READY(at) (kind[at] != END && EDGE_INSIDE(at))
#endif

#ifdef FORCE_PAST_EDGES
#define FREE(at) (kind[at] != END)
#define FORCE true
#else
#define FREE(at) READY(at)
#ifndef FORCE
#define FORCE false
#endif
#endif

byte holder = NONE; /* whose slice is being emitted */
hidden byte i, at, pick, last;
hidden byte missing, all_ends;

/* The shard whose first TOKEN says that it follows the holder where that stands. */
inline successor() {
    i = 0;
    do
    :: i < SHARDS ->
        at = emitted[i] + 1;
        do
        :: at <= arrived[i] && !IS_TOKEN(AT(i, at)) -> at++
        :: else -> break
        od;
        if
        :: pick == NONE && i != holder && at <= arrived[i] && kind[AT(i, at)] == holder &&
           EDGE_INSIDE(AT(i, at)) -> pick = i
        :: else
        fi;
        i++
    :: else -> break
    od
}

/* The lowest ready shard, when nobody is missing who might come before; else the first END. */
inline lowest(force) {
    i = SHARDS;
    last = NONE;
    missing = false;
    all_ends = true;
    do
    :: i > 0 ->
        i--;
        if
        :: !HAS(i) -> missing = missing || (!closed[i] && !(force)); all_ends = all_ends && closed[i]
        :: HAS(i) && FREE(HEAD(i)) -> pick = i
        :: HAS(i) && !FREE(HEAD(i)) && kind[HEAD(i)] == END -> last = i
        :: HAS(i) && !FREE(HEAD(i)) && kind[HEAD(i)] != END -> all_ends = false
        fi
    :: else -> break
    od;
    if
    :: missing -> pick = NONE
    :: !missing && pick == NONE && all_ends -> pick = last
    :: else
    fi
}

inline choose() {
    pick = NONE;
#ifndef IDLE_HOLDS
    if
    :: holder != NONE && HAS(holder) && READY(HEAD(holder)) -> pick = holder
    :: else -> successor()
    fi;
#endif
    if
    :: pick == NONE -> lowest(FORCE)
    :: else
    fi
}

active proctype merger() {
    atomic { run thread(0); run thread(1); run thread(2) }
end:
    do
    :: d_step { /* merge_some() */
        something_new -> something_new = false;
        choose();
        do
        :: pick == NONE -> break
        :: pick != NONE ->
            /* What is emitted is always a consistent cut, and what happened, in that order. */
            assert(TICK_INSIDE(HEAD(pick)));
            assert(real[given] == pick);
            emitted[pick]++;
            holder = pick;
            real[given] = 0; /* states that differ in nothing but their past are one */
            given++;
            if
            :: kind[AT(pick, emitted[pick])] != END ->
                kind[AT(pick, emitted[pick])] = 0;
                edge_tick[AT(pick, emitted[pick])] = 0
            :: else
            fi;
            choose()
        od
    }
    od
}

#define OUT(shard)                                                                                 \
    (emitted[shard] == published[shard] ||                                                         \
     (emitted[shard] + 1 == published[shard] && kind[AT(shard, published[shard])] == END))

/* When nothing moves: all that was published is out, whoever is silent; ENDs wait for the others. */
active proctype quiet() {
    timeout ->
    assert(OUT(0) && OUT(1) && OUT(2));
    /* The collector has seen that the recorder is gone: no shard will get more. */
    d_step { closed[0] = true; closed[1] = true; closed[2] = true; something_new = true }
    timeout ->
    assert(emitted[0] == published[0] && emitted[1] == published[1] && emitted[2] == published[2]);
    assert(killed || (ending && given == events))
}
