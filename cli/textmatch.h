/* Finds a text in a stream that arrives in pieces. */
#ifndef SKEIN_CLI_TEXTMATCH_H
#define SKEIN_CLI_TEXTMATCH_H

#include <stdbool.h>
#include <stddef.h>

#define SKEIN_TEXT_MAX 255u

struct skein_textmatch {
    const char *text; /* not copied; 1 … SKEIN_TEXT_MAX bytes */
    size_t len;
    size_t matched;                     /* of the text, by the end of what was fed */
    unsigned char back[SKEIN_TEXT_MAX]; /* where to go on after a mismatch */
};

void skein_textmatch_init(struct skein_textmatch *m, const char *text);

/* True once the text has been completed in these bytes; *used: bytes up to and with its last. */
bool skein_textmatch_feed(struct skein_textmatch *m, const char *bytes, size_t len, size_t *used);

#endif
