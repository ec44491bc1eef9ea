#include "pipeline/clock.h"

#include <criterion/criterion.h>

#include "tests/pipeline/random.h"

static struct skein_clock random_clock(struct random *rng) {
    struct skein_clock c;

    skein_clock_init(&c, 3);
    for (uint32_t i = 0; i < 3; i++) {
        c.tick[i] = random_below(rng, 3);
    }
    return c;
}

Test(clock, starts_having_seen_nothing) {
    struct skein_clock c;

    skein_clock_init(&c, 2);
    cr_assert(skein_clock_has(&c, 0, 0));
    cr_assert_not(skein_clock_has(&c, 0, 1));
    cr_assert_not(skein_clock_has(&c, 2, 0), "a shard that there is not");
}

Test(clock, advance_counts_one_shard) {
    struct skein_clock c;

    skein_clock_init(&c, 2);
    cr_assert_eq(skein_clock_advance(&c, 1), 1u);
    cr_assert_eq(skein_clock_advance(&c, 1), 2u);
    cr_assert_eq(c.tick[0], 0u);
    cr_assert(skein_clock_has(&c, 1, 2));
}

Test(clock, compare) {
    const struct skein_clock a = {2, {1, 2}}, b = {2, {1, 3}}, c = {2, {2, 2}};

    cr_assert_eq(skein_clock_compare(&a, &a), SKEIN_CLOCK_EQUAL);
    cr_assert_eq(skein_clock_compare(&a, &b), SKEIN_CLOCK_BEFORE);
    cr_assert_eq(skein_clock_compare(&b, &a), SKEIN_CLOCK_AFTER);
    cr_assert_eq(skein_clock_compare(&b, &c), SKEIN_CLOCK_CONCURRENT);
}

/* The laws of a join: the least clock that is not before either. */
Test(clock, join_is_the_least_upper_bound) {
    struct random rng = {1};

    for (int i = 0; i < 10000; i++) {
        const struct skein_clock a = random_clock(&rng), b = random_clock(&rng);
        const struct skein_clock other = random_clock(&rng);
        struct skein_clock ab = a, ba = b;
        skein_clock_join(&ab, &b);
        skein_clock_join(&ba, &a);
        cr_assert_eq(skein_clock_compare(&ab, &ba), SKEIN_CLOCK_EQUAL);
        for (uint32_t s = 0; s < 3; s++) {
            cr_assert(skein_clock_has(&ab, s, a.tick[s]) && skein_clock_has(&ab, s, b.tick[s]));
        }
        struct skein_clock bound = other;
        skein_clock_join(&bound, &a);
        skein_clock_join(&bound, &b);
        const enum skein_clock_order order = skein_clock_compare(&ab, &bound);
        cr_assert(order == SKEIN_CLOCK_BEFORE || order == SKEIN_CLOCK_EQUAL);
    }
}
