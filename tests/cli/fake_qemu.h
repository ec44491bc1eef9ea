/*
 * A small program that stands in for QEMU in the tests of the CLI: the same command line, QMP,
 * console and session, and a made-up guest whose events are a function of the number of vCPUs.
 * With -qmp unix:PATH it is a VM that somebody runs by hand.
 *
 * FAKE_QEMU in the environment says how it misbehaves:
 *   ""         it does not
 *   norecorder -object help lists no recorder
 *   nostart    complains and exits before it opens the session
 *   refuse     the recorder refuses (FAILED, with a message), or QMP's object-add does
 *   never      the guest ends before the recording begins
 *   wait       the guest runs until it is told to stop
 *   crash      killed in mid-recording (SIGKILL to itself); in replay: by SIGSEGV, in mid-replay
 *   panic      the console shows that the kernel panics, then the guest resets; "wait-panic": then
 *              it runs until it is told to stop
 *   exit       the workload reports exit status 7
 *   third      panic in the third run; FAKE_RUNS names a file that grows by a byte with each
 *   seed       the console shows the object's chaos=
 *   diverge    replay: a divergence at vCPU 1, slice 7, tick 9
 *   console    replay: another console byte
 *   foreign    replay: refuses the snapshot as another machine's
 *   badcheckpoint  the second checkpoint is cut off (with --epoch; there are three)
 *   stock      query-skein is not known; "unsuitable": it says why not; "busy": it records already;
 *              "strange": it says what cannot be
 *   epochs,…   replay: fake_epochs.c, of what make_epochs has made. Words that follow, each with a
 *              comma: kill@N, hang@N, diverge@N, console@N, short@N in epoch N; hang, slow in all
 *              FAKE_QEMU_LOG names a file to which "begin N" and "end N" are appended
 */
#ifndef SKEIN_TESTS_CLI_FAKE_QEMU_H
#define SKEIN_TESTS_CLI_FAKE_QEMU_H

#include <stdbool.h>

#include "pipeline/session_map.h"

struct fake_object {
    char session[512];
    char snapshot[512];
    char console[512];
    char start[32];
    char chaos[32];
    char until[512];
    char checkpoints[512];
    char epoch_ms[32];
};

struct fake_qemu {
    const char *mode;
    int console_fd; /* the guest's serial line; -1: none */
    int qmp_fd;
    bool has_recorder;
    bool has_replayer;
    struct fake_object object;
    struct skein_session *session;
    const char *why_not; /* the object was refused */
};

bool fake_mode(const struct fake_qemu *q, const char *mode);

/* "KEY=VALUE" out of a comma-separated list; "" when it is not there. */
void fake_option(const char *list, const char *key, char *value, size_t size);

/* Records the made-up guest from start to end, or replays it; the exit code. */
int fake_record(struct fake_qemu *q);
int fake_replay(struct fake_qemu *q);

/* fake_epochs.c */
int fake_epoch(struct fake_qemu *q);

/* fake_checkpoints.c: with --epoch. False: without; no snapshot was made. */
bool fake_checkpoints_begin(const struct fake_qemu *q);
/* Writes the next one, which stands behind those ticks. */
void fake_checkpoints_take(const struct fake_qemu *q, const uint64_t *ticks);

/* Answers what came over QMP. True: it is time to end. added: an object-add came. */
bool fake_qmp(struct fake_qemu *q, bool *added);

#endif
