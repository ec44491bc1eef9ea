/* One sentence for the user, beside the negative errno that a function returns. */
#ifndef SKEIN_PIPELINE_ERROR_H
#define SKEIN_PIPELINE_ERROR_H

struct skein_error {
    char text[512];
};

/* Formats the sentence (no newline, no full stop) and returns code. err may be NULL. */
int skein_error_set(struct skein_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, followed by ": " and strerror(-code). */
int skein_error_sys(struct skein_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __clang_analyzer__
/* The analyzer sees one file at a time; what it needs to know is that the code comes back. */
static inline int skein_error_code(struct skein_error *err, int code, const char *format, ...) {
    (void)err;
    (void)format;
    return code;
}
#define skein_error_set(err, code, ...) skein_error_code(err, code, __VA_ARGS__)
#define skein_error_sys(err, code, ...) skein_error_code(err, code, __VA_ARGS__)
#endif

#endif
