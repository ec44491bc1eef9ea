/* The names of spans, numbered as they are met. A name is of the type that it was first met as. */
#ifndef SKEIN_CLI_SPAN_NAMES_H
#define SKEIN_CLI_SPAN_NAMES_H

#include "cli/span.h"

/* More than event_names.h can give. */
#define SKEIN_SPAN_NAMES_MAX 8192u

struct skein_span_name {
    const char *text; /* not ours */
    enum skein_span_type type;
};

struct skein_span_names {
    struct skein_span_name v[SKEIN_SPAN_NAMES_MAX];
    uint32_t count;
    uint32_t slots[2 * SKEIN_SPAN_NAMES_MAX]; /* by hash of the text: number + 1; 0: empty */
};

/* The number of a name, old or new; of too many, the last one. */
uint32_t skein_span_names_number(struct skein_span_names *names, const char *text,
                                 enum skein_span_type type);

#endif
