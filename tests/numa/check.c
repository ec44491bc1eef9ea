/* In a guest with two NUMA nodes, one processor each: is everything where the plan wants it? */
#include <dirent.h>
#include <numaif.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/collector.h"
#include "pipeline/recording.h"
#include "pipeline/shard.h"
#include "pipeline/topology.h"

#define VCPUS 2u
#define SHARDS (VCPUS + 1)
#define PAGE 4096u
#define RING_BYTES (8u << 20)
#define DIR_NAME "/tmp/recording"

static int failures;

__attribute__((format(printf, 3, 4))) static void report(bool good, const char *name,
                                                         const char *fmt, ...) {
    va_list ap;

    printf(good ? "ok %s" : "not ok %s: ", name);
    failures += !good;
    if (!good) {
        va_start(ap, fmt);
        vprintf(fmt, ap);
        va_end(ap);
    }
    printf("\n");
}

/* How many of the pages at mem are on the node, and how many there are. */
static void count_pages(uint8_t *mem, size_t bytes, int node, size_t *there, size_t *all) {
    *there = 0;
    *all = bytes / PAGE;
    for (size_t i = 0; i < *all; i++) {
        void *page = mem + i * PAGE;
        int status = -1;
        (void)*(volatile uint8_t *)page; /* the kernel tells only of pages that are mapped here */
        if (move_pages(0, 1, &page, NULL, &status, 0) == 0 && status == node) {
            ++*there;
        }
    }
}

/* The device shard goes with shard 0. Of huge pages, those that lie across two shards may differ.
 */
static void check_pages(struct skein_session *session, const char *who, unsigned percent) {
    char name[128];

    for (uint32_t i = 0; i < SHARDS; i++) {
        const int node = i == 1 ? 1 : 0;
        size_t bytes, there, all;
        uint8_t *mem = skein_session_shard(session, i, &bytes);
        count_pages(mem, bytes, node, &there, &all);
        snprintf(name, sizeof(name), "numa shard %u is on node %d (%s)", i, node, who);
        report(all != 0 && there * 100 >= all * percent, name, "%zu of %zu pages", there, all);
    }
}

/* Threads of this process that may run on this processor and no other. */
static int count_threads(int processor) {
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;
    int found = 0;

    while (tasks != NULL && (task = readdir(tasks)) != NULL) {
        cpu_set_t set;
        if (task->d_name[0] != '.' &&
            sched_getaffinity(atoi(task->d_name), sizeof(set), &set) == 0) {
            found += CPU_COUNT(&set) == 1 && CPU_ISSET((size_t)processor, &set);
        }
    }
    if (tasks != NULL) {
        closedir(tasks);
    }
    return found;
}

static void check_threads(void) {
    int on[2] = {0, 0};

    for (int tries = 0; tries < 100 && (on[0] != 1 || on[1] != 1); tries++) {
        usleep(20000);
        on[0] = count_threads(0);
        on[1] = count_threads(1);
    }
    report(on[0] == 1 && on[1] == 1, "numa each node has its drain thread",
           "%d on node 0, %d on node 1", on[0], on[1]);
}

/* As QEMU does: another process, on the other node, writes all over the shard. */
static void check_other_process(const char *path) {
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        struct skein_session *theirs;
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(1u, &set);
        failures = sched_setaffinity(0, sizeof(set), &set) != 0;
        if (skein_session_open(path, &theirs, NULL) == 0) {
            check_pages(theirs, "another process", 100);
        }
        fflush(stdout);
        _exit(failures != 0);
    }
    waitpid(pid, &status, 0);
    failures += status != 0;
}

static struct skein_session *create(bool huge_pages, char *path, size_t size) {
    struct skein_session_params params = {
        .vcpu_count = VCPUS, .ring_bytes = RING_BYTES, .huge_pages = huge_pages};
    struct skein_session *session = NULL;
    struct skein_error err = {""};

    skein_uuid_make(params.uuid);
    skein_session_path(&params, path, size);
    if (skein_session_create(path, &params, &session, &err) != 0) {
        report(false, "numa session", "%s", err.text);
    }
    return session;
}

static struct skein_collector *collect(struct skein_session *session) {
    static struct skein_manifest manifest;
    const struct skein_collector_opts opts = {.session = session, .dir = DIR_NAME};
    struct skein_collector *collector = NULL;
    struct skein_error err = {""};

    manifest.vcpu_count = VCPUS;
    memcpy(manifest.uuid, skein_session_header(session)->uuid, sizeof(manifest.uuid));
    if (skein_recording_create(DIR_NAME, &manifest, &err) != 0 ||
        skein_collector_start(&opts, &collector, &err) != 0) {
        report(false, "numa collector", "%s", err.text);
    }
    return collector;
}

static void check_small(void) {
    char path[128];
    struct skein_session *session = create(false, path, sizeof(path));
    struct skein_collector *collector = session != NULL ? collect(session) : NULL;

    if (collector != NULL) {
        check_pages(session, "the collector", 100);
        check_threads();
        check_other_process(path);
        skein_collector_free(collector);
        skein_session_unlink(session);
        skein_session_close(session);
    }
}

static void check_huge(void) {
    char path[128];
    struct skein_session *session = create(true, path, sizeof(path));
    struct skein_topology *topology = NULL;
    size_t bytes;

    if (session == NULL || skein_topology_plan(SHARDS, &topology, NULL) != 0) {
        return;
    }
    report(skein_session_huge_bytes(session) >= RING_BYTES, "numa the session is in huge pages",
           "%llu bytes", (unsigned long long)skein_session_huge_bytes(session));
    for (uint32_t i = 0; i < SHARDS; i++) {
        void *mem = skein_session_shard(session, i, &bytes);
        skein_topology_bind_memory(topology, i, mem, bytes);
    }
    check_pages(session, "huge pages", 75);
    skein_topology_free(topology);
    skein_session_unlink(session);
    skein_session_close(session);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    check_small();
    check_huge();
    return failures != 0;
}
