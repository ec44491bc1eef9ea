#include "pipeline/tsc_grid.h"

#include <criterion/criterion.h>
#include <string.h>

#include "pipeline/block.h"
#include "pipeline/event.h"
#include "tests/pipeline/random.h"

#define COUNT 1000u

struct columns {
    uint64_t arg[COUNT];
    int64_t value[COUNT], before[COUNT], rest[COUNT];
    uint8_t low[COUNT];
};

/* Every seventh value is no counter, and must stay as it is. */
static struct skein_tsc_values fill(struct columns *c, uint64_t (*tsc)(uint64_t i, void *opaque),
                                    void *opaque) {
    uint64_t last = 0;

    for (uint64_t i = 0; i < COUNT; i++) {
        const bool counter = i % 7 != 3;
        const uint64_t t = counter ? tsc(i, opaque) : i * i;
        c->arg[i] = skein_value_arg(counter ? SKEIN_VALUE_TSC : SKEIN_VALUE_PORT, 8, 0x60);
        c->value[i] = (int64_t)(counter ? t - last : t);
        last = counter ? t : last;
    }
    memcpy(c->before, c->value, sizeof(c->before));
    return (struct skein_tsc_values){COUNT, c->arg, c->value};
}

static uint64_t moves_by_24_and_a_half(uint64_t i, void *opaque) {
    struct random *rng = opaque;

    return (1000000007 + i * 900 + random_below(rng, 800)) * 49 / 2;
}

static uint64_t wanders(uint64_t i, void *opaque) {
    return moves_by_24_and_a_half(i, opaque) + (i > COUNT / 2 ? 5 : 0) + (i % 31 == 0);
}

static uint64_t has_no_grid(uint64_t i, void *opaque) {
    return i * 20000 + random_below(opaque, 15000);
}

static uint64_t is_wild(uint64_t i, void *opaque) {
    return i % 3 == 0 ? UINT64_MAX - i : random_next(opaque);
}

/* As the block decoder does. False: the columns are refused. */
static bool unpack(struct columns *c, struct skein_tsc_grid grid,
                   const struct skein_tsc_columns *columns) {
    struct skein_tsc_unpacker u = {.grid = grid};
    uint64_t last = 0, tsc;
    size_t n = 0;

    for (uint64_t i = 0; i < COUNT; i++) {
        if (i % 7 == 3) {
            continue;
        }
        if (!u.begun) {
            tsc = (uint64_t)c->value[i];
            skein_tsc_unpack_first(&u, tsc);
        } else if (!skein_tsc_unpack_next(&u, (uint64_t)c->value[i], columns->low[n],
                                          columns->rest_count != 0 ? (uint64_t)columns->rest[n] : 0,
                                          &tsc)) {
            return false;
        } else {
            n++;
        }
        c->value[i] = (int64_t)(tsc - last);
        last = tsc;
    }
    cr_assert_eq(n, columns->count);
    return true;
}

static void check_round_trip(struct columns *c, const struct skein_tsc_values *v,
                             struct skein_tsc_grid grid) {
    struct skein_tsc_columns columns = {.low = c->low, .rest = c->rest};

    skein_tsc_grid_pack(v, grid, &columns);
    cr_assert(unpack(c, grid, &columns));
    cr_assert_eq(memcmp(c->value, c->before, sizeof(c->value)), 0);
}

Test(tsc_grid, finds_the_step_and_makes_values_small) {
    struct random rng = {3};
    struct skein_tsc_finder finder = {.pause = 0};
    struct columns c;
    const struct skein_tsc_values v = fill(&c, moves_by_24_and_a_half, &rng);
    const struct skein_tsc_grid grid = skein_tsc_grid_find(&finder, &v);
    struct skein_tsc_columns columns = {.low = c.low, .rest = c.rest};

    cr_assert_eq(grid.step, 49u);
    cr_assert_eq(grid.shift, 1u);
    skein_tsc_grid_pack(&v, grid, &columns);
    cr_assert_eq(columns.rest_count, 0u);
    cr_assert_eq(columns.count, COUNT - COUNT / 7 - 2, "no byte for the first one");
    for (size_t i = 8; i < COUNT; i++) {
        cr_assert(i % 7 == 3 || (c.value[i] >= 0 && c.value[i] < 32));
    }
    cr_assert(unpack(&c, grid, &columns));
    cr_assert_eq(memcmp(c.value, c.before, sizeof(c.value)), 0);
}

Test(tsc_grid, what_leaves_the_grid_comes_back) {
    struct random rng = {4};
    struct skein_tsc_finder finder = {.pause = 0};
    struct columns c;
    struct skein_tsc_values v = fill(&c, moves_by_24_and_a_half, &rng);

    cr_assert_neq(skein_tsc_grid_find(&finder, &v).step, 0u);
    v = fill(&c, wanders, &rng);
    const struct skein_tsc_grid grid = skein_tsc_grid_find(&finder, &v);
    cr_assert_eq(grid.step, 49u, "a good part still lies on it");
    check_round_trip(&c, &v, grid);
}

Test(tsc_grid, no_grid_is_made_up) {
    struct random rng = {5};
    struct skein_tsc_finder finder = {.pause = 0};
    struct columns c;
    struct skein_tsc_values v = fill(&c, has_no_grid, &rng);

    cr_assert_eq(skein_tsc_grid_find(&finder, &v).step, 0u);
    v = fill(&c, is_wild, &rng);
    cr_assert_eq(skein_tsc_grid_find(&finder, &v).step, 0u);
    v.count = 20;
    cr_assert_eq(skein_tsc_grid_find(&finder, &v).step, 0u, "too few to tell");
}

Test(tsc_grid, every_grid_gives_values_back) {
    struct random rng = {6};

    for (uint32_t round = 0; round < 300; round++) {
        const uint32_t shift = (uint32_t)random_below(&rng, 4);
        const struct skein_tsc_grid grid = {
            .step = 1 + (uint32_t)random_below(&rng, 4096),
            .shift = shift,
            .phase = (uint32_t)random_below(&rng, 1u << shift),
        };
        struct columns c;
        const struct skein_tsc_values v = fill(&c, has_no_grid, &rng);
        check_round_trip(&c, &v, grid);
    }
}

Test(tsc_grid, a_reader_refuses_what_no_writer_writes) {
    static const struct skein_tsc_grid bad[] = {
        {0, 0, 0}, {(1u << 14) + 1, 0, 0}, {49, 4, 0}, {49, 1, 2}, {49, 40, 0}};
    struct skein_tsc_unpacker u = {.grid = {49, 1, 0}};
    uint64_t tsc;

    cr_assert(skein_tsc_grid_valid(u.grid));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_not(skein_tsc_grid_valid(bad[i]));
    }
    skein_tsc_unpack_first(&u, 1000);
    cr_assert(skein_tsc_unpack_next(&u, 0, 4, 0, &tsc));
    cr_assert_eq(tsc, 1049u);
    cr_assert(skein_tsc_unpack_next(&u, 0, 7, (uint64_t)-1, &tsc));
    cr_assert_eq(tsc, 1000u - 49 - 1, "two steps forward, four back, and one tick beside");
    cr_assert_not(skein_tsc_unpack_next(&u, 1ull << 50, 0, 0, &tsc));
}

/* Packed, all that is left in the column of values is zeros, and still it must be there. */
Test(tsc_grid, a_block_of_counters_from_zero_comes_back) {
    struct skein_block_encoder *enc;
    struct skein_block_info info;
    struct skein_block *block;
    const uint8_t *data;
    size_t bytes;

    cr_assert_eq(skein_block_encoder_create(2, 0, &enc), 0);
    for (uint64_t i = 0; i < 100; i++) {
        struct {
            struct skein_record header;
            uint64_t value;
        } rec = {{16, SKEIN_VALUE, 0, skein_value_arg(SKEIN_VALUE_TSC, 8, 0)}, i * 49 / 2};
        cr_assert_eq(skein_block_encoder_add(enc, 0, &rec.header), 0);
    }
    cr_assert_eq(skein_block_encoder_finish(enc, &info, &data, &bytes), 0);
    cr_assert_eq(skein_block_decode(data, bytes, &info, 2, &block, NULL), 0);
    for (uint32_t i = 0; i < 100; i++) {
        const uint64_t want = i * 49 / 2;
        cr_assert_eq(memcmp(skein_block_record(block, i) + 1, &want, sizeof(want)), 0);
    }
    skein_block_free(block);
    skein_block_encoder_free(enc);
}
