/*
 * How to unwind a kernel's stack, in DWARF's call frame information (its .debug_frame section),
 * made from the kernel's ORC tables.
 */
#ifndef SKEIN_REPLAY_FRAMES_H
#define SKEIN_REPLAY_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "replay/orc.h"

struct skein_frames {
    uint8_t *data;
    size_t bytes, room;
};

/* -ENOMEM. Without ORC tables: nothing. */
int skein_frames_make(const struct skein_orc *orc, struct skein_frames *frames);
void skein_frames_free(struct skein_frames *frames);

#endif
