#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 1000000u

int skein_fail(int code, const char *fmt, ...) {
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' '; /* one line, whatever a file name or QEMU's words hold */
    fflush(stdout);
    fprintf(stderr, "skein: %s\n", text);
    return code;
}

int skein_fail_option(const char *verb, char **argv, int found) {
    const char *arg = argv[optind - 1];
    if (found == ':')
        return skein_fail(SKEIN_EXIT_USAGE, "%s: %s needs a value", verb, arg);
    if (optopt != 0 && arg[0] == '-' && arg[1] != '-')
        return skein_fail(SKEIN_EXIT_USAGE, "%s: unknown option -%c (see skein help %s)", verb,
                          optopt, verb);
    return skein_fail(SKEIN_EXIT_USAGE, "%s: unknown option %s (see skein help %s)", verb, arg,
                      verb);
}

static bool parse_number(const char *text, uint64_t *value, char **end) {
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *value = strtoull(text, end, 10);
    return errno == 0;
}

bool skein_parse_size(const char *text, uint64_t *bytes) {
    static const char units[] = "KMG";
    char *end;
    if (!parse_number(text, bytes, &end))
        return false;
    unsigned shift = 0;
    if (*end != '\0') {
        const char *unit = strchr(units, toupper((unsigned char)*end));
        if (unit == NULL || end[1] != '\0')
            return false;
        shift = 10u * (unsigned)(unit - units + 1);
    }
    if (*bytes > UINT64_MAX >> shift)
        return false;
    *bytes <<= shift;
    return true;
}

bool skein_parse_u32(const char *text, uint32_t max, uint32_t *value) {
    uint64_t n;
    char *end;
    if (!parse_number(text, &n, &end) || *end != '\0' || n > max)
        return false;
    *value = (uint32_t)n;
    return true;
}

/* Digits, at most so many; their value. */
static const char *digits(const char *text, size_t max, uint32_t *value) {
    const char *at = text;
    *value = 0;
    while (*at >= '0' && *at <= '9' && (size_t)(at - text) < max)
        *value = 10 * *value + (uint32_t)(*at++ - '0');
    return at;
}

bool skein_parse_seconds(const char *text, uint32_t *ms) {
    uint32_t whole, part = 0;
    const char *at = digits(text, 7, &whole);
    if (at == text && *at != '.')
        return false;
    if (*at == '.') {
        const char *from = at + 1;
        at = digits(from, 3, &part);
        if (at == from)
            return false;
        for (ptrdiff_t n = at - from; n < 3; n++)
            part *= 10;
    }
    if (*at != '\0' || whole > SECONDS_MAX)
        return false;
    *ms = 1000 * whole + part;
    return *ms > 0;
}
