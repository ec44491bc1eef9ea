/*
 * What a debugger's user asks of a replay, in words (`monitor skein …`).
 */
#ifndef ACCEL_TCG_SKEIN_DEBUG_H
#define ACCEL_TCG_SKEIN_DEBUG_H

/* Carries out one command; returns what to print, to be freed with g_free(). */
char *skein_debug_command(const char *line);

#endif
