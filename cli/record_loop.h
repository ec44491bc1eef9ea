/* Watching over a guest while it is recorded. */
#ifndef SKEIN_CLI_RECORD_LOOP_H
#define SKEIN_CLI_RECORD_LOOP_H

#include "cli/console.h"
#include "cli/progress.h"
#include "cli/record.h"
#include "cli/stage.h"
#include "cli/vm.h"

struct skein_record_loop {
    const struct skein_record_opts *opts;
    struct skein_stage *stage;
    struct skein_collector *collector;
    struct skein_vm *vm;
    int signal_fd;
    const char *add_object; /* QMP command that starts the recorder, for --start console:TEXT */
    /* Called once, when the recording has begun and the snapshot is on its file. */
    void (*on_running)(void *opaque);
    void *opaque;

    /* What came of it. */
    bool began;
    bool interrupted; /* by SIGINT or SIGTERM */
    bool timed_out;
    struct skein_until_watch watch;
    struct skein_error error; /* the recorder or QEMU refused; text is empty otherwise */
};

/* Returns when QEMU has ended, or when the recording of a VM that is not our own has. */
void skein_record_loop_run(struct skein_record_loop *l);

#endif
