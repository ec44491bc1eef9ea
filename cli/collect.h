/*
 * skein collect: the recording of a VM whose QEMU has started us (rr_record in its monitor). We
 * tell QEMU, one JSON object per line:
 *
 *   {"session":…,"snapshot":…,"console":…,"path":…}   where it is; QEMU begins
 *   {"error":…}                                       nothing was made
 *   {"end":true}                                      end the recording
 *   {"path":…,"complete":…,"reason":…,"events":…,"bytes":…,"slices":…}   it is on disk
 *
 * QEMU says nothing: it writes into the session, or closes the socket before it has begun.
 */
#ifndef SKEIN_CLI_COLLECT_H
#define SKEIN_CLI_COLLECT_H

#include "cli/stage.h"
#include "pipeline/manifest.h"

/* All return 0 or -errno: QEMU is gone. */
int skein_collect_tell_session(int fd, const struct skein_stage *stage, const char *dir);
int skein_collect_tell_error(int fd, const char *text);
int skein_collect_tell_end(int fd, const char *dir, const struct skein_manifest *m);

#endif
