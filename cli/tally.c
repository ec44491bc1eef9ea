#include "cli/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/slice_name.h"
#include "pipeline/block_shape.h"
#include "pipeline/timebase.h"

/* More names than there are; of places, more than any machine has in use. Powers of two. */
#define ROWS 16384u
#define VALUES 4096u

struct shard {
    uint64_t icount; /* last known */
    uint64_t slice_from;
    bool in_slice;
    struct skein_tally_row *row; /* what it is in */
};

struct skein_tally {
    const struct skein_event_names *names;
    struct skein_slice_name *slice_name;
    struct skein_timebase timebase;
    struct skein_tally_numbers n;
    struct shard shard[SKEIN_MAX_SHARDS];
    struct skein_tally_value *last_value; /* they come in runs */
    struct skein_tally_row rows[ROWS];    /* hashed by the name's address */
    struct skein_tally_value values[VALUES];
};

int skein_tally_create(const struct skein_event_names *names, const struct skein_manifest *manifest,
                       struct skein_tally **out) {
    struct skein_tally *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return -ENOMEM;
    t->names = names;
    t->n.shard_count = manifest->vcpu_count + 1;
    t->n.events.shard_count = t->n.shard_count;
    t->n.duration_ns = manifest->duration_ns;
    t->n.duration_estimated = manifest->duration_ns == 0;
    t->last_value = &t->values[0];
    skein_timebase_init(&t->timebase, manifest);
    if (skein_slice_name_create(names, t->n.shard_count, &t->slice_name) != 0) {
        free(t);
        return -ENOMEM;
    }
    *out = t;
    return 0;
}

void skein_tally_free(struct skein_tally *t) {
    if (t == NULL)
        return;
    skein_slice_name_free(t->slice_name);
    free(t);
}

static size_t hash(uint64_t key) {
    return (size_t)(key * 0x9e3779b97f4a7c15ull >> 40);
}

/* Names are few and live in one place each; the table has always room. */
static struct skein_tally_row *row_of(struct skein_tally *t, const char *name) {
    size_t i = hash((uintptr_t)name);
    for (;; i++) {
        struct skein_tally_row *row = &t->rows[i % ROWS];
        if (row->name == name)
            return row;
        if (row->name == NULL) {
            row->name = name;
            return row;
        }
    }
}

static void count_value(struct skein_tally *t, uint32_t arg) {
    const uint32_t source = arg & 0xff, addr = arg >> 16;
    struct skein_tally_value *v = t->last_value;
    if (v->count == 0 || v->source != source || v->addr != addr) {
        size_t i = hash((uint64_t)source << 16 | addr), probes = 0;
        do
            v = &t->values[i++ % VALUES];
        while (v->count != 0 && (v->source != source || v->addr != addr) && ++probes < 64);
        if (probes == 64) {
            t->n.values_elsewhere++;
            return;
        }
        v->source = source;
        v->addr = addr;
        t->last_value = v;
    }
    v->count++;
}

/* The vCPU has come to that icount: what it executed since goes to what it is in. */
static void advance(struct skein_tally *t, uint32_t shard, uint64_t icount) {
    struct shard *s = &t->shard[shard];
    if (icount <= s->icount)
        return;
    if (s->row == NULL)
        s->row = row_of(t, skein_slice_name_of(t->slice_name, shard));
    s->row->instructions += icount - s->icount;
    t->n.vcpu[shard].instructions += icount - s->icount;
    s->icount = icount;
}

static void end_slice(struct skein_tally *t, uint32_t shard) {
    struct shard *s = &t->shard[shard];
    if (!s->in_slice)
        return;
    skein_histogram_add(&t->n.slice_instructions, s->icount - s->slice_from);
    t->n.vcpu[shard].slices++;
    s->in_slice = false;
}

static void add_token(struct skein_tally *t, uint32_t shard, const struct skein_record *rec) {
    struct shard *s = &t->shard[shard];
    if (rec->arg < t->n.shard_count)
        t->n.handoffs[rec->arg][shard]++;
    if (shard + 1 == t->n.shard_count)
        return;
    t->n.slices_at_io += s->in_slice && (rec->flags & SKEIN_F_AT_IO) != 0;
    end_slice(t, shard);
    s->in_slice = true;
    s->slice_from = s->icount;
}

static void add_named(struct skein_tally *t, uint32_t shard, const struct skein_record *rec) {
    struct shard *s = &t->shard[shard];
    struct skein_tally_row *row;
    const uint64_t *number;
    bool i386;
    s->row = row_of(t, skein_slice_name_feed(t->slice_name, shard, rec));
    if (rec->kind == SKEIN_TOKEN)
        return;
    if (rec->kind == SKEIN_ENTRY) {
        row = row_of(t, skein_event_names_entry(t->names, rec));
        row->class =
            skein_entry_is_syscall(rec, &i386, &number) ? SKEIN_TALLY_SYSCALL : SKEIN_TALLY_TRAP;
    } else {
        row = row_of(t, skein_event_names_interrupt(t->names, rec));
        row->class = (rec->arg & 0xff) == SKEIN_INTR_WAKE ? SKEIN_TALLY_OTHER : SKEIN_TALLY_TRAP;
    }
    row->count++;
}

static void add_user_read(struct skein_tally *t, uint32_t shard, const struct skein_record *rec) {
    struct shard *s = &t->shard[shard];
    if (!skein_shape_fits(rec))
        return;
    if (s->row == NULL)
        s->row = row_of(t, skein_slice_name_of(t->slice_name, shard));
    s->row->user_bytes += rec->arg;
    skein_histogram_add(&t->n.user_read_bytes, rec->arg);
}

void skein_tally_add(struct skein_tally *t, const struct skein_event *event) {
    const struct skein_record *rec = event->record;
    const uint32_t shard = event->shard;
    uint64_t icount;
    skein_stats_count(&t->n.events, shard, rec);
    if (t->n.duration_estimated)
        skein_timebase_ns(&t->timebase, shard, rec);
    if (rec->kind == SKEIN_VALUE) {
        count_value(t, rec->arg);
        return;
    }
    if (shard + 1 != t->n.shard_count && skein_record_icount(rec, &icount))
        advance(t, shard, icount);
    switch (rec->kind) {
    case SKEIN_TOKEN:
        add_token(t, shard, rec);
        add_named(t, shard, rec);
        break;
    case SKEIN_ENTRY:
    case SKEIN_INTERRUPT:
        add_named(t, shard, rec);
        break;
    case SKEIN_USER_READ:
        add_user_read(t, shard, rec);
        break;
    case SKEIN_END:
        end_slice(t, shard);
        break;
    default:
        break;
    }
}

static int by_name(const void *a, const void *b) {
    const struct skein_tally_row *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int rows_by_count(const void *a, const void *b) {
    const struct skein_tally_row *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    if (x->instructions != y->instructions)
        return x->instructions < y->instructions ? 1 : -1;
    return by_name(a, b);
}

static int values_by_count(const void *a, const void *b) {
    const struct skein_tally_value *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* The rows to the front of the table, those of one name (x86-64's and i386's "read") as one. */
static size_t gather_rows(struct skein_tally_row *rows) {
    size_t count = 0, distinct = 0;
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].name != NULL &&
            (rows[i].count | rows[i].instructions | rows[i].user_bytes) != 0)
            rows[count++] = rows[i];
    qsort(rows, count, sizeof(*rows), by_name);
    for (size_t i = 0; i < count; i++) {
        struct skein_tally_row *last = distinct != 0 ? &rows[distinct - 1] : NULL;
        if (last == NULL || strcmp(last->name, rows[i].name) != 0) {
            rows[distinct++] = rows[i];
            continue;
        }
        last->class = last->class == SKEIN_TALLY_OTHER ? rows[i].class : last->class;
        last->count += rows[i].count;
        last->instructions += rows[i].instructions;
        last->user_bytes += rows[i].user_bytes;
    }
    qsort(rows, distinct, sizeof(*rows), rows_by_count);
    return distinct;
}

static size_t gather_values(struct skein_tally_value *values) {
    size_t count = 0;
    for (size_t i = 0; i < VALUES; i++)
        if (values[i].count != 0)
            values[count++] = values[i];
    qsort(values, count, sizeof(*values), values_by_count);
    return count;
}

const struct skein_tally_numbers *skein_tally_finish(struct skein_tally *t) {
    for (uint32_t shard = 0; shard + 1 < t->n.shard_count; shard++)
        end_slice(t, shard); /* of a recorder that died */
    if (t->n.duration_estimated)
        t->n.duration_ns = t->timebase.now_ns;
    t->n.rows = t->rows;
    t->n.row_count = gather_rows(t->rows);
    t->n.values = t->values;
    t->n.value_count = gather_values(t->values);
    return &t->n;
}
