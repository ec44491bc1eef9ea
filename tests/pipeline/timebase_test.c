#include "pipeline/timebase.h"

#include <criterion/criterion.h>

#define HZ 2000000000ull /* two ticks in a nanosecond */

struct event {
    struct skein_record record;
    uint64_t word[3];
};

static struct event tsc_read(uint64_t tsc) {
    return (struct event){
        .record = {16, SKEIN_VALUE, 0, skein_value_arg(SKEIN_VALUE_TSC, 8, 0)},
        .word = {tsc},
    };
}

static struct event kernel_exit(uint64_t icount) {
    return (struct event){.record = {16, SKEIN_MARK, 0, 0}, .word = {icount}};
}

static struct skein_timebase begin(uint64_t tsc_start, uint64_t hz) {
    static struct skein_manifest manifest;
    struct skein_timebase t;

    manifest.tsc_start = tsc_start;
    manifest.tsc_hz = hz;
    skein_timebase_init(&t, &manifest);
    return t;
}

static uint64_t at(struct skein_timebase *t, uint32_t shard, struct event e) {
    return skein_timebase_ns(t, shard, &e.record);
}

Test(timebase, reads_of_the_counter_say_the_time) {
    struct skein_timebase t = begin(1000, HZ);

    cr_assert_eq(at(&t, 0, tsc_read(1000)), 0u);
    cr_assert_eq(at(&t, 1, tsc_read(3000)), 1000u);
    cr_assert_eq(at(&t, 0, tsc_read(1000 + 3600 * HZ)), 3600000000000u);
}

Test(timebase, instructions_fill_the_gaps_and_time_never_runs_backwards) {
    struct skein_timebase t = begin(0, HZ);

    cr_assert_eq(at(&t, 0, tsc_read(2000)), 1000u);
    cr_assert_eq(at(&t, 0, kernel_exit(50)), 1050u);
    cr_assert_eq(at(&t, 1, kernel_exit(7)), 1057u, "each vCPU counts its own");
    cr_assert_eq(at(&t, 0, kernel_exit(60)), 1067u);
    cr_assert_eq(at(&t, 0, tsc_read(2002)), 1067u);
    cr_assert_eq(at(&t, 0, tsc_read(4000)), 2000u);
}

Test(timebase, a_counter_that_makes_no_sense_is_passed_over) {
    struct skein_timebase t = begin(5000, HZ);

    cr_assert_eq(at(&t, 0, tsc_read(4999)), 0u);
    cr_assert_eq(at(&t, 0, tsc_read(UINT64_MAX)), 0u);
    t = begin(5000, 0);
    cr_assert_eq(at(&t, 0, tsc_read(6000)), 0u);
    cr_assert_eq(at(&t, 0, kernel_exit(9)), 9u, "instructions are all there is");
}

Test(timebase, an_icount_that_makes_no_sense_is_passed_over) {
    struct skein_timebase t = begin(0, 0);

    cr_assert_eq(at(&t, 0, kernel_exit(5)), 5u);
    cr_assert_eq(at(&t, 0, kernel_exit(UINT64_MAX)), 5u);
    cr_assert_eq(at(&t, 1, kernel_exit(UINT64_MAX - 1)), 5u);
    cr_assert_eq(at(&t, 0, kernel_exit(7)), 7u);
}

Test(timebase, positions_that_are_no_icount_do_not_count) {
    struct skein_timebase t = begin(0, 0);
    struct event e = {.record = {32, SKEIN_TOKEN, SKEIN_F_AT_IO, 0}, .word = {1, 500, 2}};

    cr_assert_eq(at(&t, 0, e), 0u);
    e.record.flags = 0;
    cr_assert_eq(at(&t, 0, e), 500u);
    e.record = (struct skein_record){8, SKEIN_END, 0, 0};
    cr_assert_eq(at(&t, 0, e), 500u, "a record too short to have one");
}
