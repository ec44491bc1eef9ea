/*
 * A guest's memory: the kernel made by hand with pieces of it changed, and its symbols looked for
 * and written. The input is a byte that says which kernel, then pieces: three bytes where in RAM,
 * one byte how many bytes, and those.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/kallsyms.h"
#include "replay/symbol_elf.h"
#include "tests/fuzz/fuzz.h"
#include "tests/replay/fake_kernel.h"

#define KINDS 12u
#define MAX_PIECES 64u
#define PIECE_BYTES 112u

static struct fake_kernel *kernels[KINDS]; /* kept: made once, changed and restored */

static struct fake_kernel *kernel_of(unsigned kind) {
    if (kernels[kind] == NULL)
        kernels[kind] = fake_kernel_make(&(struct fake_options){
            .tables = (enum fake_tables)(kind % 3),
            .module_memory = (kind / 3) % 2 != 0,
            .five_levels = kind >= 6,
            .fillers = 300,
            .modules = 2,
        });
    return kernels[kind];
}

struct piece {
    size_t at, bytes;
    uint8_t before[256];
};

static void change(struct fake_kernel *f, struct fuzz_input *in, struct piece *p) {
    const size_t at = (size_t)fuzz_take(in, 3), bytes = (size_t)fuzz_take(in, 1);
    *p = (struct piece){.at = at, .bytes = bytes};
    if (at + bytes > FAKE_RAM_BYTES)
        p->bytes = 0;
    memcpy(p->before, f->ram + p->at, p->bytes);
    for (size_t i = 0; i < p->bytes; i++)
        f->ram[p->at + i] = (uint8_t)fuzz_take(in, 1);
}

/* Whatever was found, it can be written, and says where it is. */
static void check(struct skein_kernel *k) {
    char path[300], line[400];
    struct skein_error err = {""};
    FUZZ_CHECK(k->own_symbols > 0 && k->own_symbols <= k->table.count);
    for (size_t i = 0; i < k->table.count; i++) {
        const struct skein_symbol *s = &k->table.symbols[i];
        FUZZ_CHECK(s->name < k->table.names_bytes && s->module <= k->modules.count);
        FUZZ_CHECK(i < k->own_symbols ? s->module == 0 : s->module > 0);
    }
    snprintf(path, sizeof(path), "%s/symbols", fuzz_dir());
    FUZZ_CHECK(skein_symbol_elf_write(k, path, &err) == 0);
    unlink(path);
    skein_kernel_describe(k, line, sizeof(line));
    for (const char *c = line; *c != '\0'; c++)
        FUZZ_CHECK(*c >= ' ' && *c <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct fuzz_input in = {bytes, size};
    struct fake_kernel *f = kernel_of((unsigned)fuzz_take(&in, 1) % KINDS);
    static struct piece pieces[MAX_PIECES];
    struct skein_error err = {""};
    struct skein_kernel k;
    unsigned count = 0;
    while (in.left > 0 && count < MAX_PIECES)
        change(f, &in, &pieces[count++]);
    if (fake_kernel_find(f, &k, &err) == 0) {
        check(&k);
        skein_kernel_free(&k);
    } else {
        FUZZ_CHECK(err.text[0] != '\0' && k.table.symbols == NULL);
    }
    while (count-- > 0)
        memcpy(f->ram + pieces[count].at, pieces[count].before, pieces[count].bytes);
    return 0;
}

/* One piece: bytes as they are, so that a mutation has something to change. */
static size_t seed_piece(const struct fake_kernel *f, size_t at, size_t bytes, uint8_t *to) {
    memcpy(to, &at, 3);
    to[3] = (uint8_t)bytes;
    memcpy(to + 4, f->ram + at, bytes);
    return 4 + bytes;
}

void fuzz_seeds(fuzz_add add) {
    for (unsigned kind = 0; kind < KINDS; kind += 5) {
        const struct fake_kernel *f = kernel_of(kind);
        const size_t image = (size_t)f->options.physical, modules = FAKE_MODULES_PHYSICAL;
        const size_t places[] = {
            image + FAKE_KALLSYMS,
            image + f->kallsyms_end - 1024,
            image + f->kallsyms_end - 200,
            image + FAKE_BTF,
            image + FAKE_BTF + 400,
            image + FAKE_BTF + 600,
            image + FAKE_MODULES_LIST,
            image + FAKE_ORC_IPS,
            image + FAKE_ORC,
            image + FAKE_NOTES,
            image + FAKE_TOP_TABLE + 4080,
            image + FAKE_LINUX_BANNER,
            modules,
            modules + 0x200,
            modules + 0x300,
            modules + FAKE_MODULE_STEP,
        };
        uint8_t seed[2 + sizeof(places) / sizeof(*places) * (4 + PIECE_BYTES)];
        size_t size = 1;
        seed[0] = (uint8_t)kind;
        for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
            size += seed_piece(f, places[i], PIECE_BYTES, seed + size);
        add(seed, size);
    }
}
