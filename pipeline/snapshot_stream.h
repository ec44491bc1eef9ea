/* DIR/snapshot.zst, expanded as it is read; its checksum is verified at the end. */
#ifndef SKEIN_PIPELINE_SNAPSHOT_STREAM_H
#define SKEIN_PIPELINE_SNAPSHOT_STREAM_H

#include <stddef.h>

#include "pipeline/error.h"
#include "pipeline/manifest.h"

struct skein_snapshot_stream;

int skein_snapshot_stream_open(const char *dir, const struct skein_manifest *manifest,
                               struct skein_snapshot_stream **out, struct skein_error *err);
void skein_snapshot_stream_close(struct skein_snapshot_stream *s);

const char *skein_snapshot_stream_path(const struct skein_snapshot_stream *s);

/* The next so many bytes; to NULL: passes over them. -ENODATA at the end, -EBADMSG damage; for
 * struct skein_raw. */
int skein_snapshot_stream_read(void *stream, void *to, size_t bytes);

/* After the last byte: whether it is the manifest's snapshot, and nothing follows. */
int skein_snapshot_stream_finish(struct skein_snapshot_stream *s, struct skein_error *err);

#endif
