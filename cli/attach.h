/* A VM that somebody else runs, by the socket of its QMP monitor. */
#ifndef SKEIN_CLI_ATTACH_H
#define SKEIN_CLI_ATTACH_H

#include <stdint.h>

#include "pipeline/error.h"

/* What a recording says about its machine. */
struct skein_attached {
    int fd; /* QMP, non-blocking; capabilities are negotiated */
    char machine[128];
    char cpu[256];
    char version[128];
    uint64_t memory_bytes;
    uint32_t vcpus;
};

/*
 * Connects and asks. Errors: what connect() says, -EPROTO it is no QMP, -ENOTSUP it is not Skein's
 * QEMU, -EINVAL the VM cannot be recorded (why, and what to change), -EBUSY it is being recorded.
 */
int skein_attach_open(const char *path, struct skein_attached *a, struct skein_error *err);

#endif
