#include "pipeline/frame.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "pipeline/manifest.h"
#include "pipeline/proto_budget.h"

/* Our messages need about 8 times their size in memory: integers of one byte become 8. */
#define MEMORY_PER_BYTE 32u
#define MEMORY_MIN_BYTES (64u << 10)

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "integers are stored as they are");

int skein_frame_build(const char magic[8], const ProtobufCMessage *message, uint8_t **frame,
                      size_t *frame_bytes) {
    const uint32_t version = SKEIN_FORMAT_VERSION;
    const uint32_t length = (uint32_t)protobuf_c_message_get_packed_size(message);
    uint8_t *f = malloc(SKEIN_FRAME_OVERHEAD_BYTES + length);
    uint64_t hash;

    if (f == NULL) {
        return -ENOMEM;
    }
    memcpy(f, magic, 8);
    memcpy(f + 8, &version, 4);
    memcpy(f + 12, &length, 4);
    protobuf_c_message_pack(message, f + SKEIN_FRAME_PREFIX_BYTES);
    hash = XXH64(f, SKEIN_FRAME_PREFIX_BYTES + length, 0);
    memcpy(f + SKEIN_FRAME_PREFIX_BYTES + length, &hash, 8);
    *frame = f;
    *frame_bytes = SKEIN_FRAME_OVERHEAD_BYTES + length;
    return 0;
}

int skein_frame_prefix(const uint8_t *prefix, const char magic[8], const char *what,
                       size_t *frame_bytes, struct skein_error *err) {
    uint32_t version, length;

    memcpy(&version, prefix + 8, 4);
    memcpy(&length, prefix + 12, 4);
    if (memcmp(prefix, magic, 8) != 0) {
        return skein_error_set(err, -EINVAL, "there is no %s where one should be", what);
    }
    if (version != SKEIN_FORMAT_VERSION) {
        return skein_error_set(err, -EPROTO, "the %s is of format version %" PRIu32 ", not %u",
                               what, version, SKEIN_FORMAT_VERSION);
    }
    if (length > SKEIN_FRAME_MESSAGE_MAX) {
        return skein_error_set(err, -EBADMSG, "the %s has an impossible length", what);
    }
    *frame_bytes = SKEIN_FRAME_OVERHEAD_BYTES + length;
    return 0;
}

bool skein_frame_whole(const uint8_t *bytes, size_t n) {
    uint32_t length;
    uint64_t hash;

    if (n < SKEIN_FRAME_OVERHEAD_BYTES) {
        return false;
    }
    memcpy(&length, bytes + 12, 4);
    if (length > SKEIN_FRAME_MESSAGE_MAX || length > n - SKEIN_FRAME_OVERHEAD_BYTES) {
        return false;
    }
    memcpy(&hash, bytes + SKEIN_FRAME_PREFIX_BYTES + length, 8);
    return hash == XXH64(bytes, SKEIN_FRAME_PREFIX_BYTES + length, 0);
}

int skein_frame_parse(const uint8_t *frame, size_t frame_bytes, const char magic[8],
                      const ProtobufCMessageDescriptor *type, const char *what,
                      ProtobufCMessage **message, struct skein_error *err) {
    const size_t message_bytes = frame_bytes - SKEIN_FRAME_OVERHEAD_BYTES;
    struct skein_proto_budget budget;
    size_t expected;
    uint64_t hash;
    int rc;

    if (frame_bytes < SKEIN_FRAME_OVERHEAD_BYTES) {
        return skein_error_set(err, -EBADMSG, "the %s is cut short", what);
    }
    rc = skein_frame_prefix(frame, magic, what, &expected, err);
    if (rc != 0) {
        return rc;
    }
    if (expected != frame_bytes) {
        return skein_error_set(err, -EBADMSG, "the %s has a wrong length", what);
    }
    memcpy(&hash, frame + frame_bytes - 8, 8);
    if (hash != XXH64(frame, frame_bytes - 8, 0)) {
        return skein_error_set(err, -EBADMSG, "the %s is damaged (checksum)", what);
    }
    skein_proto_budget_init(&budget, MEMORY_MIN_BYTES + MEMORY_PER_BYTE * message_bytes);
    *message = protobuf_c_message_unpack(type, &budget.allocator, message_bytes,
                                         frame + SKEIN_FRAME_PREFIX_BYTES);
    if (*message == NULL) {
        return skein_error_set(err, -EBADMSG, "the %s cannot be parsed", what);
    }
    return 0;
}
