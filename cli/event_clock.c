#include "cli/event_clock.h"

#include <string.h>

void skein_event_clock_init(struct skein_event_clock *c, const struct skein_manifest *manifest) {
    memset(c, 0, sizeof(*c));
    skein_timebase_init(&c->base, manifest);
}
