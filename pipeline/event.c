#include "pipeline/event.h"

#include <stddef.h>

static const char *const kind_names[SKEIN_KIND_COUNT] = {
    [SKEIN_PAD] = "pad",
    [SKEIN_TOKEN] = "token",
    [SKEIN_ENTRY] = "entry",
    [SKEIN_INTERRUPT] = "interrupt",
    [SKEIN_VALUE] = "value",
    [SKEIN_USER_READ] = "user_read",
    [SKEIN_MEM] = "mem",
    [SKEIN_FPU] = "fpu",
    [SKEIN_DIGEST] = "digest",
    [SKEIN_PAGE_DIRTY] = "page_dirty",
    [SKEIN_PAGE_CLEAN] = "page_clean",
    [SKEIN_TLB_FLUSH] = "tlb_flush",
    [SKEIN_MARK] = "mark",
    [SKEIN_END] = "end",
};

const char *skein_kind_name(uint8_t kind) {
    return kind < SKEIN_KIND_COUNT ? kind_names[kind] : NULL;
}
