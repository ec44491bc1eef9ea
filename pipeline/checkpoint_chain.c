#include "pipeline/checkpoint_chain.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/recording_private.h"

/* Beside the guest's memory: video memory, ROMs. */
#define OTHER_RAM_BYTES (UINT64_C(1) << 30)

static bool clock_reached(const struct skein_clock *a, const struct skein_clock *b) {
    const enum skein_clock_order order = skein_clock_compare(a, b);

    return order == SKEIN_CLOCK_BEFORE || order == SKEIN_CLOCK_EQUAL;
}

bool skein_checkpoint_cut_reached(const struct skein_checkpoint_cut *a,
                                  const struct skein_checkpoint_cut *b) {
    for (uint32_t i = 0; i < a->vcpu_count; i++) {
        if (b->vcpu[i].icount < a->vcpu[i].icount) {
            return false;
        }
    }
    return clock_reached(&a->clock, &b->clock) && a->slices <= b->slices &&
           a->console_bytes <= b->console_bytes;
}

bool skein_checkpoint_cut_same(const struct skein_checkpoint_cut *a,
                               const struct skein_checkpoint_cut *b) {
    bool same = a->vcpu_count == b->vcpu_count && a->released_shard == b->released_shard &&
                a->released_tick == b->released_tick && a->slices == b->slices &&
                a->console_bytes == b->console_bytes && a->console_hash == b->console_hash &&
                a->ram_digest == b->ram_digest &&
                skein_clock_compare(&a->clock, &b->clock) == SKEIN_CLOCK_EQUAL;

    for (uint32_t i = 0; i < a->vcpu_count && same; i++) {
        same = a->vcpu[i].icount == b->vcpu[i].icount && a->vcpu[i].digest == b->vcpu[i].digest &&
               a->vcpu[i].in_kernel == b->vcpu[i].in_kernel;
    }
    return same;
}

bool skein_checkpoint_is_within(const struct skein_checkpoint_cut *cut,
                                const struct skein_clock *end) {
    return clock_reached(&cut->clock, end);
}

bool skein_checkpoint_is_reached(const struct skein_recording *rec,
                                 const struct skein_checkpoint_cut *cut) {
    struct skein_clock end;

    skein_clock_init(&end, cut->clock.shard_count);
    if (rec->segment_count != 0) {
        memcpy(end.tick, rec->segments[rec->segment_count - 1]->clock_end, sizeof(end.tick));
    }
    return skein_checkpoint_is_within(cut, &end);
}

static bool same_blocks(const struct skein_checkpoint_footer *a, const struct skein_raw_block *b,
                        size_t count) {
    bool same = a->block_count == count;

    for (size_t i = 0; i < count && same; i++) {
        same = skein_raw_block_same(&a->blocks[i], &b[i]);
    }
    return same;
}

/* The header of the one before names the same number of vCPUs: both are this recording's. */
int skein_checkpoint_follows(const struct skein_checkpoint_file *f,
                             const struct skein_checkpoint_file *before,
                             const struct skein_manifest *manifest, struct skein_error *err) {
    const uint64_t xxh64 = before != NULL ? before->footer_xxh64 : manifest->snapshot.xxh64;

    if (f->header.before_xxh64 == xxh64 &&
        (before == NULL ||
         (skein_checkpoint_cut_reached(&before->header.cut, &f->header.cut) &&
          same_blocks(&f->footer, before->footer.blocks, before->footer.block_count) &&
          f->footer.first_content ==
              before->footer.first_content + skein_checkpoint_contents(&before->footer)))) {
        return 0;
    }
    return skein_error_set(err, -EBADMSG, "%s does not follow %s", f->path,
                           before != NULL ? before->path : "the snapshot of this recording");
}

void skein_checkpoint_advise(uint64_t bad, struct skein_error *err) {
    struct skein_error said;

    if (err == NULL) {
        return;
    }
    said = *err;
    if (bad <= 1) {
        skein_error_set(err, 0, "%.420s; the snapshot, where it begins, can be used", said.text);
    } else {
        skein_error_set(err, 0, "%.420s; checkpoint %" PRIu64 " can be used", said.text, bad - 1);
    }
}

int skein_checkpoint_chain_open(const char *dir, const struct skein_manifest *manifest,
                                uint64_t last, struct skein_checkpoint_chain *chain,
                                struct skein_error *err) {
    struct skein_checkpoint_file *before = NULL;
    int rc = 0;

    *chain = (struct skein_checkpoint_chain){.count = 0};
    for (uint64_t n = 1; n <= last; n++) {
        struct skein_checkpoint_file **grown =
            realloc(chain->files, (chain->count + 1) * sizeof(*grown));
        if (grown == NULL) {
            rc = skein_error_set(err, -ENOMEM, "out of memory");
            break;
        }
        chain->files = grown;
        rc = skein_checkpoint_file_open(dir, manifest, n, &grown[chain->count], err);
        if (rc == 0) {
            chain->count++;
            rc = skein_checkpoint_follows(grown[n - 1], before, manifest, err);
            before = grown[n - 1];
        }
        if (rc != 0) {
            skein_checkpoint_advise(n, err);
            break;
        }
    }
    if (rc != 0) {
        skein_checkpoint_chain_close(chain);
    }
    return rc;
}

void skein_checkpoint_chain_close(struct skein_checkpoint_chain *chain) {
    for (size_t i = 0; i < chain->count; i++) {
        skein_checkpoint_file_close(chain->files[i]);
    }
    free(chain->files);
    *chain = (struct skein_checkpoint_chain){.count = 0};
}

int skein_checkpoint_chain_fits(const struct skein_checkpoint_chain *chain,
                                const struct skein_raw_block *blocks, size_t block_count,
                                uint64_t contents, struct skein_error *err) {
    const struct skein_checkpoint_file *first = chain->files[0];

    if (same_blocks(&first->footer, blocks, block_count) &&
        first->footer.first_content == contents) {
        return 0;
    }
    skein_error_set(err, -EBADMSG, "%s does not fit the snapshot", first->path);
    skein_checkpoint_advise(1, err);
    return -EBADMSG;
}

int skein_checkpoint_chain_small(const struct skein_checkpoint_chain *chain,
                                 const struct skein_manifest *manifest, struct skein_error *err) {
    uint64_t bytes = 0;

    for (size_t i = 0; chain->count != 0 && i < chain->files[0]->footer.block_count; i++) {
        bytes += chain->files[0]->footer.blocks[i].bytes;
    }
    if (bytes <= manifest->memory_bytes + OTHER_RAM_BYTES) {
        return 0;
    }
    skein_error_set(err, -EBADMSG, "%s is of a machine with more memory", chain->files[0]->path);
    skein_checkpoint_advise(1, err);
    return -EBADMSG;
}

uint64_t skein_checkpoint_name_number(const char *name) {
    char *rest;
    const uint64_t number = strtoull(name, &rest, 10);

    return name[0] >= '0' && name[0] <= '9' && rest - name >= 6 && strcmp(rest, ".skc") == 0
               ? number
               : 0;
}

int skein_checkpoint_last(const char *dir, uint64_t *last, struct skein_error *err) {
    char path[PATH_MAX];
    const struct dirent *entry;
    DIR *d;

    *last = 0;
    snprintf(path, sizeof(path), "%s/" SKEIN_CHECKPOINTS_NAME, dir);
    d = opendir(path);
    if (d == NULL) {
        return errno == ENOENT ? 0 : skein_error_sys(err, -errno, "cannot read %s", path);
    }
    while ((entry = readdir(d)) != NULL) {
        const uint64_t number = skein_checkpoint_name_number(entry->d_name);
        if (*last < number) {
            *last = number;
        }
    }
    closedir(d);
    return 0;
}
