#include "cli/tally.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/block_shape.h"
#include "tests/pipeline/events.h"

#define VCPUS 2u
#define DEVICES 2u

struct fixture {
    struct skein_event_names *names;
    struct skein_tally *tally;
    uint64_t tick[VCPUS + 1];
};

static struct fixture make(void) {
    const struct skein_manifest m = {.vcpu_count = VCPUS, .duration_ns = 5000};
    struct fixture f = {0};

    cr_assert_eq(skein_event_names_create(&f.names), 0);
    cr_assert_eq(skein_tally_create(f.names, &m, &f.tally), 0);
    return f;
}

static void drop(struct fixture *f) {
    skein_tally_free(f->tally);
    skein_event_names_free(f->names);
}

static void feed(struct fixture *f, uint32_t shard, const struct skein_record *rec) {
    const struct skein_event event = {.shard = shard, .tick = ++f->tick[shard], .record = rec};

    skein_tally_add(f->tally, &event);
}

/* An event with these words of payload. */
static void put(struct fixture *f, uint32_t shard, uint8_t kind, uint8_t flags, uint32_t arg,
                size_t words, const uint64_t *payload) {
    struct any_record rec = {.header = {(uint16_t)(8 + 8 * words), kind, flags, arg}};

    memcpy(rec.payload, payload, 8 * words);
    cr_assert(skein_shape_fits(&rec.header), "kind %u", kind);
    feed(f, shard, &rec.header);
}

#define SYSCALL(f, shard, icount, rax)                                                             \
    put(f, shard, SKEIN_ENTRY, 0, skein_entry_arg(SKEIN_ENTRY_SYSCALL, 0), 5,                      \
        (uint64_t[]){icount, 0, 2, 1, rax})

/* Two vCPUs and the devices; every number below was worked out by hand. */
static void play(struct fixture *f, bool ends) {
    const uint64_t read_8[] = {0x7000, 1}, read_100[15] = {0x8000};
    const uint32_t port = skein_value_arg(SKEIN_VALUE_PORT, 1, 0x3fd);
    const uint32_t tsc = skein_value_arg(SKEIN_VALUE_TSC, 8, 0);

    put(f, 0, SKEIN_TOKEN, 0, SKEIN_SHARD_NONE, 3, (uint64_t[]){0, 0, 1});
    SYSCALL(f, 0, 100, 0); /* read, after 100 instructions of boot */
    put(f, 0, SKEIN_USER_READ, 0, 8, 2, read_8);
    for (uint64_t i = 0; i < 5; i++) {
        put(f, 0, SKEIN_VALUE, 0, i < 3 ? tsc : port, 1, &i);
    }
    put(f, 0, SKEIN_MARK, 0, 0, 1, (uint64_t[]){350});
    put(f, 1, SKEIN_TOKEN, 0, 0, 3, (uint64_t[]){9, 0, 1});
    put(f, 1, SKEIN_INTERRUPT, 0, skein_intr_arg(SKEIN_INTR_HARD, 0xec), 2, (uint64_t[]){0, 1});
    put(f, 1, SKEIN_MARK, 0, 0, 1, (uint64_t[]){1000});
    put(f, DEVICES, SKEIN_TOKEN, 0, 1, 3, (uint64_t[]){3, 0, 1});
    put(f, DEVICES, SKEIN_MEM, 0, 16, 4, (uint64_t[]){0, 4096, 1, 2});
    put(f, 0, SKEIN_TOKEN, 0, DEVICES, 3, (uint64_t[]){2, 350, 1});
    put(f, 0, SKEIN_ENTRY, 0, skein_entry_arg(SKEIN_ENTRY_EXCEPTION, 14), 4,
        (uint64_t[]){360, 4, 0, 0});
    put(f, 0, SKEIN_USER_READ, 0, 100, 14, read_100);
    put(f, 1, SKEIN_TOKEN, 0, 0, 3, (uint64_t[]){12, 1000, 1});
    SYSCALL(f, 1, 1000, 39); /* getpid */
    put(f, 1, SKEIN_MARK, 0, 0, 1, (uint64_t[]){1007});
    put(f, 0, SKEIN_TOKEN, SKEIN_F_AT_IO, 1, 3, (uint64_t[]){6, 77, 1});
    put(f, 0, SKEIN_MARK, 0, 0, 1, (uint64_t[]){400});
    for (uint32_t shard = 0; ends && shard <= VCPUS; shard++) {
        const uint64_t icount[] = {400, 1007, 0};
        put(f, shard, SKEIN_END, 0, SKEIN_END_SHUTDOWN, 5, (uint64_t[]){icount[shard], 0, 0, 0, 0});
    }
}

static void check_row(const struct skein_tally_numbers *n, const char *name,
                      enum skein_tally_class class, uint64_t count, uint64_t instructions,
                      uint64_t user_bytes) {
    for (size_t i = 0; i < n->row_count; i++) {
        const struct skein_tally_row *r = &n->rows[i];
        if (strcmp(r->name, name) == 0) {
            cr_assert_eq(r->class, class, "%s", name);
            cr_assert_eq(r->count, count, "%s: %lu", name, r->count);
            cr_assert_eq(r->instructions, instructions, "%s: %lu", name, r->instructions);
            cr_assert_eq(r->user_bytes, user_bytes, "%s: %lu", name, r->user_bytes);
            return;
        }
    }
    cr_assert(false, "no %s", name);
}

static void check_handoffs(const struct skein_tally_numbers *n) {
    static const uint64_t want[VCPUS + 1][VCPUS + 1] = {{0, 2, 0}, {1, 0, 1}, {1, 0, 0}};

    for (uint32_t from = 0; from <= VCPUS; from++) {
        for (uint32_t to = 0; to <= VCPUS; to++) {
            cr_assert_eq(n->handoffs[from][to], want[from][to], "%u to %u", from, to);
        }
    }
}

static void check_numbers(const struct skein_tally_numbers *n) {
    const struct skein_histogram *h = &n->slice_instructions;

    /* vCPU 0: 350 + 10 + 40; vCPU 1: 1000 + 7. The one of 10 ends in an I/O access. */
    cr_assert_eq(n->vcpu[0].slices, 3u);
    cr_assert_eq(n->vcpu[1].slices, 2u);
    cr_assert_eq(n->vcpu[0].instructions, 400u);
    cr_assert_eq(n->vcpu[1].instructions, 1007u);
    cr_assert_eq(n->slices_at_io, 1u);
    cr_assert_eq(h->count, 5u);
    cr_assert_eq(h->sum, 1407u);
    cr_assert_eq(h->max, 1000u);
    cr_assert_eq(h->bucket_count[3], 1u, "4 to 7");
    cr_assert_eq(h->bucket_count[4], 1u, "8 to 15");
    cr_assert_eq(h->bucket_count[6], 1u, "32 to 63");
    cr_assert_eq(h->bucket_count[9], 1u, "256 to 511");
    cr_assert_eq(h->bucket_count[10], 1u, "512 to 1023");
    cr_assert_eq(skein_histogram_median(h), 32u);
    check_handoffs(n);
    cr_assert_eq(n->row_count, 5u);
    check_row(n, "boot", SKEIN_TALLY_OTHER, 0, 100, 0);
    check_row(n, "read", SKEIN_TALLY_SYSCALL, 1, 260, 8);
    check_row(n, "#PF", SKEIN_TALLY_TRAP, 1, 40, 100);
    check_row(n, "irq timer", SKEIN_TALLY_TRAP, 1, 1000, 0);
    check_row(n, "getpid", SKEIN_TALLY_SYSCALL, 1, 7, 0);
    cr_assert_eq(n->value_count, 2u);
    cr_assert(n->values[0].source == SKEIN_VALUE_TSC && n->values[0].count == 3);
    cr_assert(n->values[1].addr == 0x3fd && n->values[1].count == 2);
    cr_assert_eq(n->user_read_bytes.count, 2u);
    cr_assert_eq(n->user_read_bytes.sum, 108u);
    cr_assert_eq(n->events.slices, 6u);
    cr_assert_eq(n->events.edges, 5u);
    cr_assert_eq(skein_stats_kind(&n->events, SKEIN_MARK), 4u);
    cr_assert_eq(n->events.kind_bytes[SKEIN_USER_READ], 24u + 120u);
}

Test(tally, numbers_are_those_of_the_events) {
    struct fixture f = make();

    play(&f, true);
    check_numbers(skein_tally_finish(f.tally));
    drop(&f);
}

/* What a recorder that died has left: the slices end where the log does. */
Test(tally, without_ends_it_counts_the_same) {
    struct fixture f = make();

    play(&f, false);
    check_numbers(skein_tally_finish(f.tally));
    drop(&f);
}

/* More places than the table keeps apart: none is lost, none is made up. */
Test(tally, values_from_everywhere) {
    struct fixture f = make();
    uint64_t sum = 0;

    for (uint32_t addr = 0; addr < 0x10000; addr++) {
        const uint64_t value = addr;
        put(&f, 0, SKEIN_VALUE, 0, skein_value_arg(SKEIN_VALUE_MMIO, 4, addr), 1, &value);
    }
    const struct skein_tally_numbers *n = skein_tally_finish(f.tally);
    for (size_t i = 0; i < n->value_count; i++) {
        cr_assert_geq(n->values[i].count, 1u);
        sum += n->values[i].count;
    }
    cr_assert_gt(n->values_elsewhere, 0u);
    cr_assert_eq(sum + n->values_elsewhere, 0x10000u);
    drop(&f);
}

/* Records that have not the shape of their kind: from a file, anything may come. */
Test(tally, odd_records_do_no_harm) {
    struct fixture f = make();
    struct random rng = {3};
    struct any_record *rec = malloc(sizeof(*rec));

    for (int i = 0; i < 50000; i++) {
        events_make_odd(&rng, rec);
        /* As short as it says: what lies behind is not to be read. */
        struct skein_record *exact = malloc(rec->header.size_bytes);
        memcpy(exact, rec, rec->header.size_bytes);
        feed(&f, (uint32_t)random_below(&rng, VCPUS + 1), exact);
        free(exact);
    }
    cr_assert_eq(skein_stats_events(&skein_tally_finish(f.tally)->events), 50000u);
    free(rec);
    drop(&f);
}

Test(tally, buckets_of_a_histogram) {
    static struct skein_histogram h;

    for (unsigned i = 0; i < SKEIN_HISTOGRAM_BUCKETS; i++) {
        skein_histogram_add(&h, skein_histogram_first(i));
        skein_histogram_add(&h, skein_histogram_last(i));
        cr_assert_eq(h.bucket_count[i], 2u, "%u", i);
    }
    cr_assert_eq(h.max, UINT64_MAX);
    cr_assert_eq(skein_histogram_first(1), 1u);
    cr_assert_eq(skein_histogram_first(11), 1024u);
    cr_assert_eq(skein_histogram_last(11), 2047u);
}
