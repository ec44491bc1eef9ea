/* QEMU options and devices that a recording cannot have. */
#ifndef SKEIN_CLI_QEMU_REFUSE_H
#define SKEIN_CLI_QEMU_REFUSE_H

#include "pipeline/error.h"

/* Looks through the user's own QEMU arguments. -EINVAL: one of them, named, with the reason. */
int skein_qemu_refuse(char *const *args, struct skein_error *err);

#endif
