/* skein doctor: how this machine would record, and what to change. */
#include "cli/doctor.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/json.h"
#include "cli/qemu_args.h"
#include "cli/report.h"
#include "pipeline/session_map.h"

#define DEFAULT_VCPUS 2u

struct doctor_opts {
    uint32_t vcpus;
    uint64_t memory_bytes;
    const char *qemu;
    struct skein_json_opt json;
};

const char *skein_level_name(enum skein_level level) {
    static const char *const names[] = {"ok", "note", "slow", "stop"};
    return names[level];
}

struct skein_finding *skein_findings_add(struct skein_findings *f, enum skein_level level,
                                         const char *name, const char *fmt, ...) {
    struct skein_finding *it = &f->item[f->count < SKEIN_FINDINGS_MAX - 1 ? f->count++ : f->count];
    va_list ap;
    *it = (struct skein_finding){.level = level, .name = name};
    va_start(ap, fmt);
    vsnprintf(it->text, sizeof(it->text), fmt, ap);
    va_end(ap);
    return it;
}

void skein_finding_todo(struct skein_finding *f, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(f->todo, sizeof(f->todo), fmt, ap);
    va_end(ap);
}

static size_t count_of(const struct skein_findings *f, enum skein_level level) {
    size_t n = 0;
    for (size_t i = 0; i < f->count; i++)
        n += f->item[i].level == level;
    return n;
}

/* "0-3, devices": the shards of a node, which are a run but for the last. */
static void text_shards(FILE *out, const struct skein_doctor_plan *plan, uint32_t node) {
    uint32_t first = UINT32_MAX, last = 0;
    for (uint32_t i = 0; i < plan->vcpus; i++)
        if (skein_topology_shard_node(plan->topology, i) == node) {
            first = first == UINT32_MAX ? i : first;
            last = i;
        }
    if (first == last)
        fprintf(out, "vCPU %" PRIu32, first);
    else
        fprintf(out, "vCPUs %" PRIu32 "-%" PRIu32, first, last);
    if (skein_topology_shard_node(plan->topology, plan->vcpus) == node)
        fputs(", devices", out);
}

static void text_plan(FILE *out, const struct skein_doctor_plan *plan) {
    const struct skein_topology *t = plan->topology;
    fprintf(out, "%s: processors %" PRIu32 ", NUMA nodes %" PRIu32 "\n",
            skein_topology_is_here(t) ? "this machine" : "another machine",
            skein_topology_machine_processors(t), skein_topology_machine_nodes(t));
    fprintf(out,
            "plan: vCPUs %" PRIu32 ", shards %" PRIu32 " of %" PRIu64 " MiB, drain threads %" PRIu32
            "; one merger; vCPU threads are left to the scheduler\n",
            plan->vcpus, plan->vcpus + 1, plan->ring_bytes >> 20, skein_topology_nodes(t));
    for (uint32_t i = 0; i < skein_topology_nodes(t); i++) {
        char list[256];
        skein_topology_node_list(t, i, list, sizeof(list));
        fprintf(out, "  node %-3" PRIu32 " processors %s, %" PRIu64 " MiB: shards of ",
                skein_topology_os_node(t, i), list, skein_topology_node_bytes(t, i) >> 20);
        text_shards(out, plan, i);
        fprintf(out, "; drain thread %" PRIu32 "\n", i);
    }
}

static void text_findings(FILE *out, const struct skein_findings *f) {
    for (size_t i = 0; i < f->count; i++) {
        const struct skein_finding *it = &f->item[i];
        fprintf(out, "  %-4s %-11s %s\n", skein_level_name(it->level), it->name, it->text);
        if (it->todo[0] != '\0')
            fprintf(out, "  %-4s %-11s -> %s\n", "", "", it->todo);
    }
}

static void text_verdict(FILE *out, const struct skein_findings *f) {
    const size_t stops = count_of(f, SKEIN_LEVEL_STOP), slow = count_of(f, SKEIN_LEVEL_SLOW);
    if (stops != 0)
        fprintf(out, "recording does not work: %zu to change\n", stops);
    else if (slow != 0)
        fprintf(out, "recording works, slower than it need be: %zu to change\n", slow);
    else
        fputs("recording works\n", out);
}

static void json_plan(struct skein_json *j, const struct skein_doctor_plan *plan) {
    const struct skein_topology *t = plan->topology;
    skein_json_bool(j, "this_machine", skein_topology_is_here(t));
    skein_json_u64(j, "processors", skein_topology_machine_processors(t));
    skein_json_u64(j, "numa_nodes", skein_topology_machine_nodes(t));
    skein_json_u64(j, "vcpus", plan->vcpus);
    skein_json_u64(j, "memory_bytes", plan->memory_bytes);
    skein_json_u64(j, "ring_bytes", plan->ring_bytes);
    skein_json_u64(j, "session_bytes", plan->session_bytes);
    skein_json_u64(j, "drain_threads", skein_topology_nodes(t));
    skein_json_bool(j, "vcpu_threads_bound", false);
    skein_json_open(j, "nodes", '[');
    for (uint32_t i = 0; i < skein_topology_nodes(t); i++) {
        char list[256];
        skein_topology_node_list(t, i, list, sizeof(list));
        skein_json_open(j, NULL, '{');
        skein_json_u64(j, "node", skein_topology_os_node(t, i));
        skein_json_string(j, "processors", list);
        skein_json_u64(j, "memory_bytes", skein_topology_node_bytes(t, i));
        skein_json_open(j, "shards", '[');
        for (uint32_t s = 0; s <= plan->vcpus; s++)
            if (skein_topology_shard_node(t, s) == i)
                skein_json_u64(j, NULL, s);
        skein_json_close(j, ']');
        skein_json_close(j, '}');
    }
    skein_json_close(j, ']');
}

static bool write_json(const struct skein_json_opt *opt, const struct skein_doctor_plan *plan,
                       const struct skein_findings *f) {
    FILE *out = skein_json_begin(opt);
    if (out == NULL)
        return false;
    struct skein_json j = {.out = out};
    skein_json_open(&j, NULL, '{');
    json_plan(&j, plan);
    skein_json_open(&j, "findings", '[');
    for (size_t i = 0; i < f->count; i++) {
        skein_json_open(&j, NULL, '{');
        skein_json_string(&j, "name", f->item[i].name);
        skein_json_string(&j, "level", skein_level_name(f->item[i].level));
        skein_json_string(&j, "text", f->item[i].text);
        skein_json_string(&j, "todo", f->item[i].todo);
        skein_json_close(&j, '}');
    }
    skein_json_close(&j, ']');
    skein_json_bool(&j, "works", count_of(f, SKEIN_LEVEL_STOP) == 0);
    skein_json_close(&j, '}');
    return skein_json_end(out);
}

static int doctor(const struct doctor_opts *o) {
    struct skein_topology *topology = NULL;
    struct skein_findings found = {0};
    struct skein_error err;
    if (skein_topology_plan(o->vcpus + 1, &topology, &err) != 0)
        return skein_fail(SKEIN_EXIT_FAILED, "%s", err.text);
    const struct skein_doctor_plan plan = {
        .vcpus = o->vcpus,
        .memory_bytes = o->memory_bytes,
        .ring_bytes = SKEIN_SESSION_RING_BYTES,
        .session_bytes = skein_session_bytes(o->vcpus, SKEIN_SESSION_RING_BYTES),
        .topology = topology,
    };
    /* Of another machine only the plan is known. */
    if (skein_topology_is_here(topology)) {
        skein_doctor_check_qemu(o->qemu, &found);
        skein_doctor_check_host("", &plan, &found);
        skein_doctor_check_limits(&plan, &found);
    }
    int code = count_of(&found, SKEIN_LEVEL_STOP) == 0 ? SKEIN_EXIT_OK : SKEIN_EXIT_FAILED;
    if (!o->json.on || o->json.file != NULL) {
        text_plan(stdout, &plan);
        text_findings(stdout, &found);
        if (skein_topology_is_here(topology))
            text_verdict(stdout, &found);
    }
    if (o->json.on && !write_json(&o->json, &plan, &found))
        code = skein_fail(SKEIN_EXIT_USAGE, "cannot write the JSON");
    skein_topology_free(topology);
    return code;
}

int skein_cmd_doctor(int argc, char **argv) {
    static const struct option options[] = {{"vcpus", required_argument, NULL, 'n'},
                                            {"memory", required_argument, NULL, 'm'},
                                            {"qemu", required_argument, NULL, 'q'},
                                            {"json", optional_argument, NULL, 'j'},
                                            {NULL, 0, NULL, 0}};
    struct doctor_opts o = {.vcpus = DEFAULT_VCPUS};
    skein_parse_size(SKEIN_DEFAULT_MEMORY, &o.memory_bytes);
    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
        if (found == 'n' && (!skein_parse_u32(optarg, SKEIN_MAX_VCPUS, &o.vcpus) || o.vcpus == 0))
            return skein_fail(SKEIN_EXIT_USAGE, "doctor: --vcpus %s: it must be 1 to 64", optarg);
        if (found == 'm' && !skein_parse_size(optarg, &o.memory_bytes))
            return skein_fail(SKEIN_EXIT_USAGE, "doctor: --memory %s: it must be a size", optarg);
        if (found == 'q')
            o.qemu = optarg;
        else if (found == 'j')
            o.json = (struct skein_json_opt){.on = true, .file = optarg};
        else if (found != 'n' && found != 'm')
            return skein_fail_option("doctor", argv, found);
    }
    if (optind != argc)
        return skein_fail(SKEIN_EXIT_USAGE, "doctor: what is %s? It looks at this machine",
                          argv[optind]);
    return doctor(&o);
}
