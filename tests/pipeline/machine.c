#include "tests/pipeline/machine.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pipeline/fixture.h"

static const char *const names[MACHINE_BLOCKS] = {"pc.ram", "vga.vram"};

enum { HEAD = 1, CPU, DEV, RAM, END, CUT, VCPU, TLB, PAGES };

static uint8_t *page_at(const struct machine *m, unsigned block, uint64_t page) {
    return m->ram[block] + page * MACHINE_PAGE;
}

static void noise(struct random *rng, uint8_t *page) {
    /* Half of it, so that it compresses a little. */
    for (size_t i = 0; i < MACHINE_PAGE; i += 16) {
        const uint64_t word = random_next(rng);
        memcpy(page + i, &word, sizeof(word));
    }
}

struct machine machine_make(const uint8_t uuid[16], uint32_t vcpus, uint64_t pages, uint64_t seed) {
    struct machine m = {.rng = {seed}, .vcpus = vcpus, .opaque_bytes = 1000};

    memcpy(m.uuid, uuid, sizeof(m.uuid));
    m.pages[0] = pages;
    m.pages[1] = 3;
    for (unsigned b = 0; b < MACHINE_BLOCKS; b++) {
        m.ram[b] = calloc(m.pages[b], MACHINE_PAGE);
        m.changed[b] = calloc(m.pages[b], sizeof(bool));
        assert(m.ram[b] != NULL && m.changed[b] != NULL);
        for (uint64_t p = 0; p < m.pages[b]; p++) {
            if (random_below(&m.rng, 3) != 0) {
                noise(&m.rng, page_at(&m, b, p));
            } else if (p != 0 && random_below(&m.rng, 2) != 0) {
                memcpy(page_at(&m, b, p), page_at(&m, b, p - 1), MACHINE_PAGE);
            }
        }
    }
    m.cut.vcpu_count = vcpus;
    m.cut.clock.shard_count = vcpus + 1;
    m.cut.released_shard = SKEIN_SHARD_NONE;
    return m;
}

void machine_free(struct machine *m) {
    for (unsigned b = 0; b < MACHINE_BLOCKS; b++) {
        free(m->ram[b]);
        free(m->changed[b]);
    }
}

void machine_run(struct machine *m, unsigned writes) {
    for (; writes != 0; writes--) {
        const unsigned b = random_below(&m->rng, 8) == 0;
        const uint64_t p = random_below(&m->rng, m->pages[b]);
        m->changed[b][p] = true;
        switch (random_below(&m->rng, 5)) {
        case 0:
            memset(page_at(m, b, p), 0, MACHINE_PAGE);
            break;
        case 1:
            memmove(page_at(m, b, p), page_at(m, 0, random_below(&m->rng, m->pages[0])),
                    MACHINE_PAGE);
            break;
        case 2:
            break;
        default:
            noise(&m->rng, page_at(m, b, p));
        }
    }
    m->cut.slices += writes + random_below(&m->rng, 5);
    for (uint32_t v = 0; v < m->vcpus; v++) {
        m->cut.vcpu[v].icount += random_below(&m->rng, 1000);
        m->cut.vcpu[v].digest = random_next(&m->rng);
        m->cut.vcpu[v].in_kernel = random_below(&m->rng, 2) != 0;
    }
    m->cut.console_bytes += random_below(&m->rng, 10);
    m->cut.console_hash = random_next(&m->rng);
    m->cut.ram_digest = random_next(&m->rng);
    m->cut.icount = 0;
    for (uint32_t v = 0; v < m->vcpus; v++) {
        m->cut.icount += m->cut.vcpu[v].icount;
    }
}

void machine_move(struct machine *m, const uint64_t *ticks) {
    memcpy(m->cut.clock.tick, ticks, m->cut.clock.shard_count * sizeof(*ticks));
    m->cut.released_shard = 0;
    m->cut.released_tick = ticks[0];
}

static void put(FILE *f, uint32_t type, const char *name, const void *bytes, uint64_t n) {
    const uint32_t head[2] = {type, (uint32_t)strlen(name)};

    fwrite(head, sizeof(head), 1, f);
    fwrite(&n, sizeof(n), 1, f);
    fwrite(name, 1, head[1], f);
    fwrite(bytes, 1, n, f);
}

static void put_opaque(struct machine *m, FILE *f, uint32_t type, const char *name,
                       const void *first, size_t n) {
    uint8_t *bytes = calloc(1, n + m->opaque_bytes);

    assert(bytes != NULL && n <= 64);
    memcpy(bytes, first, n);
    for (uint32_t i = 0; i < m->opaque_bytes; i += 3) {
        bytes[n + i] = (uint8_t)random_next(&m->rng);
    }
    put(f, type, name, bytes, n + m->opaque_bytes);
    free(bytes);
}

static void put_head(const struct machine *m, FILE *f, uint32_t number) {
    struct {
        uint8_t uuid[16];
        uint32_t vcpus, number;
    } head = {.vcpus = m->vcpus, .number = number};

    memcpy(head.uuid, m->uuid, sizeof(head.uuid));
    fwrite("SKNSNAP1", 1, 8, f);
    put(f, HEAD, "", &head, sizeof(head));
}

static void put_run(const struct machine *m, FILE *f, unsigned block, uint64_t page, uint64_t n) {
    const uint64_t run[2] = {page * MACHINE_PAGE, n * MACHINE_PAGE};

    fwrite(run, sizeof(run), 1, f);
    fwrite(page_at(m, block, page), MACHINE_PAGE, n, f);
}

static bool is_zero(const uint8_t *page) {
    for (size_t i = 0; i < MACHINE_PAGE; i++) {
        if (page[i] != 0) {
            return false;
        }
    }
    return true;
}

static bool any_changed(const struct machine *m, unsigned block) {
    for (uint64_t p = 0; p < m->pages[block]; p++) {
        if (m->changed[block][p]) {
            return true;
        }
    }
    return false;
}

/* All pages but zeros, or those that have changed; a block without any is left out. */
static void put_ram(struct machine *m, FILE *f, unsigned block, bool changed) {
    const uint32_t head[2] = {RAM, (uint32_t)strlen(names[block])};
    const uint64_t place[3] = {0, block * m->pages[0] * MACHINE_PAGE,
                               m->pages[block] * MACHINE_PAGE};
    const uint64_t end[2] = {0, 0};
    uint64_t n = 0;

    if (changed && !any_changed(m, block)) {
        return;
    }
    fwrite(head, sizeof(head), 1, f);
    fwrite(place, 8, 1, f);
    fwrite(names[block], 1, head[1], f);
    fwrite(place + 1, 16, 1, f);
    for (uint64_t p = 0; p <= m->pages[block]; p++) {
        const bool in = p < m->pages[block] &&
                        (changed ? m->changed[block][p] : !is_zero(page_at(m, block, p)));
        if (n != 0 && (!in || n == 257)) {
            put_run(m, f, block, p - n, n);
            n = 0;
        }
        n += in;
    }
    fwrite(end, sizeof(end), 1, f);
    memset(m->changed[block], 0, m->pages[block] * sizeof(bool));
}

static void put_cut(const struct machine *m, FILE *f) {
    const struct skein_checkpoint_cut *c = &m->cut;
    const uint64_t rest[] = {c->released_tick, c->slices,     c->console_bytes,
                             c->console_hash,  c->ram_digest, UINT64_C(7) << 32 | 3};
    uint8_t bytes[64 + 8 * SKEIN_MAX_SHARDS];
    const uint32_t shards[2] = {c->clock.shard_count, c->released_shard};

    memcpy(bytes, &m->number, 8);
    memcpy(bytes + 8, shards, 8);
    memcpy(bytes + 16, rest, 48);
    memcpy(bytes + 64, c->clock.tick, 8 * shards[0]);
    put(f, CUT, "", bytes, 64 + 8 * shards[0]);
}

static FILE *create(const char *path) {
    FILE *f = fopen(path, "wb");

    assert(f != NULL);
    return f;
}

void machine_snapshot(struct machine *m, const char *path) {
    FILE *f = create(path);

    put_head(m, f, 0);
    for (uint32_t v = 0; v < m->vcpus; v++) {
        put_opaque(m, f, CPU, "", &m->vcpus, 4);
    }
    put_opaque(m, f, DEV, "i440FX", "", 0);
    for (unsigned b = 0; b < MACHINE_BLOCKS; b++) {
        put_ram(m, f, b, false);
    }
    put(f, END, "", "", 0);
    assert(fclose(f) == 0);
}

void machine_checkpoint(struct machine *m, const char *path) {
    FILE *f = create(path);

    m->number++;
    put_head(m, f, (uint32_t)m->number);
    put_cut(m, f);
    for (uint32_t v = 0; v < m->vcpus; v++) {
        const uint64_t first[3] = {m->cut.vcpu[v].icount, m->cut.vcpu[v].digest,
                                   m->cut.vcpu[v].in_kernel};
        put_opaque(m, f, CPU, "", first, 8);
        put_opaque(m, f, VCPU, "", first, sizeof(first));
        put_opaque(m, f, TLB, "", "", 0);
    }
    put_opaque(m, f, PAGES, "", "", 0);
    for (unsigned b = 0; b < MACHINE_BLOCKS; b++) {
        put_ram(m, f, b, true);
    }
    put_opaque(m, f, DEV, "i440FX", "", 0); /* behind RAM: it stays there */
    put(f, END, "", "", 0);
    assert(fclose(f) == 0);
}

/* A raw file taken apart: RAM laid out, everything else one after the other. */
struct apart {
    uint8_t *ram[MACHINE_BLOCKS];
    unsigned blocks;
    uint8_t *state;
    size_t state_bytes, before_ram;
    const char *problem;
};

static size_t take_ram(const struct machine *m, struct apart *a, const uint8_t *bytes, size_t at,
                       size_t size) {
    const unsigned b = a->blocks++;

    a->before_ram = b == 0 ? a->state_bytes : a->before_ram;
    if (b >= MACHINE_BLOCKS) {
        a->problem = "too many blocks";
        return size;
    }
    a->ram[b] = calloc(m->pages[b], MACHINE_PAGE);
    for (at += 16; at + 16 <= size;) {
        uint64_t run[2];
        memcpy(run, bytes + at, sizeof(run));
        at += 16;
        if (run[1] == 0) {
            return at;
        }
        if (run[0] + run[1] > m->pages[b] * MACHINE_PAGE || run[1] > size - at) {
            a->problem = "a run is impossible";
            return size;
        }
        memcpy(a->ram[b] + run[0], bytes + at, run[1]);
        at += run[1];
    }
    a->problem = "RAM is cut off";
    return size;
}

static struct apart take_apart(const struct machine *m, const char *path) {
    struct apart a = {.problem = NULL};
    size_t size, at = 8;
    uint8_t *bytes = fixture_read(path, &size);

    a.state = malloc(size + 1);
    while (at + 16 <= size && a.problem == NULL) {
        uint32_t head[2];
        uint64_t n;
        memcpy(head, bytes + at, sizeof(head));
        memcpy(&n, bytes + at + 8, sizeof(n));
        n += 16 + head[1];
        if (head[0] == RAM) {
            at = take_ram(m, &a, bytes, at + n, size);
        } else if (n > size - at) {
            a.problem = "a section is cut off";
        } else {
            if (head[0] == END && a.blocks == 0) {
                a.before_ram = a.state_bytes;
            }
            memcpy(a.state + a.state_bytes, bytes + at, n);
            a.state_bytes += n;
            at += n;
        }
    }
    if (a.problem == NULL && at != size) {
        a.problem = "bytes are left over";
    }
    free(bytes);
    return a;
}

static void drop(struct apart *a) {
    for (unsigned b = 0; b < MACHINE_BLOCKS; b++) {
        free(a->ram[b]);
    }
    free(a->state);
}

static const char *compare_ram(const struct machine *m, const struct apart *a) {
    for (unsigned b = 0; b < MACHINE_BLOCKS; b++) {
        if (a->ram[b] == NULL || memcmp(a->ram[b], m->ram[b], m->pages[b] * MACHINE_PAGE) != 0) {
            return b == 0 ? "pc.ram differs" : "vga.vram differs";
        }
    }
    return "";
}

const char *machine_compare(const struct machine *m, const char *path, const char *like) {
    struct apart a = take_apart(m, path);
    const char *problem = a.problem != NULL ? a.problem : compare_ram(m, &a);

    if (problem[0] == '\0' && like != NULL) {
        struct apart b = take_apart(m, like);
        if (a.state_bytes != b.state_bytes || a.before_ram != b.before_ram ||
            memcmp(a.state, b.state, a.state_bytes) != 0) {
            problem = "the state differs";
        }
        drop(&b);
    }
    drop(&a);
    return problem;
}
