/*
 * kill -9 of the writer, of the collector, of both and of recovery: at every test point there is,
 * and at random times. crash_test [KILLS [SEED]] goes on until so many processes were killed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/crash/lab.h"

#define KILLS 2000u
#define HISTORIES 4u
#define EVENTS 1400u
#define HITS_MAX 6u

static const char *const point_names[] = {
#include "tests/crash/points.inc"
    NULL,
};

static struct history histories[HISTORIES];
static struct random rng;

/* How often each role comes to each point when nobody dies. */
static uint32_t usual[LAB_POINTS_MAX][LAB_ROLES];

static struct lab_run any_run(void) {
    return (struct lab_run){.history = &histories[random_below(&rng, HISTORIES)],
                            .seed = random_next(&rng)};
}

static void count_points(void) {
    for (uint32_t i = 0; i < HISTORIES; i++) {
        struct lab_run run = any_run();
        run.history = &histories[i];
        lab_run(&run);
        for (uint32_t p = 0; p < lab->point_count; p++) {
            for (int role = 0; role < LAB_ROLES; role++) {
                const uint32_t hits = lab->points[p].hits[role];
                if (usual[p][role] < hits) {
                    usual[p][role] = hits;
                }
            }
        }
    }
}

/* Early ones one by one, the last one, and any between. */
static uint32_t choose_hit(uint32_t round, uint32_t hits) {
    if (round < 2) {
        return round + 1;
    }
    return round == 2 ? hits : 1 + (uint32_t)random_below(&rng, hits);
}

static void kill_at_points(uint32_t round, enum lab_role role) {
    for (uint32_t p = 0; p < lab->point_count; p++) {
        struct lab_run run = any_run();
        if (usual[p][role] == 0) {
            continue;
        }
        run.kill = (struct lab_kill){.role = role,
                                     .point = p,
                                     .hit = choose_hit(round, usual[p][role]),
                                     .both = random_below(&rng, 2) != 0};
        lab_run(&run);
    }
}

/* After a collector that died with half a block in its file, so that there is all to do. */
static void kill_recovery_at_points(uint32_t round, uint32_t torn) {
    for (uint32_t p = 0; p < lab->point_count; p++) {
        struct lab_run run = any_run();
        run.kill = (struct lab_kill){.role = LAB_COLLECTOR,
                                     .point = torn,
                                     .hit = 1 + (uint32_t)random_below(&rng, 12),
                                     .both = random_below(&rng, 2) != 0};
        run.kill_recovery = true;
        run.recovery_point = p;
        run.recovery_hit = 1 + round % HITS_MAX;
        if (round == 0 || lab->points[p].kills[LAB_RECOVERY] != 0) {
            lab_run(&run);
        }
    }
}

static void kill_at_random(void) {
    struct lab_run run = any_run();
    const uint64_t who = random_below(&rng, 3);

    if (who != 0) {
        run.kill.writer_after_us = 1 + (uint32_t)random_below(&rng, 6000);
    }
    if (who != 1) {
        run.kill.collector_after_us = 1 + (uint32_t)random_below(&rng, 6000);
    }
    lab_run(&run);
}

static uint32_t find_point(const char *name) {
    for (uint32_t i = 0; i < lab->point_count; i++) {
        if (strcmp(lab->points[i].name, name) == 0) {
            return i;
        }
    }
    lab_fail("there is no test point %s", name);
}

static void check_all_were_used(void) {
    for (uint32_t i = 0; i < lab->point_count; i++) {
        const struct lab_point *p = &lab->points[i];
        const uint32_t kills =
            p->kills[LAB_WRITER] + p->kills[LAB_COLLECTOR] + p->kills[LAB_RECOVERY];
        printf("  %-38s writer %4u, collector %4u, recovery %4u\n", p->name, p->kills[LAB_WRITER],
               p->kills[LAB_COLLECTOR], p->kills[LAB_RECOVERY]);
        if (kills == 0) {
            lab_fail("nobody was killed at %s", p->name);
        }
    }
}

int main(int argc, char **argv) {
    const uint64_t kills = argc > 1 ? strtoull(argv[1], NULL, 10) : KILLS;

    rng.state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    setbuf(stdout, NULL);
    lab_open(point_names);
    for (uint32_t i = 0; i < HISTORIES; i++) {
        histories[i] =
            history_make(random_next(&rng), 2 + i % 3, i == 0 ? 3 * EVENTS : EVENTS, i != 3);
    }
    count_points();
    for (uint32_t round = 0; lab->kills < kills; round++) {
        kill_at_points(round, LAB_WRITER);
        kill_at_points(round, LAB_COLLECTOR);
        kill_recovery_at_points(round, find_point("segment_writer.block_header_written"));
        for (int i = 0; i < 30 && lab->kills < kills; i++) {
            kill_at_random();
        }
    }
    check_all_were_used();
    printf("%llu processes killed in %llu recordings; %llu events recovered, %llu of them from "
           "shared memory; %llu waits for room\n",
           (unsigned long long)lab->kills, (unsigned long long)lab->runs,
           (unsigned long long)lab->recovered_events, (unsigned long long)lab->from_shards,
           (unsigned long long)lab->waits);
    for (uint32_t i = 0; i < HISTORIES; i++) {
        history_free(&histories[i]);
    }
    return 0;
}
