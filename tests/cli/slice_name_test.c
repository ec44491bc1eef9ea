#include "cli/slice_name.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/pipeline/events.h"

#define SHARDS 3u

static struct skein_event_names *names;
static struct skein_slice_name *tracker;

static void open_tracker(void) {
    cr_assert_eq(skein_event_names_create(&names), 0);
    cr_assert_eq(skein_slice_name_create(names, SHARDS, &tracker), 0);
}

static void close_tracker(void) {
    skein_slice_name_free(tracker);
    skein_event_names_free(names);
}

static const char *feed(uint32_t shard, uint8_t kind, uint32_t arg, const uint64_t *words,
                        size_t count) {
    struct any_record rec;
    rec.header = (struct skein_record){
        .size_bytes = (uint16_t)(sizeof(rec.header) + 8 * count), .kind = kind, .arg = arg};
    memcpy(rec.payload, words, 8 * count);
    return skein_slice_name_feed(tracker, shard, &rec.header);
}

static const char *token(uint32_t shard, uint64_t position) {
    const uint64_t words[] = {0, position, 0};
    return feed(shard, SKEIN_TOKEN, 0, words, 3);
}

static const char *call(uint32_t shard, uint64_t number) {
    const uint64_t words[] = {0, 0, 0, 1, number};
    return feed(shard, SKEIN_ENTRY, skein_entry_arg(SKEIN_ENTRY_SYSCALL, 0), words, 5);
}

static const char *interrupt(uint32_t shard, uint32_t type, uint32_t vector, uint64_t icount) {
    const uint64_t words[] = {icount, 0};
    return feed(shard, SKEIN_INTERRUPT, skein_intr_arg(type, vector), words, 2);
}

Test(slice_name, a_slice_that_goes_on_keeps_the_name) {
    open_tracker();
    cr_assert_str_eq(skein_slice_name_of(tracker, 0), "boot");
    token(0, 0);
    cr_assert_str_eq(call(0, 257), "openat");
    token(1, 0);
    cr_assert_str_eq(call(1, 0), "read");
    cr_assert_str_eq(token(0, 500), "openat");
    cr_assert_str_eq(interrupt(0, SKEIN_INTR_HARD, 0xec, 600), "openat");
    cr_assert_str_eq(skein_slice_name_of(tracker, 1), "read");
    close_tracker();
}

Test(slice_name, a_slice_that_begins_with_an_interrupt) {
    open_tracker();
    call(0, 257);
    token(0, 500);
    cr_assert_str_eq(interrupt(0, SKEIN_INTR_HARD, 0xfd, 500), "irq reschedule");
    cr_assert_str_eq(interrupt(0, SKEIN_INTR_HARD, 0xec, 700), "irq reschedule");
    cr_assert_str_eq(token(0, 800), "openat");
    interrupt(0, SKEIN_INTR_HARD, 0xec, 800);
    cr_assert_str_eq(call(0, 1), "write");
    close_tracker();
}

Test(slice_name, idle) {
    open_tracker();
    call(0, 257);
    token(0, 500);
    cr_assert_str_eq(interrupt(0, SKEIN_INTR_WAKE, 0, 500), "idle");
    cr_assert_str_eq(interrupt(0, SKEIN_INTR_HARD, 0xec, 500), "irq timer");
    cr_assert_str_eq(token(0, 900), "irq timer");
    cr_assert_str_eq(interrupt(0, SKEIN_INTR_WAKE, 0, 900), "idle");
    cr_assert_str_eq(token(0, 990), "idle");
    close_tracker();
}

Test(slice_name, devices) {
    open_tracker();
    cr_assert_str_eq(token(SHARDS - 1, 0), "dma");
    cr_assert_str_eq(skein_slice_name_of(tracker, SHARDS), "");
    close_tracker();
}

Test(slice_name, any_record_is_taken) {
    open_tracker();
    struct random rng = {11};
    struct any_record rec;
    for (int i = 0; i < 20000; i++) {
        events_make_odd(&rng, &rec);
        cr_assert_not_null(
            skein_slice_name_feed(tracker, (uint32_t)random_below(&rng, SHARDS + 1), &rec.header));
    }
    close_tracker();
}
