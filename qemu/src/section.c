/* Sections of a machine's state, written and read: see section.h. */
#include "accel/tcg/skein/section.h"

#define NAME_MAX_BYTES 256

void skein_section_put(FILE *f, uint32_t type, const char *name, const void *prefix,
                       size_t prefix_bytes, const void *data, size_t bytes)
{
    struct skein_section s = {type, strlen(name), prefix_bytes + bytes};

    fwrite(&s, sizeof(s), 1, f);
    fwrite(name, 1, s.name_bytes, f);
    fwrite(prefix, 1, prefix_bytes, f);
    fwrite(data, 1, bytes, f);
}

bool skein_section_get(FILE *f, void *to, size_t bytes)
{
    return bytes == 0 || fread(to, bytes, 1, f) == 1;
}

bool skein_section_next(FILE *f, struct skein_section *s, char *name)
{
    if (!skein_section_get(f, s, sizeof(*s)) || s->name_bytes >= NAME_MAX_BYTES ||
        !skein_section_get(f, name, s->name_bytes)) {
        return false;
    }
    name[s->name_bytes] = '\0';
    return true;
}
