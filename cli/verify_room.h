/* How many replays at once there is memory for. */
#ifndef SKEIN_CLI_VERIFY_ROOM_H
#define SKEIN_CLI_VERIFY_ROOM_H

#include "cli/verify.h"

/*
 * As many of those wanted as /dev/shm has room for, at least one: each has there the state that its
 * QEMU loads, and a session.
 */
uint32_t skein_verify_room(const struct skein_verify *v, uint32_t wanted);

#endif
