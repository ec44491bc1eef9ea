/* What skein doctor finds: one line each about a part of the machine, and what to change. */
#ifndef SKEIN_CLI_DOCTOR_H
#define SKEIN_CLI_DOCTOR_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/topology.h"

enum skein_level {
    SKEIN_LEVEL_OK,
    SKEIN_LEVEL_NOTE, /* could be better, or explains what one sees */
    SKEIN_LEVEL_SLOW, /* recordings are slower than they need be */
    SKEIN_LEVEL_STOP, /* nothing can be recorded */
};

const char *skein_level_name(enum skein_level level);

struct skein_finding {
    enum skein_level level;
    const char *name;
    char text[256];
    char todo[320]; /* a command, or what else to do; "": nothing */
};

#define SKEIN_FINDINGS_MAX 32u

struct skein_findings {
    size_t count;
    struct skein_finding item[SKEIN_FINDINGS_MAX];
};

/* Adds one without anything to do. */
struct skein_finding *skein_findings_add(struct skein_findings *f, enum skein_level level,
                                         const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

void skein_finding_todo(struct skein_finding *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* What would be recorded. */
struct skein_doctor_plan {
    uint32_t vcpus;
    uint64_t memory_bytes; /* of the guest */
    uint64_t ring_bytes;
    uint64_t session_bytes;
    const struct skein_topology *topology;
};

/*
 * Looks at the host through /proc and /sys under `root` ("" for the real ones): processors, clocks,
 * limits of groups, virtual machines.
 */
void skein_doctor_check_host(const char *root, const struct skein_doctor_plan *plan,
                             struct skein_findings *found);

/* Memory, /dev/shm, huge pages, limits of this process, whether memory can be bound. */
void skein_doctor_check_limits(const struct skein_doctor_plan *plan, struct skein_findings *found);

/* The QEMU that would be used (NULL: by SKEIN_QEMU), and whether it records. */
void skein_doctor_check_qemu(const char *chosen, struct skein_findings *found);

#endif
