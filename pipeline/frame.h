/*
 * Frames: how a protobuf message stands in a file (proto/skein.proto has the table). Magic,
 * version, length, message, XXH64 of all that.
 */
#ifndef SKEIN_PIPELINE_FRAME_H
#define SKEIN_PIPELINE_FRAME_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/error.h"

#define SKEIN_FRAME_MANIFEST "SKNMANIF"
#define SKEIN_FRAME_SEGMENT "SKNSEGMT"
#define SKEIN_FRAME_BLOCK "SKNBLOCK"
#define SKEIN_FRAME_FOOTER "SKNFOOTR"
#define SKEIN_FRAME_CHECKPOINT "SKNCHKPT"
#define SKEIN_FRAME_CHECKPOINT_FOOTER "SKNCKFTR"

#define SKEIN_FRAME_PREFIX_BYTES 16u
#define SKEIN_FRAME_OVERHEAD_BYTES 24u
#define SKEIN_FRAME_MESSAGE_MAX (16u << 20)

/* A malloc'ed frame of the message. */
int skein_frame_build(const char magic[8], const ProtobufCMessage *message, uint8_t **frame,
                      size_t *frame_bytes);

/*
 * Checks the 16 bytes of a frame's prefix; *frame_bytes is the length of all of it. `what` names
 * the frame in the sentence. -EINVAL: another magic; -EPROTO: another version; -EBADMSG: length.
 */
int skein_frame_prefix(const uint8_t *prefix, const char magic[8], const char *what,
                       size_t *frame_bytes, struct skein_error *err);

/*
 * Whether the bytes begin with a frame whose checksum fits, of whatever version: what is refused as
 * of another version is that, and not damage.
 */
bool skein_frame_whole(const uint8_t *bytes, size_t n);

/* Checks the whole frame and unpacks its message; free with protobuf_c_message_free_unpacked(). */
int skein_frame_parse(const uint8_t *frame, size_t frame_bytes, const char magic[8],
                      const ProtobufCMessageDescriptor *type, const char *what,
                      ProtobufCMessage **message, struct skein_error *err);

#endif
