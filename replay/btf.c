#include "replay/btf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0xeb9fu
#define HEADER_BYTES 24u
#define TYPE_BYTES 12u
#define MEMBER_BYTES 12u
#define POINTER_BYTES 8u
#define MAX_DEPTH 16u
#define MAX_STEPS (1u << 20) /* of one question: what nests may be a maze */

enum kind {
    INT = 1,
    PTR,
    ARRAY,
    STRUCT,
    UNION,
    ENUM,
    FWD,
    TYPEDEF,
    VOLATILE,
    CONST,
    RESTRICT,
    FUNC,
    FUNC_PROTO,
    VAR,
    DATASEC,
    FLOAT,
    DECL_TAG,
    TYPE_TAG,
    ENUM64
};

struct type {
    enum kind kind;
    bool kind_flag;
    uint32_t name, members, size_or_type;
    const uint8_t *rest;
};

static uint32_t u32_at(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* What follows a type's three words. -1: an unknown kind, behind which nothing can be found. */
static int64_t rest_bytes(enum kind kind, uint32_t members) {
    switch (kind) {
    case INT:
    case VAR:
    case DECL_TAG:
        return 4;
    case ARRAY:
        return 12;
    case STRUCT:
    case UNION:
    case DATASEC:
    case ENUM64:
        return (int64_t)members * MEMBER_BYTES;
    case ENUM:
    case FUNC_PROTO:
        return (int64_t)members * 8;
    case PTR:
    case FWD:
    case TYPEDEF:
    case VOLATILE:
    case CONST:
    case RESTRICT:
    case FUNC:
    case FLOAT:
    case TYPE_TAG:
        return 0;
    default:
        return -1;
    }
}

static struct type parse(const uint8_t *p) {
    const uint32_t info = u32_at(p + 4);
    return (struct type){
        .kind = (enum kind)((info >> 24) & 0x1f),
        .kind_flag = (info >> 31) != 0,
        .name = u32_at(p),
        .members = info & 0xffff,
        .size_or_type = u32_at(p + 8),
        .rest = p + TYPE_BYTES,
    };
}

/* Counts the types, and with starts notes where each begins. False: they do not fit. */
static bool scan(struct skein_btf *btf, uint32_t *starts) {
    size_t at = 0;
    for (btf->count = 0; at < btf->types_bytes; btf->count++) {
        struct type t;
        int64_t rest;
        if (btf->types_bytes - at < TYPE_BYTES)
            return false;
        t = parse(btf->types + at);
        rest = rest_bytes(t.kind, t.members);
        if (rest < 0 || (uint64_t)rest > btf->types_bytes - at - TYPE_BYTES)
            return false;
        if (starts != NULL)
            starts[btf->count] = (uint32_t)at;
        at += TYPE_BYTES + (size_t)rest;
    }
    return true;
}

static bool open_sections(const uint8_t *p, size_t bytes, struct skein_btf *btf) {
    uint32_t magic = 0;
    uint64_t header, types, types_bytes, strings, strings_bytes;
    if (bytes < HEADER_BYTES)
        return false;
    memcpy(&magic, p, 2);
    header = u32_at(p + 4);
    types = header + u32_at(p + 8);
    types_bytes = u32_at(p + 12);
    strings = header + u32_at(p + 16);
    strings_bytes = u32_at(p + 20);
    if (magic != MAGIC || header < HEADER_BYTES || types + types_bytes > bytes ||
        strings + strings_bytes > bytes || strings_bytes == 0 ||
        p[strings + strings_bytes - 1] != '\0')
        return false;
    btf->types = p + types;
    btf->types_bytes = (size_t)types_bytes;
    btf->strings = (const char *)p + strings;
    btf->strings_bytes = (size_t)strings_bytes;
    return scan(btf, NULL) && btf->count > 0;
}

int skein_btf_open(const void *data, size_t bytes, struct skein_btf *btf) {
    struct skein_btf found = {0};
    *btf = found;
    if (!open_sections(data, bytes, &found))
        return -EBADMSG;
    found.starts = malloc(found.count * sizeof(*found.starts));
    if (found.starts == NULL)
        return -ENOMEM;
    scan(&found, found.starts);
    *btf = found;
    return 0;
}

void skein_btf_close(struct skein_btf *btf) {
    free(btf->starts);
    *btf = (struct skein_btf){0};
}

static bool type_of(const struct skein_btf *btf, uint32_t id, struct type *t) {
    if (id == 0 || id > btf->count)
        return false;
    *t = parse(btf->types + btf->starts[id - 1]);
    return true;
}

static bool named(const struct skein_btf *btf, uint32_t name, const char *wanted, size_t bytes) {
    return name < btf->strings_bytes && strncmp(btf->strings + name, wanted, bytes) == 0 &&
           btf->strings[name + bytes] == '\0';
}

static bool nameless(const struct skein_btf *btf, uint32_t name) {
    return name < btf->strings_bytes && btf->strings[name] == '\0';
}

/* Without typedefs and qualifiers. */
static bool plain_type(const struct skein_btf *btf, uint32_t id, struct type *t) {
    for (unsigned depth = 0; depth < MAX_DEPTH; depth++) {
        if (!type_of(btf, id, t))
            return false;
        if (t->kind != TYPEDEF && t->kind != VOLATILE && t->kind != CONST && t->kind != RESTRICT &&
            t->kind != TYPE_TAG)
            return true;
        id = t->size_or_type;
    }
    return false;
}

static uint64_t size_of(const struct skein_btf *btf, const struct type *t, unsigned depth) {
    struct type element;
    if (t->kind == PTR)
        return POINTER_BYTES;
    if (t->kind == INT || t->kind == STRUCT || t->kind == UNION || t->kind == ENUM ||
        t->kind == FLOAT || t->kind == ENUM64)
        return t->size_or_type;
    if (t->kind != ARRAY || depth >= MAX_DEPTH || !plain_type(btf, u32_at(t->rest), &element))
        return 0;
    return (uint64_t)u32_at(t->rest + 8) * size_of(btf, &element, depth + 1);
}

static void describe(const struct skein_btf *btf, const struct type *t,
                     struct skein_btf_field *field) {
    struct type element;
    field->bytes = field->element_bytes = size_of(btf, t, 0);
    if (t->kind == ARRAY)
        field->element_bytes =
            plain_type(btf, u32_at(t->rest), &element) ? size_of(btf, &element, 1) : 0;
}

/* The member's type, and its place added to the field's. */
static bool find_member(const struct skein_btf *btf, const struct type *outer, const char *name,
                        size_t name_bytes, unsigned depth, unsigned *steps, struct type *inner,
                        struct skein_btf_field *field) {
    for (uint32_t i = 0; i < outer->members && ++*steps < MAX_STEPS; i++) {
        const uint8_t *member = outer->rest + (size_t)i * MEMBER_BYTES;
        const uint32_t offset = u32_at(member + 8);
        const uint32_t bit = outer->kind_flag ? offset & 0xffffff : offset;
        const uint32_t bits = outer->kind_flag ? offset >> 24 : 0;
        const struct skein_btf_field before = *field;
        const bool found = named(btf, u32_at(member), name, name_bytes);
        if (!found && !nameless(btf, u32_at(member)))
            continue;
        if (!plain_type(btf, u32_at(member + 4), inner))
            continue;
        field->at += bit / 8;
        field->bit = bit % 8;
        field->bits = bits;
        if (found)
            return true;
        if ((inner->kind == STRUCT || inner->kind == UNION) && depth < MAX_DEPTH) {
            const struct type nested = *inner;
            if (find_member(btf, &nested, name, name_bytes, depth + 1, steps, inner, field))
                return true;
        }
        *field = before;
    }
    return false;
}

static bool find_struct(const struct skein_btf *btf, const char *name, struct type *t) {
    const size_t bytes = strlen(name);
    for (uint32_t id = 1; id <= btf->count; id++) {
        if (type_of(btf, id, t) && t->kind == STRUCT && named(btf, t->name, name, bytes))
            return true;
    }
    return false;
}

int skein_btf_member(const struct skein_btf *btf, const char *type, const char *path,
                     struct skein_btf_field *field) {
    struct type t, inner;
    unsigned steps = 0;
    *field = (struct skein_btf_field){0};
    if (!find_struct(btf, type, &t))
        return -ENOENT;
    for (;;) {
        const size_t bytes = strcspn(path, ".");
        struct type element;
        if ((t.kind != STRUCT && t.kind != UNION) ||
            !find_member(btf, &t, path, bytes, 0, &steps, &inner, field))
            return -ENOENT;
        if (path[bytes] == '\0')
            break;
        if (inner.kind == ARRAY && plain_type(btf, u32_at(inner.rest), &element))
            inner = element;
        t = inner;
        path += bytes + 1;
    }
    describe(btf, &inner, field);
    return 0;
}
