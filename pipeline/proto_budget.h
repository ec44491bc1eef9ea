/*
 * Memory for unpacking a protobuf message, up to a limit: two bytes of a damaged or hostile message
 * can ask for hundreds. Beyond it, unpacking fails like a message that cannot be parsed.
 */
#ifndef SKEIN_PIPELINE_PROTO_BUDGET_H
#define SKEIN_PIPELINE_PROTO_BUDGET_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

struct skein_proto_budget {
    ProtobufCAllocator allocator; /* what it gives is malloc's: unpacked messages outlive it */
    size_t left_bytes;
};

void skein_proto_budget_init(struct skein_proto_budget *budget, size_t bytes);

#endif
