#include "cli/checkpoint_print.h"

#include <inttypes.h>

void skein_checkpoint_print_text(FILE *out, const struct skein_checkpoint_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        const struct skein_checkpoint_info *c = &list->items[i];
        fprintf(out, "  %-10s %06" PRIu64 ": ", "checkpoint", c->number);
        if (c->ok)
            fprintf(out,
                    "slice %" PRIu64 ", icount %" PRIu64 ", %" PRIu64 " bytes; pages %" PRIu64
                    ": %" PRIu64 " stored, %" PRIu64 " shared, %" PRIu64 " zero\n",
                    c->cut.slices, c->cut.icount, c->size_bytes, c->pages, c->pages_stored,
                    c->pages_shared, c->pages_zero);
        else
            fprintf(out, "cannot be used: %s\n", c->error.text);
    }
}

static void json_cut(struct skein_json *j, const struct skein_checkpoint_cut *cut) {
    skein_json_u64(j, "icount", cut->icount);
    skein_json_u64(j, "slices", cut->slices);
    skein_json_u64(j, "console_bytes", cut->console_bytes);
    skein_json_open(j, "ticks", '[');
    for (uint32_t i = 0; i < cut->clock.shard_count; i++)
        skein_json_u64(j, NULL, cut->clock.tick[i]);
    skein_json_close(j, ']');
    skein_json_open(j, "vcpu_icounts", '[');
    for (uint32_t i = 0; i < cut->vcpu_count; i++)
        skein_json_u64(j, NULL, cut->vcpu[i].icount);
    skein_json_close(j, ']');
}

void skein_checkpoint_print_json(struct skein_json *j, const struct skein_checkpoint_list *list) {
    skein_json_open(j, "checkpoints", '[');
    for (size_t i = 0; i < list->count; i++) {
        const struct skein_checkpoint_info *c = &list->items[i];
        skein_json_open(j, NULL, '{');
        skein_json_u64(j, "number", c->number);
        skein_json_bool(j, "ok", c->ok);
        if (!c->ok)
            skein_json_string(j, "problem", c->error.text);
        if (c->cut.vcpu_count > 0) {
            json_cut(j, &c->cut);
            skein_json_u64(j, "bytes", c->size_bytes);
            skein_json_u64(j, "raw_bytes", c->raw_bytes);
            skein_json_u64(j, "pages", c->pages);
            skein_json_u64(j, "pages_stored", c->pages_stored);
            skein_json_u64(j, "pages_shared", c->pages_shared);
            skein_json_u64(j, "pages_zero", c->pages_zero);
        }
        skein_json_close(j, '}');
    }
    skein_json_close(j, ']');
}
