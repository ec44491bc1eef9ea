/* Which QEMU, and can it record? */
#ifndef SKEIN_CLI_QEMU_PROBE_H
#define SKEIN_CLI_QEMU_PROBE_H

#include <stddef.h>

#include "pipeline/error.h"

/* The user's choice, or SKEIN_QEMU. -ENOENT: neither. */
int skein_qemu_find(const char *chosen, const char **qemu, struct skein_error *err);

/* Asks it for its objects. -ENOTSUP: it runs, and has no object of that name. */
int skein_qemu_has_object(const char *qemu, const char *object, struct skein_error *err);

/* The user's choice, or SKEIN_QEMU, if it can replay. */
int skein_qemu_find_replayer(const char *chosen, const char **qemu, struct skein_error *err);

/* "10.0.13 (…)". */
int skein_qemu_version(const char *qemu, char *version, size_t size, struct skein_error *err);

#endif
