/* The page without a recording, as the build puts it together: before the data, and after it. */
#ifndef SKEIN_CLI_TIMELINE_TEMPLATE_H
#define SKEIN_CLI_TIMELINE_TEMPLATE_H

#include <stddef.h>

extern const unsigned char skein_timeline_head[];
extern const size_t skein_timeline_head_bytes;
extern const unsigned char skein_timeline_tail[];
extern const size_t skein_timeline_tail_bytes;

#endif
