/* An argument vector that grows; every string in it is its own copy. */
#ifndef SKEIN_CLI_ARGV_H
#define SKEIN_CLI_ARGV_H

#include <stddef.h>

struct skein_argv {
    char **v; /* NULL-terminated, ready for execv */
    size_t count;
    size_t room;
};

/* Appends one argument, formatted. Ends the program when there is no memory left. */
void skein_argv_push(struct skein_argv *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void skein_argv_free(struct skein_argv *a);

#endif
