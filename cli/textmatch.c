#include "cli/textmatch.h"

#include <assert.h>
#include <string.h>

/* Knuth, Morris and Pratt: back[i] is the longest proper border of the text's first i + 1 bytes. */
void skein_textmatch_init(struct skein_textmatch *m, const char *text) {
    *m = (struct skein_textmatch){.text = text, .len = strlen(text)};
    assert(m->len >= 1 && m->len <= SKEIN_TEXT_MAX);
    unsigned char border = 0;
    for (size_t i = 1; i < m->len; i++) {
        while (border > 0 && text[i] != text[border])
            border = m->back[border - 1];
        if (text[i] == text[border])
            border++;
        m->back[i] = border;
    }
}

bool skein_textmatch_feed(struct skein_textmatch *m, const char *bytes, size_t len, size_t *used) {
    for (size_t i = 0; i < len; i++) {
        while (m->matched > 0 && bytes[i] != m->text[m->matched])
            m->matched = m->back[m->matched - 1];
        if (bytes[i] == m->text[m->matched])
            m->matched++;
        if (m->matched == m->len) {
            m->matched = m->back[m->len - 1];
            *used = i + 1;
            return true;
        }
    }
    *used = len;
    return false;
}
