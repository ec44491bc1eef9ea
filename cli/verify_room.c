#include "cli/verify_room.h"

#include <sys/statvfs.h>

#include "pipeline/session_map.h"

/* A checkpoint holds more than the snapshot when the guest has begun to use more of its RAM. */
static uint64_t state_bytes(const struct skein_manifest *m) {
    const uint64_t grown = 2 * m->snapshot_raw_bytes;
    return m->memory_bytes != 0 && grown > m->memory_bytes ? m->memory_bytes : grown;
}

uint32_t skein_verify_room(const struct skein_verify *v, uint32_t wanted) {
    struct statvfs fs;
    uint64_t most = 1;
    if (statvfs("/dev/shm", &fs) != 0)
        return wanted;
    for (size_t i = 0; i < v->recording_count; i++) {
        const struct skein_manifest *m = &v->recordings[i].manifest;
        const uint64_t bytes =
            state_bytes(m) + skein_session_bytes(m->vcpu_count, SKEIN_SESSION_RING_BYTES);
        if (v->recordings[i].has_manifest && bytes > most)
            most = bytes;
    }
    const uint64_t fit = (uint64_t)fs.f_bavail * fs.f_frsize / most;
    return fit >= wanted ? wanted : fit > 0 ? (uint32_t)fit : 1;
}
