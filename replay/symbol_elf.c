#include "replay/symbol_elf.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/frames.h"
#include "replay/symbol_elf_private.h"

/* What comes behind the kernel's sections, in this order. */
enum { FRAMES, SYMBOLS, NAMES, SECTION_NAMES, OWN_SECTIONS };
static const char *const own_names[OWN_SECTIONS] = {".debug_frame", ".symtab", ".strtab",
                                                    ".shstrtab"};

struct writer {
    const struct skein_kernel *kernel;
    struct skein_frames frames;
    struct skein_elf_layout layout;
    FILE *f;
    Elf64_Xword first_global; /* symbols in front of it are local */
    Elf64_Shdr own[OWN_SECTIONS];
    Elf64_Off at; /* in the file */
};

static void put(struct writer *w, const void *data, size_t bytes) {
    if (bytes != 0) {
        fwrite(data, 1, bytes, w->f);
    }
    w->at += bytes;
}

static void align(struct writer *w) {
    static const char zeros[8];
    put(w, zeros, (8 - w->at % 8) % 8);
}

static void begin(struct writer *w, unsigned section, Elf64_Word type) {
    align(w);
    w->own[section] = (Elf64_Shdr){.sh_type = type, .sh_offset = w->at, .sh_addralign = 8};
}

static void end(struct writer *w, unsigned section) {
    w->own[section].sh_size = w->at - w->own[section].sh_offset;
}

static bool is_global(char type) {
    return type >= 'A' && type <= 'Z';
}

static Elf64_Sym symbol_of(const struct writer *w, const struct skein_symbol *s) {
    const size_t section = skein_elf_layout_find(&w->layout, s->address);
    const bool code = section > 0 && w->layout.sections[section - 1].code;
    return (Elf64_Sym){
        .st_name = s->name + 1, /* behind the empty one that begins the names */
        .st_info = (unsigned char)ELF64_ST_INFO(is_global(s->type) ? STB_GLOBAL : STB_LOCAL,
                                                code ? STT_FUNC : STT_OBJECT),
        .st_shndx = section > 0 ? (Elf64_Section)section : SHN_ABS,
        .st_value = s->address,
        .st_size = s->bytes,
    };
}

static void put_symbols(struct writer *w) {
    const struct skein_symbol_table *t = &w->kernel->table;
    const Elf64_Sym none = {0};
    begin(w, SYMBOLS, SHT_SYMTAB);
    put(w, &none, sizeof(none));
    w->first_global = 1;
    for (int global = 0; global <= 1; global++) {
        for (size_t i = 0; i < t->count; i++) {
            if (is_global(t->symbols[i].type) == global) {
                const Elf64_Sym s = symbol_of(w, &t->symbols[i]);
                put(w, &s, sizeof(s));
                w->first_global += !global;
            }
        }
    }
    end(w, SYMBOLS);
    w->own[SYMBOLS].sh_link = (Elf64_Word)(w->layout.count + 1 + NAMES);
    w->own[SYMBOLS].sh_info = (Elf64_Word)w->first_global;
    w->own[SYMBOLS].sh_entsize = sizeof(Elf64_Sym);
}

static void put_names(struct writer *w) {
    begin(w, NAMES, SHT_STRTAB);
    put(w, "", 1);
    put(w, w->kernel->table.names, w->kernel->table.names_bytes);
    end(w, NAMES);
}

static void put_section_names(struct writer *w) {
    begin(w, SECTION_NAMES, SHT_STRTAB);
    put(w, "", 1);
    for (size_t i = 0; i < w->layout.count; i++)
        put(w, w->layout.sections[i].name, strlen(w->layout.sections[i].name) + 1);
    for (unsigned i = 0; i < OWN_SECTIONS; i++)
        put(w, own_names[i], strlen(own_names[i]) + 1);
    end(w, SECTION_NAMES);
}

static void put_section_headers(struct writer *w) {
    const Elf64_Shdr none = {0};
    Elf64_Word name = 1;
    put(w, &none, sizeof(none));
    for (size_t i = 0; i < w->layout.count; i++) {
        const struct skein_elf_section *s = &w->layout.sections[i];
        const Elf64_Shdr header = {
            .sh_name = name,
            .sh_type = SHT_NOBITS,
            .sh_flags = SHF_ALLOC | (s->code ? SHF_EXECINSTR : SHF_WRITE),
            .sh_addr = s->address,
            .sh_offset = sizeof(Elf64_Ehdr),
            .sh_size = s->bytes,
            .sh_addralign = 1,
        };
        put(w, &header, sizeof(header));
        name += (Elf64_Word)strlen(s->name) + 1;
    }
    for (unsigned i = 0; i < OWN_SECTIONS; i++) {
        w->own[i].sh_name = name;
        put(w, &w->own[i], sizeof(w->own[i]));
        name += (Elf64_Word)strlen(own_names[i]) + 1;
    }
}

static void put_header(struct writer *w, Elf64_Off section_headers) {
    const Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_shoff = section_headers,
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = (Elf64_Half)(1 + w->layout.count + OWN_SECTIONS),
        .e_shstrndx = (Elf64_Half)(1 + w->layout.count + SECTION_NAMES),
    };
    put(w, &header, sizeof(header));
}

static int put_all(struct writer *w) {
    Elf64_Off section_headers;
    put_header(w, 0);
    begin(w, FRAMES, SHT_PROGBITS);
    put(w, w->frames.data, w->frames.bytes);
    end(w, FRAMES);
    put_symbols(w);
    put_names(w);
    put_section_names(w);
    align(w);
    section_headers = w->at;
    put_section_headers(w);
    errno = 0;
    if (fseek(w->f, 0, SEEK_SET) == 0)
        put_header(w, section_headers);
    if (fflush(w->f) != 0 || ferror(w->f))
        return errno != 0 ? -errno : -EIO;
    return 0;
}

/* What goes into it that may fail for want of memory. */
static int prepare(struct writer *w, struct skein_kernel *kernel) {
    struct skein_orc orc;
    int rc = skein_elf_layout_make(kernel, &w->layout);
    if (rc != 0)
        return rc;
    rc = skein_orc_read(kernel, &orc);
    if (rc == 0)
        rc = skein_frames_make(&orc, &w->frames);
    skein_orc_free(&orc);
    return rc;
}

static int write_file(struct writer *w, const char *partial, const char *path) {
    int rc;
    w->f = fopen(partial, "wbe");
    if (w->f == NULL)
        return -errno;
    rc = put_all(w);
    if (fclose(w->f) != 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && rename(partial, path) != 0)
        rc = -errno;
    if (rc != 0)
        unlink(partial);
    return rc;
}

int skein_symbol_elf_write(struct skein_kernel *kernel, const char *path, struct skein_error *err) {
    struct writer w = {.kernel = kernel};
    const size_t partial_bytes = strlen(path) + sizeof(".partial");
    char *partial = malloc(partial_bytes);
    int rc = partial != NULL ? prepare(&w, kernel) : -ENOMEM;
    if (rc == 0) {
        snprintf(partial, partial_bytes, "%s.partial", path);
        rc = write_file(&w, partial, path);
    }
    free(partial);
    skein_frames_free(&w.frames);
    skein_elf_layout_free(&w.layout);
    return rc == 0 ? 0 : skein_error_sys(err, rc, "cannot write the symbols to %s", path);
}
