/* Directories, sessions and recordings for the tests. */
#ifndef SKEIN_TESTS_PIPELINE_FIXTURE_H
#define SKEIN_TESTS_PIPELINE_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/collector.h"
#include "pipeline/manifest.h"
#include "pipeline/session_map.h"
#include "tests/pipeline/events.h"

/* A new empty directory; fixture_remove() takes it away with all that is in it. */
void fixture_dir(char path[256]);
void fixture_remove(const char *path);

/* The manifest of a recording with that many shards and a UUID that never changes. */
struct skein_manifest fixture_manifest(uint32_t shard_count);

/* A session of its own path for that manifest, with the smallest rings. */
struct skein_session *fixture_session(const struct skein_manifest *m, enum skein_mode mode);

/* Makes a recording in `dir` (empty so far) of the first `count` events of the history. */
void fixture_record(const char *dir, const struct history *h, size_t count, uint64_t block_bytes,
                    uint64_t segment_bytes);

/* Makes a shard's marks right again after somebody has changed its ring or positions. */
void fixture_restamp(void *shard);

/* A whole file; free it. */
uint8_t *fixture_read(const char *path, size_t *bytes);
void fixture_write(const char *path, const uint8_t *bytes, size_t n);

#endif
