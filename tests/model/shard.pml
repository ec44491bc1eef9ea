/*
 * The shard protocol (pipeline/shard.c) on a machine that reorders memory accesses: one writer, one
 * reader, a ring of a few words, deaths of either at any step, and who recovers what they left. The
 * sums of a mark are left out: `ticks` stands for all that a mark says of its position.
 *
 * Weak memory: the writer's stores wait in a buffer, from which `memory` performs them in any order;
 * a release store only after all stores that came before it. The reader may perform the loads of the
 * ring before the load of head that allowed them, unless that load acquires. Room goes back the same
 * way: loads may be performed after a store of tail that does not release them, stores before a load
 * of tail that does not acquire.
 *
 * A mutation is a -D, see run.
 */
#define RING 4    /* words */
#define RECORDS 3 /* appended, of one or two words */

/* What a word of the ring holds: a record's header (with its length and tick), its payload, a pad. */
#define HEADER1(tick) (16 + (tick))
#define HEADER2(tick) (32 + (tick))
#define PAYLOAD(tick) (48 + (tick))
#define PAD 1

/* Shared memory, as everybody else sees it. */
byte mem_ring[RING];
byte mem_head, mem_tail; /* in words, never wrapped */
bool mem_closed;
byte published_at[2], published_ticks[2]; /* the writer's marks */
byte released_at[2], released_ticks[2];   /* the reader's */

/* The writer's stores that are not performed yet. */
bool late_ring[RING];
byte late_word[RING];
bool late_at, late_ticks, late_head, late_closed;
byte late_mark, late_at_value, late_ticks_value, late_head_value;

/* What must be performed before: a bit per word of the ring; the other one of mark and head. */
byte before_mark, before_head;
bool head_before_mark, mark_before_head;

byte ticks_at[2 * RECORDS + 3]; /* how many records lie before a position that was published */

bool writer_dies, writer_gone; /* dies: at any step; gone: it will do nothing any more */
bool reader_dies, reader_gone;
byte appended;  /* ticks */
byte announced; /* ticks below the last head that the writer has stored or is about to */
byte kept;      /* ticks that the reader has delivered to where they are safe */

#define PERFORM(i)                                                                                 \
    d_step {                                                                                       \
        late_ring[i] -> mem_ring[i] = late_word[i];                                                \
        late_ring[i] = false;                                                                      \
        before_head = before_head & ~(1 << i);                                                     \
        before_mark = before_mark & ~(1 << i)                                                      \
    }

#define RING_LATE (late_ring[0] | late_ring[1] << 1 | late_ring[2] << 2 | late_ring[3] << 3)
#ifdef NO_MARK_RELEASE
#define MARK_FREE true
#define TICKS_FREE true
#else
#define MARK_FREE (before_mark == 0 && !head_before_mark)
#define TICKS_FREE (MARK_FREE && !late_at)
#endif

/* Performs the writer's stores. Where it is dead, they are performed or lost, at any point. */
active proctype memory() {
end:
    do
    :: PERFORM(0)
    :: PERFORM(1)
    :: PERFORM(2)
    :: PERFORM(3)
    :: d_step { late_at && MARK_FREE -> published_at[late_mark] = late_at_value; late_at = false }
    :: d_step {
           late_ticks && TICKS_FREE -> published_ticks[late_mark] = late_ticks_value;
           late_ticks = false
       }
    :: d_step {
           late_head && before_head == 0 && !(mark_before_head && (late_at || late_ticks)) ->
           mem_head = late_head_value;
           late_head = false;
           head_before_mark = false
       }
    :: d_step { late_closed && !late_head -> mem_closed = true; late_closed = false }
    od
}

/* Decides for each of them, at any moment, that it dies there, or that it will not die. */
active proctype fate() {
    if
    :: writer_dies = true
    :: skip
    fi;
    if
    :: reader_dies = true
    :: skip
    fi
}

/* ------------------------------------------------------------------ writer: skein_shard_append2 */

byte w_head, w_published, w_tail, w_tick, w_size, w_pad;
byte w_mark = 1; /* the one to store next; 0 belongs to position 0 */

/* A plain store. Stores to one place stay in order. */
inline store_word(pos, value) {
    d_step { !late_ring[(pos) % RING] ->
             late_word[(pos) % RING] = value; late_ring[(pos) % RING] = true }
}

/* skein_shard_mark_store(): every store of it is a release. */
inline store_mark() {
    d_step {
        !late_at && !late_ticks -> /* the mark before it is performed */
        late_at = true;
        late_ticks = true;
        late_at_value = w_head;
        late_ticks_value = w_tick;
        late_mark = w_mark;
        before_mark = RING_LATE;
        head_before_mark = late_head;
        mark_before_head = false;
#ifndef ONE_MARK
        w_mark = 1 - w_mark
#endif
    }
}

/* The release of head. */
inline store_head() {
    d_step {
        !late_head -> /* one place, in order */
        late_head = true;
        late_head_value = w_head;
#ifndef NO_RELEASE
        before_head = RING_LATE;
        mark_before_head = true;
#endif
        w_published = w_head;
        announced = w_tick
    }
}

/* skein_shard_publish() */
inline publish() {
    if
    :: w_published != w_head ->
        ticks_at[w_head] = w_tick;
#ifdef MARK_AFTER_HEAD
        store_head();
        store_mark()
#else
        store_mark();
        store_head()
#endif
    :: else
    fi
}

inline fill() {
    if
    :: w_pad != 0 -> store_word(w_head, PAD)
    :: else
    fi;
    if
    :: w_size == 1 -> store_word(w_head + w_pad, HEADER1(w_tick + 1))
    :: else ->
        store_word(w_head + w_pad, HEADER2(w_tick + 1));
        store_word(w_head + w_pad + 1, PAYLOAD(w_tick + 1))
    fi
}

#define ROOM (w_head + w_pad + w_size - w_tail <= RING)

/* has_room(), wait_for_room(): publishes, then waits for the reader. on_full: the reader is gone. */
inline wait_for_room() {
    do
    :: ROOM -> break
    :: !ROOM && mem_tail == w_tail ->
        publish();
        (mem_tail != w_tail || reader_gone);
        if
        :: reader_gone && mem_tail == w_tail -> goto gave_up
        :: else
        fi
#ifndef STALE_TAIL
    :: !ROOM && mem_tail != w_tail -> w_tail = mem_tail
#endif
    od
}

inline append() {
    atomic {
        if /* with the second of two words there are all pads, and few states */
        :: w_tick != 1 -> w_size = 1
        :: w_size = 2
        fi;
        w_pad = (w_head % RING + w_size > RING -> 1 : 0)
    }
#ifdef NO_TAIL_ACQUIRE
    fill();
    wait_for_room();
#elif defined(NO_BACK_PRESSURE)
    fill();
#elif defined(PUBLISH_BEFORE_WRITE)
    wait_for_room();
    skip;
    d_step { w_head = w_head + w_pad + w_size; w_tick++; }
    publish();
    skip;
    d_step { w_head = w_head - w_pad - w_size; w_tick--; }
    fill();
#else
    wait_for_room();
    fill();
#endif
    skip; /* no jump ends at a d_step */
    d_step { w_head = w_head + w_pad + w_size; w_tick++; w_pad = 0; w_size = 0; appended = w_tick }
}

active proctype writer() {
    {
        do
        :: w_tick < RECORDS ->
            append();
            if
            :: publish() /* a batch ends anywhere */
            :: skip
            fi
        :: w_tick == RECORDS -> break
        od;
        publish();
        /* skein_shard_close(): released after the last head. */
#ifdef CLOSE_BEFORE_HEAD
        mem_closed = true;
#else
        late_closed = true;
#endif
gave_up:
        (RING_LATE == 0 && !late_at && !late_ticks && !late_head && !late_closed)
    } unless { writer_dies };
    /* Stores that a death has kept from being performed never will be. */
    d_step {
        late_ring[0] = false; late_ring[1] = false; late_ring[2] = false; late_ring[3] = false;
        late_at = false; late_ticks = false; late_head = false; late_closed = false;
        writer_gone = true
    }
}

/* --------------------------------------------------------------------- reader: collector_drain.c */

bool early_has[RING];
byte early_word[RING];
#define NO_MARK 255
byte r_tail, r_cursor, r_head, r_tick, r_word, r_ticks, r_again;
byte r_mark = 1;
bool r_closed, r_ending, r_looked;

/* Loads that nothing keeps from being performed now. */
inline load_early() {
    byte k;
    for (k : 0 .. RING - 1) {
        if
        :: d_step { early_word[k] = mem_ring[k]; early_has[k] = true }
        :: skip
        fi
    }
    k = 0
}

/* One of the two marks: is it the position's? */
inline look_at_mark(k) {
    if
    :: r_ticks == NO_MARK ->
        r_word = published_at[k];
        if
        :: r_word == r_head -> r_ticks = published_ticks[k]
        :: else
        fi
    :: else
    fi
}

/* skein_shard_mark_load(): a mark that was read under a position that stays is whole. */
inline load_head() {
#ifdef NO_ACQUIRE
    load_early(); /* allowed everywhere; an acquire makes it vain */
#endif
    do
    :: true ->
        r_head = mem_head;
        r_ticks = NO_MARK;
#ifdef NO_MARK_ACQUIRE
        r_again = mem_head;
#endif
        look_at_mark(0);
        look_at_mark(1);
#if !defined(NO_MARK_ACQUIRE) && !defined(NO_RECHECK)
        r_again = mem_head;
#endif
#ifdef NO_RECHECK
        r_again = r_head;
#endif
        if
        :: r_again == r_head -> break
        :: else
        fi
    od;
    atomic {
        /* Neither "damaged", nor the mark of another position. */
        assert(r_ticks == ticks_at[r_head]);
        r_ticks = 0;
        r_again = 0;
        r_word = 0
    }
}

inline load_word(pos) {
    d_step {
        if
        :: early_has[(pos) % RING] -> r_word = early_word[(pos) % RING];
                                      early_has[(pos) % RING] = false
        :: else -> r_word = mem_ring[(pos) % RING]
        fi
    }
}

/* skein_shard_peek() and the copy of what it found. */
inline read_record() {
    atomic {
    load_word(r_cursor);
    if
    :: r_word == PAD -> r_cursor++
    :: else ->
        assert(r_word == HEADER1(r_tick + 1) || r_word == HEADER2(r_tick + 1));
        if
        :: r_word == HEADER1(r_tick + 1) -> r_cursor++
        :: else ->
            load_word(r_cursor + 1);
            assert(r_word == PAYLOAD(r_tick + 1));
            r_cursor = r_cursor + 2
        fi;
        r_tick++;
        assert(r_tick <= announced)
    fi
    }
}

inline read_some() {
    do
    :: r_cursor != r_head -> read_record()
    :: r_cursor == r_head || r_cursor != r_tail -> break
    od
}

/*
 * skein_shard_release(): its stores are performed at once and in order, since each is a release; a
 * late one only makes the reader slower.
 */
inline release() {
    if
    :: r_cursor != r_tail ->
#ifdef TAIL_BEFORE_MARK
        mem_tail = r_cursor;
#endif
        released_at[r_mark] = r_cursor;
        released_ticks[r_mark] = r_tick;
        d_step {
            mem_tail = r_cursor;
            r_tail = r_cursor;
            r_mark = 1 - r_mark
        }
    :: else
    fi
}

/* visit(): closed before head. */
active proctype reader() {
    {
        do
        :: true ->
            if
            :: (mem_head != r_tail || mem_closed || writer_gone) /* polled until then */
            :: !r_looked -> r_looked = true /* and once at any other moment */
            fi;
            r_ending = writer_gone;
#ifdef CLOSED_AFTER_HEAD
            load_head();
            r_closed = mem_closed;
#else
            r_closed = mem_closed;
            load_head();
#endif
            if
            :: r_head == r_tail && r_closed -> assert(r_tick == RECORDS); break
            :: r_head == r_tail && !r_closed && r_ending -> break
            :: r_head == r_tail && !r_closed && !r_ending
            :: r_head != r_tail ->
#ifdef RELEASE_BEFORE_READ
                mem_tail = r_head;
#elif defined(NO_TAIL_RELEASE)
                if
                :: mem_tail = r_head
                :: skip
                fi;
#endif
                read_some();
#ifdef RELEASE_BEFORE_KEEP
                release();
                kept = r_tick;
#else
                kept = r_tick;
                release();
#endif
            fi
        od
    } unless { reader_dies };
    reader_gone = true
}

/* ------------------------------------------------------------------------------------- recovery */

byte v_at, v_head, v_tick, v_word;

/* The marks of both sides belong to their positions: no mark is half of another. */
inline check_marks() {
    assert((published_at[0] == v_head && published_ticks[0] == ticks_at[v_head]) ||
           (published_at[1] == v_head && published_ticks[1] == ticks_at[v_head]));
#if !defined(RELEASE_BEFORE_READ) && !defined(NO_TAIL_RELEASE)
    if
    :: released_at[0] == v_at -> assert(released_ticks[0] == v_tick)
    :: else -> assert(released_at[1] == v_at && released_ticks[1] == v_tick)
    fi
#endif
}

/* Both are gone: what is between tail and head, together with what was kept, is all published. */
active proctype recovery() {
    atomic {
        writer_gone && reader_gone;
        v_head = mem_head;
        v_at = mem_tail;
        v_tick = (v_at == v_head -> ticks_at[v_head] : mem_ring[v_at % RING] % 16);
        if
        :: v_at != v_head && mem_ring[v_at % RING] == PAD ->
            v_tick = (v_at + 1 == v_head -> ticks_at[v_head] + 1 : mem_ring[(v_at + 1) % RING] % 16)
        :: else
        fi;
        /* Of the record before tail. */
        v_tick = (v_at == v_head -> v_tick : v_tick - 1);
        check_marks();
        /* What was released was kept. */
        assert(v_tick <= kept);
        do
        :: v_at == v_head -> break
        :: v_at != v_head ->
            v_word = mem_ring[v_at % RING];
            if
            :: v_word == PAD -> v_at++
            :: else ->
                v_tick++;
                assert(v_word == HEADER1(v_tick) || v_word == HEADER2(v_tick));
                if
                :: v_word == HEADER1(v_tick) -> v_at++
                :: else ->
                    assert(mem_ring[(v_at + 1) % RING] == PAYLOAD(v_tick));
                    v_at = v_at + 2
                fi
            fi
        od;
        /* All that was published, nothing else. */
        assert(v_tick == ticks_at[v_head] && v_tick <= appended && v_tick >= kept);
        /* The reader leaves nothing behind, and gets everything from a writer that lives. */
        assert(reader_dies || kept == v_tick);
        assert(writer_dies || reader_dies || kept == RECORDS)
    }
}
