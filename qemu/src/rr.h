/*
 * Recordings that QEMU's own user begins (rr_record): QEMU starts `skein collect` for each, which
 * makes the session and writes the recording. Main loop only.
 */
#ifndef ACCEL_TCG_SKEIN_RR_H
#define ACCEL_TCG_SKEIN_RR_H

#include "qapi/qapi-types-skein-target.h"

/* The recording has begun, in folder path; or not, with an error that the callee frees. */
typedef void SkeinRrBegun(void *opaque, const char *path, Error *err);
/* It is on disk, or the collector has died. */
typedef void SkeinRrEnded(void *opaque, const SkeinRecording *recording);

/* Both return false when there is nothing to wait for; the callback comes later otherwise. */
bool skein_rr_begin(const char *name, SkeinRrBegun *begun, void *opaque, Error **errp);
bool skein_rr_end(SkeinRrEnded *ended, void *opaque, Error **errp);

/* Blocks until the callback has been called, for who cannot wait otherwise. */
void skein_rr_wait(void);

#endif
