/*
 * BTF, the kernel's own description of its types: where a member of a struct lies. Knows as much
 * of the format as that takes (its definition: Documentation/bpf/btf.rst in Linux).
 */
#ifndef SKEIN_REPLAY_BTF_H
#define SKEIN_REPLAY_BTF_H

#include <stddef.h>
#include <stdint.h>

struct skein_btf {
    const uint8_t *types;
    size_t types_bytes;
    const char *strings;
    size_t strings_bytes;
    uint32_t *starts; /* of type n + 1, in types */
    uint32_t count;
};

struct skein_btf_field {
    uint64_t at;            /* bytes from the start of the struct */
    uint32_t bit, bits;     /* of a bit field: within the byte at `at`; bits 0: not one */
    uint64_t bytes;         /* of the whole; 0: unknown */
    uint64_t element_bytes; /* of an array; else the same as bytes */
};

/* The bytes must outlive it. -EBADMSG: they are no BTF; -ENOMEM. It has no types then. */
int skein_btf_open(const void *data, size_t bytes, struct skein_btf *btf);
void skein_btf_close(struct skein_btf *btf);

/*
 * The member of `struct TYPE` by its path, like "mem.base"; arrays count as their first element,
 * members of nameless structs and unions as the outer one's. -ENOENT: there is none.
 */
int skein_btf_member(const struct skein_btf *btf, const char *type, const char *path,
                     struct skein_btf_field *field);

#endif
