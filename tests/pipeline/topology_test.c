#include "pipeline/topology.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct skein_topology *plan(const char *synthetic, uint32_t shards) {
    struct skein_topology *t = NULL;

    if (synthetic != NULL) {
        setenv("HWLOC_SYNTHETIC", synthetic, 1);
    } else {
        unsetenv("HWLOC_SYNTHETIC");
    }
    cr_assert_eq(skein_topology_plan(shards, &t, NULL), 0);
    return t;
}

Test(topology, this_machine_gets_a_plan_and_binds) {
    struct skein_topology *t = plan(NULL, 3);
    void *mem = aligned_alloc(4096, 65536);

    cr_assert_geq(skein_topology_nodes(t), 1u);
    cr_assert_eq(skein_topology_shard_node(t, 2), skein_topology_shard_node(t, 0));
    /* Containers may forbid it; nothing else may go wrong. */
    const int rc = skein_topology_bind_memory(t, 1, mem, 65536);
    cr_assert(rc == 0 || rc == -EPERM || rc == -ENOSYS, "%d", rc);
    cr_assert_eq(skein_topology_bind_thread(t, 0), 0);
    free(mem);
    skein_topology_free(t);
}

Test(topology, two_nodes_share_four_vcpus) {
    struct skein_topology *t = plan("node:2 core:4 pu:1", 5);

    cr_assert_eq(skein_topology_nodes(t), 2u);
    cr_assert_eq(skein_topology_shard_node(t, 0), 0u);
    cr_assert_eq(skein_topology_shard_node(t, 1), 0u);
    cr_assert_eq(skein_topology_shard_node(t, 2), 1u);
    cr_assert_eq(skein_topology_shard_node(t, 3), 1u);
    cr_assert_eq(skein_topology_shard_node(t, 4), 0u, "devices go with shard 0");
    cr_assert_eq(skein_topology_os_node(t, 1), 1u);
    skein_topology_free(t);
}

Test(topology, a_node_without_shards_gets_no_thread) {
    struct skein_topology *t = plan("node:4 core:2 pu:2", 3);

    cr_assert_eq(skein_topology_nodes(t), 2u);
    cr_assert_neq(skein_topology_os_node(t, 0), skein_topology_os_node(t, 1));
    skein_topology_free(t);
}

Test(topology, every_shard_has_a_node) {
    for (uint32_t shards = 2; shards <= 65; shards++) {
        struct skein_topology *t = plan("node:3 core:5 pu:1", shards);
        uint32_t last = 0;
        for (uint32_t i = 0; i + 1 < shards; i++) {
            const uint32_t node = skein_topology_shard_node(t, i);
            cr_assert(node == last || node == last + 1);
            last = node;
        }
        cr_assert_eq(last + 1, skein_topology_nodes(t));
        cr_assert_eq(skein_topology_bind_thread(t, 0), -ENOSYS, "not of this machine");
        skein_topology_free(t);
    }
}

/* The table of a plan, as in topology_golden.txt. */
static void print_plan(FILE *out, const struct skein_topology *t, uint32_t shards) {
    char list[256];

    for (uint32_t node = 0; node < skein_topology_nodes(t); node++) {
        skein_topology_node_list(t, node, list, sizeof(list));
        fprintf(out, "  node %" PRIu32 ", %" PRIu32 " processors %s: shards",
                skein_topology_os_node(t, node), skein_topology_node_processors(t, node), list);
        for (uint32_t i = 0; i < shards; i++) {
            if (skein_topology_shard_node(t, i) == node) {
                fprintf(out, " %" PRIu32, i);
            }
        }
        fprintf(out, "\n");
    }
}

/* "plan VCPUS on SYNTHETIC" or "plan VCPUS on SYNTHETIC | PROCESSORS": the plan's table. */
static void print_case(FILE *out, char *head) {
    struct skein_topology *t = NULL;
    struct skein_error err = {""};
    char *on = strstr(head, " on "), *bar;
    const uint32_t shards = (uint32_t)strtoul(head + 5, NULL, 10) + 1;

    cr_assert_not_null(on, "%s", head);
    fprintf(out, "%s\n", head);
    bar = strstr(on, " | ");
    if (bar != NULL) {
        *bar = '\0';
    }
    setenv("HWLOC_SYNTHETIC", on + 4, 1);
    if (skein_topology_plan_on(bar != NULL ? bar + 3 : NULL, shards, &t, &err) == 0) {
        print_plan(out, t, shards);
        skein_topology_free(t);
    } else {
        fprintf(out, "  no plan: %s\n", err.text);
    }
}

/* The heads in the golden file say what to plan; SKEIN_GOLDEN_OUT=FILE writes a new one. */
Test(topology, plans_are_as_in_the_golden_file) {
    const char *renew = getenv("SKEIN_GOLDEN_OUT");
    FILE *golden = fopen("tests/pipeline/topology_golden.txt", "r"), *out;
    char line[512], *got = NULL, want[32768] = "";
    size_t size, cases = 0;

    cr_assert_not_null(golden);
    out = open_memstream(&got, &size);
    while (fgets(line, sizeof(line), golden) != NULL) {
        strcat(want, line);
        cr_assert_lt(strlen(want) + sizeof(line), sizeof(want));
        if (strncmp(line, "plan ", 5) == 0) {
            line[strcspn(line, "\n")] = '\0';
            print_case(out, line);
            cases++;
        }
    }
    fclose(golden);
    fclose(out);
    cr_assert_geq(cases, 20u);
    if (renew != NULL) {
        golden = fopen(renew, "w");
        cr_assert_not_null(golden);
        fputs(got, golden);
        fclose(golden);
    }
    cr_assert_str_eq(got, want);
    free(got);
}
