#include "pipeline/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int(skein_error_set)(struct skein_error *err, int code, const char *format, ...) {
    va_list args;

    if (err != NULL) {
        va_start(args, format);
        vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
    }
    return code;
}

int(skein_error_sys)(struct skein_error *err, int code, const char *format, ...) {
    va_list args;
    size_t used;

    if (err != NULL) {
        va_start(args, format);
        vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
        used = strlen(err->text);
        snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(-code));
    }
    return code;
}
