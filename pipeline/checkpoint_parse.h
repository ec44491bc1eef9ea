/* The messages of a packed checkpoint (proto/skein.proto), to and from what they say. */
#ifndef SKEIN_PIPELINE_CHECKPOINT_PARSE_H
#define SKEIN_PIPELINE_CHECKPOINT_PARSE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/checkpoint_file.h"

const ProtobufCMessageDescriptor *skein_checkpoint_header_type(void);
const ProtobufCMessageDescriptor *skein_checkpoint_footer_type(void);

/* The header's frame, malloc'ed. -ENOMEM. */
int skein_checkpoint_header_build(const struct skein_checkpoint_header *header, uint8_t **frame,
                                  size_t *bytes);

/* -EBADMSG: it says what cannot be. */
int skein_checkpoint_header_parse(const ProtobufCMessage *message,
                                  struct skein_checkpoint_header *header);

int skein_checkpoint_footer_build(const struct skein_checkpoint_header *header,
                                  uint64_t header_xxh64,
                                  const struct skein_checkpoint_footer *footer, uint8_t **frame,
                                  size_t *bytes);

/* That of this header. The chunks have no offsets yet; free them. -ENOMEM. */
int skein_checkpoint_footer_parse(const ProtobufCMessage *message,
                                  const struct skein_checkpoint_header *header,
                                  uint64_t header_xxh64, struct skein_checkpoint_footer *footer);

#endif
