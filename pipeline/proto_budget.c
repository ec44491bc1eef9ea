#include "pipeline/proto_budget.h"

#include <stdlib.h>

static void *take(void *opaque, size_t bytes) {
    struct skein_proto_budget *budget = opaque;

    if (bytes > budget->left_bytes) {
        return NULL;
    }
    budget->left_bytes -= bytes;
    return malloc(bytes);
}

static void give_back(void *opaque, void *memory) {
    (void)opaque;
    free(memory);
}

void skein_proto_budget_init(struct skein_proto_budget *budget, size_t bytes) {
    *budget = (struct skein_proto_budget){
        .allocator = {.alloc = take, .free = give_back, .allocator_data = budget},
        .left_bytes = bytes,
    };
}
