/* A recording in the making: what the user asked for, and running it. */
#ifndef SKEIN_CLI_RECORD_H
#define SKEIN_CLI_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/cli.h"
#include "cli/qemu_args.h"
#include "cli/record_until.h"
#include "cli/vm.h"
#include "pipeline/collector.h"
#include "pipeline/manifest.h"

enum skein_when {
    SKEIN_WHEN_EDGE,    /* start: boot (now, in a VM that runs); stop: the guest's exit */
    SKEIN_WHEN_CONSOLE, /* the console shows a text */
    SKEIN_WHEN_GUEST,   /* the guest says so, by a port write */
};

struct skein_trigger {
    enum skein_when when;
    const char *text; /* CONSOLE */
    const char *word; /* as the user wrote it */
};

struct skein_record_opts {
    const char *dir;
    bool print_args;          /* only the arguments of a QEMU that can be recorded */
    const char *attach;       /* path of a running QEMU's QMP socket; NULL: none */
    enum skein_vm_kind vm;    /* OWN: QEMU is started, with the guest */
    int vm_fd;                /* ATTACHED: of its QMP; ASKED: of the socket to QEMU */
    const char *qemu_version; /* not OWN */
    struct skein_guest guest;
    struct skein_machine machine;
    enum skein_scope scope;
    struct skein_trigger start;
    struct skein_trigger stop;
    enum skein_durability durability;
    uint32_t epoch_ms;  /* a checkpoint so often; 0: none */
    uint32_t timeout_s; /* 0: none */
    uint32_t chaos;     /* seed; 0: none */
    uint32_t repeat;    /* runs at most, until the failure comes; 0: not said */
    struct skein_until until;
    const char *qemu; /* NULL: not chosen */
    bool huge_pages;
    bool quiet;
    bool verbose;
    struct skein_json_opt json;
    char *const *extra; /* QEMU's own arguments; NULL-terminated */
};

/* What became of a recording that was to catch a failure. */
struct skein_record_outcome {
    bool began;
    bool caught; /* the recording is there; else, unless it is incomplete, it is not */
    bool interrupted;
    uint64_t duration_ns; /* from the start of QEMU to its end */
    char what[sizeof(((struct skein_until_watch *)0)->what)];
    struct skein_manifest manifest;
};

/* Everything from the checks to the summary; returns the exit code. out: with opts->until only. */
int skein_record_run(const struct skein_record_opts *opts, struct skein_record_outcome *out);

/* With opts->until: one recording after the other. */
int skein_record_repeat(const struct skein_record_opts *opts);

#endif
