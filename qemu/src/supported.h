/* Which devices can be recorded: those that the tests record and replay, and no others. */
#ifndef ACCEL_TCG_SKEIN_SUPPORTED_H
#define ACCEL_TCG_SKEIN_SUPPORTED_H

#include <stdbool.h>

/* type: as QEMU names it in "info qom-tree". */
bool skein_device_supported(const char *type);

#endif
