/*
 * A replay under a debugger: what gdb's stub and the monitors ask for. All of it belongs to the
 * main loop's thread, with the big QEMU lock, unless said.
 */
#ifndef ACCEL_TCG_SKEIN_DEBUG_H
#define ACCEL_TCG_SKEIN_DEBUG_H

#include "accel/tcg/skein/hooks.h"

enum skein_debug_how {
    SKEIN_DEBUG_CONTINUE,
    SKEIN_DEBUG_STEP, /* one instruction of a vCPU */
    SKEIN_DEBUG_REVERSE_CONTINUE,
    SKEIN_DEBUG_REVERSE_STEP,
};

/* A debugger may look at this replay: bool skein_debugging(void), in hooks.h. */
/* What is to be done when the VM is started next; without it, it continues. */
void skein_debug_next(enum skein_debug_how how, CPUState *cpu);
/* The vCPU that executes next. */
CPUState *skein_debug_cpu(void);
/* What gdb's stop reply says of the recording's ends: "replaylog:end;" …, or nothing. */
const char *skein_debug_stop_reply(void);
/* What a vCPU does, in a word or two; to be freed with g_free(). */
char *skein_debug_describe(CPUState *cpu);
/* Carries out one command (`monitor skein …`); returns what to print, to be freed with g_free(). */
char *skein_debug_command(const char *line);

#endif
