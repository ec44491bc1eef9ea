#include "cli/argv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void *need(void *p) {
    if (p == NULL) {
        fputs("skein: out of memory\n", stderr);
        exit(1);
    }
    return p;
}

void skein_argv_push(struct skein_argv *a, const char *fmt, ...) {
    if (a->count + 2 > a->room) {
        a->room = a->room * 2 + 16;
        a->v = need(realloc(a->v, a->room * sizeof(*a->v)));
    }
    va_list ap;
    va_start(ap, fmt);
    char *text = NULL;
    if (vasprintf(&text, fmt, ap) < 0)
        text = NULL;
    va_end(ap);
    a->v[a->count++] = need(text);
    a->v[a->count] = NULL;
}

void skein_argv_free(struct skein_argv *a) {
    for (size_t i = 0; i < a->count; i++)
        free(a->v[i]);
    free(a->v);
    *a = (struct skein_argv){0};
}
