/* Expanding a checkpoint: what each page is in the end, and where it comes from. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/checkpoint_expand_private.h"

static int out_of_memory(struct skein_error *err) {
    return skein_error_set(err, -ENOMEM, "out of memory");
}

/* What each page is in the end, by the tables of all checkpoints up to the last one. */
static int overlay(struct skein_expansion *x, struct skein_checkpoint_file *f,
                   struct skein_error *err) {
    struct skein_checkpoint_table table;
    const int rc = skein_checkpoint_file_table(f, &table, err);

    if (rc != 0) {
        skein_checkpoint_advise(f->header.number, err);
        return rc;
    }
    skein_checkpoint_file_rest(f);
    for (size_t i = 0; i < table.run_count; i++) {
        const struct skein_page_run *r = &table.runs[i];
        struct skein_expand_page *p = &x->pages[x->first_page[r->block] + r->page];
        for (uint64_t k = 0; k < r->pages; k++) {
            p[k].content = r->content == SKEIN_CONTENT_ZERO ? r->content : r->content + k;
        }
    }
    skein_checkpoint_table_free(&table);
    return 0;
}

static int overlay_all(struct skein_expansion *x, struct skein_error *err) {
    const struct skein_checkpoint_footer *footer = &x->last->footer;
    int rc = 0;

    for (size_t i = 0; i < footer->block_count; i++) {
        x->first_page[i + 1] = x->first_page[i] + footer->blocks[i].bytes / SKEIN_PAGE_BYTES;
    }
    x->page_count = x->first_page[footer->block_count];
    x->pages = malloc((x->page_count + 1) * sizeof(*x->pages));
    if (x->pages == NULL) {
        return out_of_memory(err);
    }
    for (uint64_t i = 0; i < x->page_count; i++) {
        x->pages[i] = (struct skein_expand_page){.content = SKEIN_UNCHANGED};
    }
    for (size_t i = 0; i < x->chain.count && rc == 0; i++) {
        rc = overlay(x, x->chain.files[i], err);
    }
    return rc;
}

static int compare_wants(const void *a, const void *b) {
    const struct skein_expand_want *x = a, *y = b;

    if (x->content != y->content) {
        return x->content < y->content ? -1 : 1;
    }
    return x->page < y->page ? -1 : x->page > y->page;
}

static int list_wants(struct skein_expansion *x, struct skein_error *err) {
    uint64_t count = 0;

    for (uint64_t i = 0; i < x->page_count; i++) {
        count += x->pages[i].content < SKEIN_UNCHANGED;
    }
    x->wants = malloc((count + 1) * sizeof(*x->wants));
    if (x->wants == NULL) {
        return out_of_memory(err);
    }
    for (uint64_t i = 0; i < x->page_count; i++) {
        if (x->pages[i].content < SKEIN_UNCHANGED) {
            x->wants[x->want_count++] = (struct skein_expand_want){x->pages[i].content, i};
        }
    }
    qsort(x->wants, x->want_count, sizeof(*x->wants), compare_wants);
    return 0;
}

int skein_expansion_plan(struct skein_expansion *x, struct skein_error *err) {
    const int rc = overlay_all(x, err);

    return rc != 0 ? rc : list_wants(x, err);
}

/* The snapshot's pages that now stand elsewhere. */
static int place_kept(struct skein_expansion *x, struct skein_error *err) {
    size_t i = 0;
    int rc = 0;

    for (size_t k = 0; k < x->kept_count && rc == 0; k++) {
        const struct skein_kept_page *kept = &x->kept[k];
        while (x->wants[i].content != kept->content) {
            i++;
        }
        for (; i < x->next_want && x->wants[i].content == kept->content && rc == 0; i++) {
            rc = skein_expansion_put_at(x, kept->bytes, SKEIN_PAGE_BYTES,
                                        x->pages[x->wants[i].page].place, err);
        }
    }
    return rc;
}

/* How many wants from i on are neighbours, in the chunk that ends before `end` and in the file. */
static size_t neighbours(const struct skein_expansion *x, size_t i, uint64_t end) {
    const struct skein_expand_want *w = &x->wants[i];
    size_t n = 1;

    while (i + n < x->want_count && w[n].content == w->content + n && w[n].content < end &&
           x->pages[w[n].page].place == x->pages[w->page].place + n * SKEIN_PAGE_BYTES) {
        n++;
    }
    return n;
}

/* Those that are in one chunk of the file; *i goes on behind them. */
static int place_chunk(struct skein_expansion *x, struct skein_checkpoint_file *f, size_t *i,
                       struct skein_error *err) {
    const uint64_t first = f->footer.first_content,
                   chunk = (x->wants[*i].content - first) / SKEIN_CHECKPOINT_CHUNK_PAGES,
                   begin = first + chunk * SKEIN_CHECKPOINT_CHUNK_PAGES;
    uint64_t end;
    size_t bytes;
    int rc =
        skein_checkpoint_file_chunk(f, SKEIN_CHECKPOINT_CONTENTS, chunk, x->buffer, &bytes, err);

    if (rc != 0) {
        skein_checkpoint_advise(f->header.number, err);
        return rc;
    }
    end = begin + bytes / SKEIN_PAGE_BYTES;
    while (*i < x->want_count && x->wants[*i].content < end && rc == 0) {
        const size_t n = neighbours(x, *i, end);
        rc =
            skein_expansion_put_at(x, x->buffer + (x->wants[*i].content - begin) * SKEIN_PAGE_BYTES,
                                   n * SKEIN_PAGE_BYTES, x->pages[x->wants[*i].page].place, err);
        *i += n;
    }
    return rc;
}

int skein_expansion_fetch(struct skein_expansion *x, struct skein_error *err) {
    size_t i = x->next_want;
    int rc = place_kept(x, err);

    for (size_t k = 0; k < x->chain.count && rc == 0; k++) {
        struct skein_checkpoint_file *f = x->chain.files[k];
        const uint64_t end = f->footer.first_content + skein_checkpoint_contents(&f->footer);
        while (i < x->want_count && x->wants[i].content < end && rc == 0) {
            rc = place_chunk(x, f, &i, err);
        }
        skein_checkpoint_file_rest(f);
    }
    return rc;
}
