/*
 * The machine's state as a file: where a recording begins, whole; at a checkpoint, what changed
 * since the one before. section.h has the form.
 */
#include "accel/tcg/skein/section.h"

#include "exec/target_page.h"
#include "qapi/error.h"
#include "qemu/cutils.h"

#define RUN_MAX_BYTES (1 << 20)

/* Pages that follow one another are gathered into runs. */
struct run_writer {
    FILE *f;
    RAMBlock *block; /* NULL: none yet */
    uint64_t run[2]; /* at, bytes */
};

static void flush_run(struct run_writer *w)
{
    if (w->run[1]) {
        fwrite(w->run, sizeof(w->run), 1, w->f);
        fwrite(w->block->host + w->run[0], 1, w->run[1], w->f);
        w->run[1] = 0;
    }
}

static void end_block(struct run_writer *w)
{
    static const uint64_t none[2];

    if (w->block) {
        flush_run(w);
        fwrite(none, sizeof(none), 1, w->f);
        w->block = NULL;
    }
}

static void begin_block(struct run_writer *w, RAMBlock *block)
{
    struct skein_section s = {SKEIN_SECTION_RAM, strlen(block->idstr), 0};
    uint64_t place[2] = {block->offset, block->used_length};

    end_block(w);
    w->block = block;
    fwrite(&s, sizeof(s), 1, w->f);
    fwrite(block->idstr, 1, s.name_bytes, w->f);
    fwrite(place, sizeof(place), 1, w->f);
}

static void put_page(struct run_writer *w, ram_addr_t at, size_t len)
{
    if (w->run[1] && (w->run[0] + w->run[1] != at || w->run[1] >= RUN_MAX_BYTES)) {
        flush_run(w);
    }
    if (!w->run[1]) {
        w->run[0] = at;
    }
    w->run[1] += len;
}

static void put_ram(FILE *f, RAMBlock *block)
{
    struct run_writer w = {.f = f};

    begin_block(&w, block);
    for (ram_addr_t at = 0; at < block->used_length; at += TARGET_PAGE_SIZE) {
        size_t len = MIN(TARGET_PAGE_SIZE, block->used_length - at);

        if (!buffer_is_zero(block->host + at, len)) {
            put_page(&w, at, len);
        }
    }
    end_block(&w);
}

static void put_changed(RAMBlock *block, ram_addr_t at, void *opaque)
{
    struct run_writer *w = opaque;

    if (skein_page_reaches_kernel(block->offset + at)) {
        if (w->block != block) {
            begin_block(w, block);
        }
        put_page(w, at, TARGET_PAGE_SIZE);
    }
}

static void put_head(FILE *f, uint32_t number)
{
    struct skein_state_head head = {.vcpus = skein_vm.cpu_count, .number = number};

    memcpy(head.uuid, skein_vm.session->uuid, sizeof(head.uuid));
    fwrite(SKEIN_STATE_MAGIC, 1, strlen(SKEIN_STATE_MAGIC), f);
    skein_section_put(f, SKEIN_SECTION_HEAD, "", &head, sizeof(head), NULL, 0);
}

static bool finish(FILE *f, const char *path, Error **errp)
{
    skein_section_put(f, SKEIN_SECTION_END, "", NULL, 0, NULL, 0);
    if (ferror(f) | fclose(f)) {
        error_setg(errp, "cannot write the state %s: %s", path, strerror(errno));
        return false;
    }
    return true;
}

bool skein_snapshot_save(const char *path, Error **errp)
{
    FILE *f = fopen(path, "wb");
    RAMBlock *block;

    if (!f) {
        error_setg(errp, "cannot write the snapshot %s: %s", path, strerror(errno));
        return false;
    }
    put_head(f, 0);
    skein_machine_save(f);
    RAMBLOCK_FOREACH(block) {
        put_ram(f, block);
    }
    return finish(f, path, errp);
}

bool skein_snapshot_save_changes(const char *path, uint32_t number, Error **errp)
{
    struct run_writer w = {.f = fopen(path, "wb")};

    if (!w.f) {
        error_setg(errp, "cannot write the checkpoint %s: %s", path, strerror(errno));
        return false;
    }
    put_head(w.f, number);
    skein_machine_save(w.f);
    skein_changes_take(put_changed, &w);
    end_block(&w);
    skein_cut_save(w.f, number, skein_changes_digest());
    return finish(w.f, path, errp);
}

static bool get_head(FILE *f, Error **errp)
{
    struct skein_state_head head;

    if (!skein_section_get(f, &head, sizeof(head))) {
        error_setg(errp, "the snapshot is cut off");
    } else if (memcmp(head.uuid, skein_vm.session->uuid, sizeof(head.uuid))) {
        error_setg(errp, "the snapshot belongs to another recording");
    } else if (head.vcpus != skein_vm.cpu_count) {
        error_setg(errp, "the snapshot has %u vCPUs, the machine %u", head.vcpus,
                   skein_vm.cpu_count);
    } else {
        skein_vm.first_checkpoint = head.number;
        return true;
    }
    return false;
}

static RAMBlock *find_block(const char *name)
{
    RAMBlock *block;

    RAMBLOCK_FOREACH(block) {
        if (!strcmp(block->idstr, name)) {
            return block;
        }
    }
    return NULL;
}

/* Into the block, or, without one, past it. */
static bool get_runs(FILE *f, RAMBlock *block, uint64_t length)
{
    uint64_t run[2];

    while (skein_section_get(f, run, sizeof(run))) {
        if (run[1] == 0) {
            return true;
        }
        if (run[1] > length || run[0] > length - run[1] ||
            !(block ? skein_section_get(f, block->host + run[0], run[1])
                    : fseeko(f, run[1], SEEK_CUR) == 0)) {
            return false;
        }
    }
    return false;
}

static bool get_ram(FILE *f, const char *name, Error **errp)
{
    /* A block that this machine lacks was never the kernel's RAM: ROM files, say. */
    RAMBlock *block = find_block(name);
    uint64_t place[2];

    if (skein_section_get(f, place, sizeof(place))) {
        if (block && (block->offset != place[0] || block->max_length < place[1])) {
            error_setg(errp, "the snapshot's RAM %s does not fit this machine", name);
            return false;
        }
        /* Zeros that nobody looks at need no memory. */
        if (block && ram_block_discard_range(block, 0, block->used_length) != 0) {
            memset(block->host, 0, block->used_length);
        }
        if (get_runs(f, block, place[1])) {
            return true;
        }
    }
    error_setg(errp, "the snapshot's RAM %s is damaged", name);
    return false;
}

struct loading {
    FILE *f;
    bool cut; /* the second way through: what belongs to a cut, and nothing else */
    CPUState *cpu;
    uint32_t vcpu, tlb; /* sections so far */
};

static bool skip(struct loading *l, const struct skein_section *s)
{
    uint64_t place[2];

    if (s->type == SKEIN_SECTION_RAM) {
        return skein_section_get(l->f, place, sizeof(place)) && get_runs(l->f, NULL, place[1]);
    }
    return fseeko(l->f, s->bytes, SEEK_CUR) == 0;
}

static bool get_section(struct loading *l, const struct skein_section *s, const char *name,
                        Error **errp)
{
    bool ok = false;

    if ((s->type > SKEIN_SECTION_END) != l->cut) {
        ok = skip(l, s);
    } else if (l->cut) {
        return skein_cut_load(l->f, s, &l->vcpu, &l->tlb, errp);
    } else if (s->type == SKEIN_SECTION_HEAD) {
        return get_head(l->f, errp);
    } else if (s->type == SKEIN_SECTION_RAM) {
        return get_ram(l->f, name, errp);
    } else {
        ok = skein_machine_load(l->f, s, name, &l->cpu, errp);
    }
    if (!ok && !*errp) {
        error_setg(errp, "the snapshot does not fit this machine");
    }
    return ok;
}

bool skein_snapshot_load(const char *path, bool cut, Error **errp)
{
    ERRP_GUARD();
    struct loading l = {.f = fopen(path, "rb"), .cut = cut, .cpu = first_cpu};
    char magic[sizeof(SKEIN_STATE_MAGIC)] = "", name[256];
    struct skein_section s = {0};
    bool ok = false;

    if (!l.f || !skein_section_get(l.f, magic, strlen(SKEIN_STATE_MAGIC)) ||
        strcmp(magic, SKEIN_STATE_MAGIC)) {
        error_setg(errp, "%s is not a snapshot", path);
        goto out;
    }
    while (skein_section_next(l.f, &s, name)) {
        ok = s.type == SKEIN_SECTION_END;
        if (ok || !get_section(&l, &s, name, errp)) {
            break;
        }
    }
    if (!ok && !*errp) {
        error_setg(errp, "the snapshot %s is cut off", path);
    }
out:
    if (l.f) {
        fclose(l.f);
    }
    return ok;
}
