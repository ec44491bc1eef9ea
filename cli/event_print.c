#include "cli/event_print.h"

#include "cli/report.h"
#include "pipeline/block_shape.h"

#define SHOWN_BYTES 16u
#define KIND_WIDTH 11u
#define WORDS_MAX SKEIN_SHAPE_WORDS

/* FORM_HEX_SET: in text, only when it is not zero. */
enum form { FORM_DEC, FORM_HEX, FORM_HEX_SET, FORM_HIDDEN };

struct field {
    const char *name;
    enum form form;
};

/* The words of each kind's payload, in the order of event.h. */
static const struct field fields[SKEIN_KIND_COUNT][WORDS_MAX] = {
    [SKEIN_TOKEN] = {{"edge_tick", FORM_DEC}, {"position", FORM_DEC}, {"digest", FORM_HEX}},
    [SKEIN_ENTRY] = {{"icount", FORM_DEC},
                     {"error", FORM_HEX_SET},
                     {"next_ip", FORM_HEX},
                     {"mask", FORM_HIDDEN}},
    [SKEIN_INTERRUPT] = {{"icount", FORM_DEC}, {"digest", FORM_HEX}},
    [SKEIN_VALUE] = {{"value", FORM_HEX}},
    [SKEIN_USER_READ] = {{"va", FORM_HEX}},
    [SKEIN_MEM] = {{"position", FORM_DEC}, {"ram", FORM_HEX}},
    [SKEIN_FPU] = {{"mask_lo", FORM_HEX}, {"mask_hi", FORM_HEX}},
    [SKEIN_DIGEST] = {{"icount", FORM_DEC}, {"digest", FORM_HEX}},
    [SKEIN_PAGE_DIRTY] = {{"ram", FORM_HEX}},
    [SKEIN_PAGE_CLEAN] = {{"ram", FORM_HEX}},
    [SKEIN_TLB_FLUSH] = {{"icount", FORM_DEC}},
    [SKEIN_MARK] = {{"icount", FORM_DEC}},
    [SKEIN_END] = {{"icount", FORM_DEC},
                   {"digest", FORM_HEX},
                   {"console_bytes", FORM_DEC},
                   {"console_hash", FORM_HEX},
                   {"ram_hash", FORM_HEX}},
};

struct printer {
    const struct skein_event_print *p;
    struct skein_out *out;
    const struct skein_record *rec;
    const uint64_t *words;
    const uint8_t *tail;
};

static void key(const struct printer *t, const char *name) {
    struct skein_out *out = t->out;
    if (t->p->json)
        skein_out_text(out, ",\"", 2);
    else
        skein_out_char(out, ' ');
    skein_out_string(out, name);
    if (t->p->json)
        skein_out_text(out, "\":", 2);
    else
        skein_out_char(out, '=');
}

static void quote(const struct printer *t) {
    if (t->p->json)
        skein_out_char(t->out, '"');
}

static void dec_field(const struct printer *t, const char *name, uint64_t value) {
    key(t, name);
    skein_out_dec(t->out, value);
}

static void hex_field(const struct printer *t, const char *name, uint64_t value) {
    key(t, name);
    quote(t);
    skein_out_hex(t->out, value);
    quote(t);
}

static void string_field(const struct printer *t, const char *name, const char *value) {
    key(t, name);
    quote(t);
    skein_out_string(t->out, value);
    quote(t);
}

/* What a line of text says first, without a key. */
static void headline(const struct printer *t, const char *name, const char *value) {
    if (t->p->json) {
        string_field(t, name, value);
        return;
    }
    skein_out_char(t->out, ' ');
    skein_out_string(t->out, value);
}

static void bytes_field(const struct printer *t, const char *name, const uint8_t *bytes,
                        size_t count) {
    const bool all = t->p->json || t->p->all_bytes || count <= SHOWN_BYTES;
    if (!t->p->json)
        dec_field(t, "length", count);
    key(t, name);
    quote(t);
    skein_out_bytes(t->out, bytes, all ? count : SHOWN_BYTES);
    if (!all)
        skein_out_string(t->out, "…");
    quote(t);
}

static void shard_field(const struct printer *t, const char *name, uint32_t shard) {
    if (!t->p->json && shard == SKEIN_SHARD_NONE)
        string_field(t, name, "none");
    else if (!t->p->json && shard + 1 == t->p->shard_count)
        string_field(t, name, "dev");
    else
        dec_field(t, name, shard);
}

/* A flag that a record may have: named in the text, all in one number in the JSON. */
static void flag_names(const struct printer *t) {
    static const char *const names[] = {" at_io", " tlb_reset", " user"};
    const uint8_t flags = t->rec->flags;
    if (t->p->json || flags == 0)
        return;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (flags >> i & 1)
            skein_out_string(t->out, names[i]);
    if (flags >> (sizeof(names) / sizeof(names[0])) != 0)
        hex_field(t, "flags", flags);
}

static void type_fields(const struct printer *t, const char *type) {
    const uint32_t arg = t->rec->arg;
    if (type != NULL)
        string_field(t, "type", type);
    else
        dec_field(t, "type", arg & 0xff);
    if (t->p->json)
        dec_field(t, "vector", arg >> 8);
    else if (arg >> 8 != 0)
        hex_field(t, "vector", arg >> 8);
}

static bool has_address(uint32_t value_arg) {
    const uint32_t source = value_arg & 0xff;
    return source == SKEIN_VALUE_PORT || source == SKEIN_VALUE_MMIO || value_arg >> 16 != 0;
}

static void arg_fields(const struct printer *t) {
    const uint32_t arg = t->rec->arg;
    const char *name;
    switch (t->rec->kind) {
    case SKEIN_TOKEN:
        shard_field(t, "from", arg);
        break;
    case SKEIN_ENTRY:
        headline(t, "name", skein_event_names_entry(t->p->names, t->rec));
        type_fields(t, skein_entry_type_name(arg & 0xff));
        break;
    case SKEIN_INTERRUPT:
        headline(t, "name", skein_event_names_interrupt(t->p->names, t->rec));
        type_fields(t, skein_intr_type_name(arg & 0xff));
        break;
    case SKEIN_VALUE:
        name = skein_value_source_name(arg & 0xff);
        headline(t, "source", name != NULL ? name : "?");
        dec_field(t, "size", arg >> 8 & 0xff);
        if (t->p->json || has_address(arg))
            hex_field(t, "addr16", arg >> 16);
        break;
    case SKEIN_PAGE_CLEAN:
        dec_field(t, "clean", arg);
        break;
    case SKEIN_END:
        headline(t, "end", skein_end_name(arg));
        break;
    default:
        break;
    }
}

static void word_fields(const struct printer *t, uint32_t count) {
    const struct field *f = fields[t->rec->kind];
    for (uint32_t i = 0; i < count; i++) {
        if (f[i].form == FORM_DEC)
            dec_field(t, f[i].name, t->words[i]);
        else if (f[i].form == FORM_HEX ||
                 (f[i].form == FORM_HEX_SET && (t->p->json || t->words[i] != 0)))
            hex_field(t, f[i].name, t->words[i]);
    }
}

static void slot_fields(const struct printer *t) {
    const uint64_t *slot = (const void *)t->tail;
    bool first = true;
    if (t->p->json) {
        key(t, "slots");
        skein_out_char(t->out, '{');
    }
    for (uint64_t mask = t->words[SKEIN_ENTRY_MASK_WORD]; mask != 0; mask &= mask - 1) {
        const char *name = skein_slot_name((uint32_t)__builtin_ctzll(mask));
        if (t->p->json && first) {
            skein_out_char(t->out, '"');
            skein_out_string(t->out, name);
            skein_out_text(t->out, "\":", 2);
        } else {
            key(t, name);
        }
        quote(t);
        skein_out_hex(t->out, *slot++);
        quote(t);
        first = false;
    }
    if (t->p->json)
        skein_out_char(t->out, '}');
}

static void fpu_words(const struct printer *t, size_t count) {
    const uint64_t *words = (const void *)t->tail;
    key(t, "words");
    if (!t->p->json && !t->p->all_bytes) {
        skein_out_dec(t->out, count);
        return;
    }
    if (t->p->json)
        skein_out_char(t->out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i != 0)
            skein_out_char(t->out, ',');
        quote(t);
        skein_out_hex(t->out, words[i]);
        quote(t);
    }
    if (t->p->json)
        skein_out_char(t->out, ']');
}

static void payload(const struct printer *t) {
    const struct skein_shape *shape = skein_shape_of(t->rec->kind);
    size_t tail_bytes;
    if (shape == NULL || !skein_shape_match(t->rec, &tail_bytes)) {
        bytes_field(t, "raw", (const uint8_t *)t->words, t->rec->size_bytes - sizeof(*t->rec));
        flag_names(t);
        return;
    }
    const struct printer inner = {t->p, t->out, t->rec, t->words,
                                  (const uint8_t *)(t->words + shape->word_count)};
    arg_fields(&inner);
    word_fields(&inner, shape->word_count);
    flag_names(&inner);
    if (shape->tail == SKEIN_TAIL_BYTES)
        bytes_field(&inner, "bytes", inner.tail, tail_bytes);
    else if (shape->tail == SKEIN_TAIL_SLOTS)
        slot_fields(&inner);
    else if (shape->tail == SKEIN_TAIL_WORDS)
        fpu_words(&inner, tail_bytes / 8);
}

static void text_front(const struct printer *t, const struct skein_event *event, uint64_t time_ns) {
    struct skein_out *out = t->out;
    if (!t->p->no_time) {
        skein_out_seconds(out, time_ns, 14);
        skein_out_char(out, ' ');
    }
    skein_out_dec_aligned(out, event->slice, 8);
    if (event->shard + 1 == t->p->shard_count) {
        skein_out_text(out, " dev", 4);
    } else {
        skein_out_char(out, ' ');
        skein_out_dec_aligned(out, event->shard, 3);
    }
    skein_out_char(out, ' ');
    skein_out_dec_aligned(out, event->tick, 9);
    skein_out_char(out, ' ');
    const size_t start = out->used;
    skein_out_string(out, skein_kind_name(t->rec->kind));
    skein_out_pad(out, start, KIND_WIDTH - 1);
}

static void json_front(const struct printer *t, const struct skein_event *event, uint64_t time_ns) {
    skein_out_char(t->out, '{');
    if (!t->p->no_time) {
        skein_out_string(t->out, "\"time_ns\":");
        skein_out_dec(t->out, time_ns);
        skein_out_char(t->out, ',');
    }
    skein_out_string(t->out, "\"slice\":");
    skein_out_dec(t->out, event->slice);
    dec_field(t, "shard", event->shard);
    dec_field(t, "tick", event->tick);
    string_field(t, "kind", skein_kind_name(t->rec->kind));
    dec_field(t, "flags", t->rec->flags);
    dec_field(t, "arg", t->rec->arg);
}

void skein_event_print(const struct skein_event_print *p, struct skein_out *out,
                       const struct skein_event *event, uint64_t time_ns) {
    const struct printer t = {p, out, event->record, (const void *)(event->record + 1), NULL};
    if (p->json)
        json_front(&t, event, time_ns);
    else
        text_front(&t, event, time_ns);
    payload(&t);
    if (p->json)
        skein_out_char(out, '}');
}
