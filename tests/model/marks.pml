/*
 * The marks of a shard (pipeline/shard.h, "Marks"): store_mark() and the store of the position that
 * follows it, against load_mark() in another thread or, after a kill at any step, in recovery. A
 * mark has two fields here, the position and what belongs to it, since that is what can be torn;
 * what belongs to position p is p.
 *
 * Every store is a release and every load an acquire, so that stores become visible in the order of
 * the program and loads are performed in it: an interleaving is all that can happen. NO_RELEASE
 * takes that away from the stores of a mark: they may be seen before the position stored before
 * them.
 *
 * Checked: a mark that was loaded is that of the position; a shard is called damaged never; and what
 * a dead writer leaves is a position with its mark.
 *
 * A mutation is a -D, see run.
 */
#define LAST 5 /* position: there are so many publishes */

byte position;
byte at[2], belongs[2];
bool dead, done;

/* ------------------------------------------------- skein_shard_publish(), skein_shard_release() */

/* store_mark(): the two fields, one after the other. */
inline store_mark(i, p) {
    at[i] = p;
    belongs[i] = p
}

proctype side() provided(!dead) {
    byte next = 1, spare = 1;

    do
    :: next <= LAST ->
#ifdef POSITION_FIRST
        position = next;
        store_mark(spare, next);
#else
#ifdef NO_RELEASE
        /* The next mark may be seen before this position is. */
        store_mark(spare, next);
        if
        :: next < LAST ->
            store_mark(1 - spare, next + 1);
            position = next;
            spare = 1 - spare;
            next++
        :: true
        fi;
        position = next;
#else
        store_mark(spare, next);
        position = next;
#endif
#endif
#ifdef SAME_MARK
        skip;
#else
        spare = 1 - spare;
#endif
        next++
    :: else -> break
    od;
    done = true
}

active proctype killer() {
    if
    :: dead = true
    :: true
    fi
}

/* --------------------------------------------------------------------------------- load_mark() */

inline load_mark(p, found, value, stable) {
    byte i = 0;

    p = position;
    found = false;
    do
    :: i < 2 && !found ->
        if
        :: at[i] == p ->
            value = belongs[i];
            found = true
        :: else
        fi;
        i++
    :: else -> break
    od;
#ifdef NO_SECOND_LOOK
    stable = true;
#else
    stable = (position == p);
#endif
    i = 0
}

active proctype peer() {
    byte p, value, tries;
    bool found, stable;

    atomic {
        /* Both marks begin as that of position 0, as skein_shard_create() leaves them. */
        run side()
    }
    do
    :: tries < 3 ->
        load_mark(p, found, value, stable);
        if
        :: stable ->
            assert(found);
            assert(value == p)
        :: else
        fi;
        tries++
    :: else -> break
    od;
    /* Recovery: nothing moves any more. */
    (dead || done);
    load_mark(p, found, value, stable);
    assert(stable && found && value == p)
}
