#include "cli/span_names.h"

#include <string.h>

#define SLOTS (2 * SKEIN_SPAN_NAMES_MAX)

/* FNV-1a. */
static uint32_t hash(const char *text) {
    uint32_t h = 2166136261u;
    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    return h;
}

uint32_t skein_span_names_number(struct skein_span_names *n, const char *text,
                                 enum skein_span_type type) {
    uint32_t at = hash(text) % SLOTS;
    for (; n->slots[at] != 0; at = (at + 1) % SLOTS)
        if (strcmp(n->v[n->slots[at] - 1].text, text) == 0)
            return n->slots[at] - 1;
    if (n->count == SKEIN_SPAN_NAMES_MAX)
        return SKEIN_SPAN_NAMES_MAX - 1;
    n->v[n->count] = (struct skein_span_name){.text = text, .type = type};
    n->slots[at] = ++n->count;
    return n->count - 1;
}
