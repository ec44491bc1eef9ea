/* The guest's console on our own: output to stdout, the keyboard to the guest. */
#ifndef SKEIN_CLI_CONSOLE_H
#define SKEIN_CLI_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/progress.h"

struct skein_console {
    struct skein_progress *progress; /* cleared before output, so that the two do not mix */
    bool quiet;                      /* show nothing */
    bool keyboard;                   /* stdin is a terminal and belongs to the guest */
};

/* Puts a terminal on stdin into raw mode (Ctrl-C keeps working) until skein_console_close(). */
void skein_console_open(struct skein_console *c, struct skein_progress *progress, bool quiet,
                        bool keyboard);
void skein_console_close(struct skein_console *c);

void skein_console_show(struct skein_console *c, const char *bytes, size_t len);

/* Hands what was typed to the guest; what it does not take at once is lost, as on a real line. */
void skein_console_type(struct skein_console *c, int guest_fd);

#endif
