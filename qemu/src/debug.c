/*
 * A replay under a debugger.
 */
#include "qemu/osdep.h"

#include "accel/tcg/skein/debug.h"

char *skein_debug_command(const char *line)
{
    return g_strdup_printf("skein %s: not replaying under a debugger\n", line);
}
