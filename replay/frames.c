#include "replay/frames.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_PER_DESCRIPTION 64u /* a debugger executes one from its start */
#define USER_END 0x800000000000u
#define FIRST_PAGE 0x1000u
#define WORD 8

/* DWARF's numbers of x86-64's registers. */
enum { RAX, RDX, RCX, RBX, RSI, RDI, RBP, RSP, R8, R9, R10, R11, R12, R13, R14, R15, RIP };

enum {
    CFA_ADVANCE = 0x40,
    CFA_OFFSET_SHORT = 0x80,
    CFA_ADVANCE_1 = 0x02,
    CFA_ADVANCE_2 = 0x03,
    CFA_ADVANCE_4 = 0x04,
    CFA_UNDEFINED = 0x07,
    CFA_SAME_VALUE = 0x08,
    CFA_DEF = 0x0c,
    CFA_DEF_EXPRESSION = 0x0f,
    CFA_EXPRESSION = 0x10,
    CFA_OFFSET = 0x11,
    CFA_DEF_SIGNED = 0x12,
    OP_DEREF = 0x06,
    OP_CONSTS = 0x11,
    OP_PLUS = 0x22,
    OP_BREG = 0x70,
};

/* The kinds of frames: one common description each, of which every other one refers to one. */
enum kind { END, CALL, REGS, IRET, KINDS };

struct writer {
    struct skein_frames *out;
    uint32_t common[KINDS];
    size_t start; /* of the description under way */
    uint64_t at;  /* the address that it has come to */
    struct skein_orc_entry last;
    int rc;
    uint8_t nowhere[16]; /* what is put when there is no memory for it */
};

static uint8_t *room(struct writer *w, size_t bytes) {
    struct skein_frames *out = w->out;
    if (out->room - out->bytes < bytes) {
        const size_t more = out->room > 0 ? out->room * 2 : 1u << 16;
        uint8_t *grown = w->rc == 0 ? realloc(out->data, more) : NULL;
        if (grown == NULL) {
            w->rc = -ENOMEM;
            return w->nowhere;
        }
        out->data = grown;
        out->room = more;
    }
    out->bytes += bytes;
    return out->data + out->bytes - bytes;
}

static void byte(struct writer *w, unsigned value) {
    *room(w, 1) = (uint8_t)value;
}

static void put(struct writer *w, uint64_t value, size_t bytes) {
    memcpy(room(w, bytes), &value, bytes);
}

static void sleb(struct writer *w, int64_t value) {
    while (value < -64 || value > 63) {
        byte(w, (unsigned)(value & 0x7f) | 0x80);
        value >>= 7;
    }
    byte(w, (unsigned)(value & 0x7f));
}

static size_t begin(struct writer *w) {
    w->start = w->out->bytes;
    put(w, 0, 4); /* its length, when it is known */
    return w->start;
}

static void end(struct writer *w) {
    uint32_t length;
    while (w->rc == 0 && (w->out->bytes - w->start) % WORD != 4)
        byte(w, 0); /* does nothing */
    length = (uint32_t)(w->out->bytes - w->start - 4);
    if (w->rc == 0)
        memcpy(w->out->data + w->start, &length, sizeof(length));
}

/* A register is saved so many words behind the start of the caller's frame. */
static void saved(struct writer *w, unsigned reg, int64_t words) {
    byte(w, CFA_OFFSET);
    byte(w, reg);
    sleb(w, -words); /* in units of the data alignment: -8 */
}

/* The order of registers in struct pt_regs; the one at 15 is not a register. */
static void saved_registers(struct writer *w) {
    static const uint8_t order[] = {R15, R14, R13, R12, RBP, RBX, R11, R10,
                                    R9,  R8,  RAX, RCX, RDX, RSI, RDI};
    for (unsigned i = 0; i < sizeof(order); i++)
        saved(w, order[i], i);
    saved(w, RIP, 16);
    saved(w, RSP, 19);
}

static void put_common(struct writer *w, enum kind kind) {
    static const char augmentation[] = "z", of_a_signal[] = "zS"; /* the pc is exact, no return */
    const bool interrupted = kind == REGS || kind == IRET;
    w->common[kind] = (uint32_t)begin(w);
    put(w, 0xffffffff, 4);
    byte(w, 3); /* version */
    if (interrupted)
        memcpy(room(w, sizeof(of_a_signal)), of_a_signal, sizeof(of_a_signal));
    else
        memcpy(room(w, sizeof(augmentation)), augmentation, sizeof(augmentation));
    byte(w, 1); /* alignment of code */
    sleb(w, -WORD);
    byte(w, RIP);
    byte(w, 0); /* nothing more to the augmentation */
    byte(w, CFA_DEF);
    byte(w, RSP);
    byte(w, WORD);
    switch (kind) {
    case CALL:
        byte(w, CFA_OFFSET_SHORT | RIP);
        byte(w, 1);
        break;
    case REGS:
        saved_registers(w);
        break;
    case IRET:
        saved(w, RIP, 0);
        saved(w, RSP, 3);
        break;
    default:
        byte(w, CFA_UNDEFINED);
        byte(w, RIP);
    }
    end(w);
}

static enum kind kind_of(const struct skein_orc_entry *e) {
    return e->type == SKEIN_ORC_END    ? END
           : e->type == SKEIN_ORC_REGS ? REGS
           : e->type == SKEIN_ORC_IRET ? IRET
                                       : CALL;
}

static void begin_range(struct writer *w, enum kind kind, uint64_t address, uint64_t bytes) {
    begin(w);
    put(w, w->common[kind], 4);
    put(w, address, 8);
    put(w, bytes, 8);
    byte(w, 0);
    w->at = address;
    w->last = (struct skein_orc_entry){.sp = SKEIN_ORC_SP, .sp_offset = WORD};
}

static void advance(struct writer *w, uint64_t to) {
    const uint64_t by = to - w->at;
    w->at = to;
    if (by == 0)
        return;
    if (by < 0x40) {
        byte(w, CFA_ADVANCE | (unsigned)by);
    } else if (by < 0x100) {
        byte(w, CFA_ADVANCE_1);
        put(w, by, 1);
    } else if (by < 0x10000) {
        byte(w, CFA_ADVANCE_2);
        put(w, by, 2);
    } else {
        byte(w, CFA_ADVANCE_4);
        put(w, by, 4);
    }
}

/* What lies at a register plus `inner`, plus `outer`. */
static void frame_by_pointer(struct writer *w, unsigned reg, int64_t inner, int64_t outer) {
    size_t length;
    byte(w, CFA_DEF_EXPRESSION);
    length = w->out->bytes;
    byte(w, 0);
    byte(w, OP_BREG + reg);
    sleb(w, inner);
    byte(w, OP_DEREF);
    byte(w, OP_CONSTS);
    sleb(w, outer);
    byte(w, OP_PLUS);
    if (w->rc == 0)
        w->out->data[length] = (uint8_t)(w->out->bytes - length - 1);
}

static void put_frame(struct writer *w, const struct skein_orc_entry *e) {
    static const uint8_t registers[] = {
        [SKEIN_ORC_DX] = RDX, [SKEIN_ORC_DI] = RDI,  [SKEIN_ORC_BP] = RBP,
        [SKEIN_ORC_SP] = RSP, [SKEIN_ORC_R10] = R10, [SKEIN_ORC_R13] = R13};
    if (e->sp == SKEIN_ORC_BP_INDIRECT) {
        frame_by_pointer(w, RBP, e->sp_offset, 0);
    } else if (e->sp == SKEIN_ORC_SP_INDIRECT) {
        frame_by_pointer(w, RSP, 0, e->sp_offset);
    } else {
        byte(w, CFA_DEF_SIGNED);
        byte(w, registers[e->sp]);
        sleb(w, e->sp_offset / -WORD);
    }
}

static void put_rbp(struct writer *w, const struct skein_orc_entry *e) {
    if (e->bp == SKEIN_ORC_CALLER_SP) {
        saved(w, RBP, e->bp_offset / WORD);
    } else if (e->bp == SKEIN_ORC_BP) {
        size_t length;
        byte(w, CFA_EXPRESSION);
        byte(w, RBP);
        length = w->out->bytes;
        byte(w, 0);
        byte(w, OP_BREG + RBP);
        sleb(w, e->bp_offset);
        if (w->rc == 0)
            w->out->data[length] = (uint8_t)(w->out->bytes - length - 1);
    } else {
        byte(w, CFA_SAME_VALUE);
        byte(w, RBP);
    }
}

/* Only what differs from the entry before. */
static void put_entry(struct writer *w, const struct skein_orc_entry *e) {
    const bool frame = e->sp != w->last.sp || e->sp_offset != w->last.sp_offset;
    const bool rbp =
        kind_of(e) == CALL && (e->bp != w->last.bp || e->bp_offset != w->last.bp_offset);
    if (!frame && !rbp)
        return;
    advance(w, e->address);
    if (frame)
        put_frame(w, e);
    if (rbp)
        put_rbp(w, e);
    w->last = *e;
}

/* A frame is a multiple of words, and in one of these places. */
static bool can_tell(const struct skein_orc_entry *e) {
    const bool indirect = e->sp == SKEIN_ORC_BP_INDIRECT || e->sp == SKEIN_ORC_SP_INDIRECT;
    return e->type == SKEIN_ORC_END || (e->sp >= SKEIN_ORC_DX && e->sp <= SKEIN_ORC_SP_INDIRECT &&
                                        (indirect || e->sp_offset % WORD == 0) &&
                                        (e->bp != SKEIN_ORC_CALLER_SP || e->bp_offset % WORD == 0));
}

/* How many entries, from the first one on, go into one description. */
static size_t same_description(const struct skein_orc_entry *e, size_t left) {
    size_t n = 1;
    while (n < left && n < ENTRIES_PER_DESCRIPTION && e[n].address == e[n - 1].end &&
           kind_of(&e[n]) == kind_of(e) && can_tell(&e[n]))
        n++;
    return n;
}

/*
 * User mode is where the kernel's frames end. A call of a null pointer has not yet made a frame:
 * only its return address is on the stack.
 */
static void put_outside(struct writer *w) {
    begin_range(w, CALL, 0, FIRST_PAGE);
    end(w);
    begin_range(w, END, FIRST_PAGE, USER_END - FIRST_PAGE);
    end(w);
}

int skein_frames_make(const struct skein_orc *orc, struct skein_frames *frames) {
    struct writer w = {.out = frames};
    *frames = (struct skein_frames){0};
    if (orc->count == 0)
        return 0;
    for (enum kind kind = 0; kind < KINDS; kind++)
        put_common(&w, kind);
    put_outside(&w);
    for (size_t i = 0, n; i < orc->count && w.rc == 0; i += n) {
        const struct skein_orc_entry *e = &orc->entries[i];
        n = 1;
        if (!can_tell(e))
            continue;
        n = same_description(e, orc->count - i);
        begin_range(&w, kind_of(e), e->address, e[n - 1].end - e->address);
        for (size_t k = 0; k < n && kind_of(e) != END; k++)
            put_entry(&w, &e[k]);
        end(&w);
    }
    return w.rc;
}

void skein_frames_free(struct skein_frames *frames) {
    free(frames->data);
    *frames = (struct skein_frames){0};
}
