/* The snapshot of a recording: QEMU writes and reads it raw, the recording keeps it compressed. */
#ifndef SKEIN_PIPELINE_SNAPSHOT_FILE_H
#define SKEIN_PIPELINE_SNAPSHOT_FILE_H

#include <stdint.h>

#include "pipeline/error.h"
#include "pipeline/manifest.h"

/* raw_path → DIR/snapshot.zst (one zstd frame); fills path, size and checksum of the result. */
int skein_snapshot_compress(const char *raw_path, const char *dir, struct skein_manifest_file *file,
                            uint64_t *raw_bytes, struct skein_error *err);

/* DIR/snapshot.zst → raw_path, verifying size and checksum against the manifest on the way. */
int skein_snapshot_expand(const char *dir, const struct skein_manifest *manifest,
                          const char *raw_path, struct skein_error *err);

#endif
