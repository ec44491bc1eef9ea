#include "replay/symbol_elf.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/frames.h"
#include "replay/vmlinux.h"
#include "tests/replay/fake_kernel.h"

#define SLIDE 0x200000u

/* A file of ours, read back. */
struct elf {
    uint8_t *data;
    size_t bytes;
    Elf64_Ehdr header;
    Elf64_Shdr sections[64];
    const char *section_names;
};

static void temporary(char path[64]) {
    int fd;
    snprintf(path, 64, "/tmp/skein-symbol-elf-XXXXXX");
    fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
}

static void load(struct elf *e, const char *path) {
    FILE *f = fopen(path, "rb");
    struct stat st;
    cr_assert_not_null(f);
    cr_assert_eq(fstat(fileno(f), &st), 0);
    e->bytes = (size_t)st.st_size;
    e->data = malloc(e->bytes);
    cr_assert_eq(fread(e->data, 1, e->bytes, f), e->bytes);
    fclose(f);
    memcpy(&e->header, e->data, sizeof(e->header));
    cr_assert_lt(e->header.e_shnum, 64);
    cr_assert_eq(e->header.e_shoff + e->header.e_shnum * sizeof(Elf64_Shdr), e->bytes);
    memcpy(e->sections, e->data + e->header.e_shoff, e->header.e_shnum * sizeof(Elf64_Shdr));
    e->section_names = (const char *)e->data + e->sections[e->header.e_shstrndx].sh_offset;
}

static const Elf64_Shdr *section(const struct elf *e, const char *name) {
    for (unsigned i = 1; i < e->header.e_shnum; i++) {
        if (strcmp(e->section_names + e->sections[i].sh_name, name) == 0)
            return &e->sections[i];
    }
    return NULL;
}

static Elf64_Sym symbol(const struct elf *e, const char *name) {
    const Elf64_Shdr *table = section(e, ".symtab");
    const char *names = (const char *)e->data + e->sections[table->sh_link].sh_offset;
    Elf64_Sym s = {0};
    for (uint64_t i = 0; i < table->sh_size / sizeof(s); i++) {
        memcpy(&s, e->data + table->sh_offset + i * sizeof(s), sizeof(s));
        if (strcmp(names + s.st_name, name) == 0) {
            cr_assert_eq(ELF64_ST_BIND(s.st_info) == STB_LOCAL, i < table->sh_info);
            return s;
        }
    }
    cr_assert(false, "no symbol %s", name);
    return s;
}

static void find(struct fake_kernel *f, struct skein_kernel *k) {
    struct skein_error err = {""};
    const int rc = fake_kernel_find(f, k, &err);
    cr_assert_eq(rc, 0);
}

Test(symbol_elf, has_functions_in_sections_of_code) {
    struct fake_kernel *f = fake_kernel_make(&(struct fake_options){.slide = SLIDE, .modules = 2});
    struct skein_kernel k;
    struct elf e;
    char path[64];
    Elf64_Sym s;
    temporary(path);
    find(f, &k);
    cr_assert_eq(skein_symbol_elf_write(&k, path, NULL), 0);
    load(&e, path);

    s = symbol(&e, "sys_filler_00007");
    cr_assert_eq(s.st_value, f->text + 0x1070);
    cr_assert_eq(s.st_size, 16);
    cr_assert_eq(ELF64_ST_TYPE(s.st_info), STT_FUNC);
    cr_assert_eq(&e.sections[s.st_shndx], section(&e, ".text"));
    cr_assert_eq(e.sections[s.st_shndx].sh_addr, f->text);
    cr_assert_eq(e.sections[s.st_shndx].sh_flags, SHF_ALLOC | SHF_EXECINSTR);
    cr_assert_eq(e.sections[s.st_shndx].sh_type, SHT_NOBITS);

    s = symbol(&e, "start_kernel");
    cr_assert_eq(&e.sections[s.st_shndx], section(&e, ".init.text"));
    s = symbol(&e, "linux_banner");
    cr_assert_eq(ELF64_ST_TYPE(s.st_info), STT_OBJECT);
    cr_assert_eq(&e.sections[s.st_shndx], section(&e, ".data"));
    s = symbol(&e, "cpu_tss_rw");
    cr_assert_eq(s.st_shndx, SHN_ABS);
    s = symbol(&e, "fake1_close");
    cr_assert_eq(&e.sections[s.st_shndx], section(&e, ".fake1.text"));
    cr_assert_eq(ELF64_ST_BIND(s.st_info), STB_GLOBAL);
    s = symbol(&e, "fake1_state");
    cr_assert_eq(&e.sections[s.st_shndx], section(&e, ".fake1.data"));
    cr_assert_eq(section(&e, ".symtab")->sh_size / sizeof(s), k.table.count + 1);
    cr_assert_gt(section(&e, ".debug_frame")->sh_size, 0);

    free(e.data);
    skein_kernel_free(&k);
    fake_kernel_free(f);
    unlink(path);
}

Test(symbol_elf, that_cannot_be_written_leaves_nothing) {
    struct fake_kernel *f = fake_kernel_make(&(struct fake_options){0});
    char dir[] = "/tmp/skein-symbol-elf-XXXXXX", path[64], partial[80];
    struct skein_error err = {""};
    struct skein_kernel k;
    find(f, &k);
    cr_assert_eq(skein_symbol_elf_write(&k, "/nonexistent/symbols", &err), -ENOENT);
    cr_assert_not_null(strstr(err.text, "/nonexistent/symbols: No such file"));
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/folder", dir);
    snprintf(partial, sizeof(partial), "%s.partial", path);
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_assert_eq(skein_symbol_elf_write(&k, path, &err), -EISDIR);
    cr_assert_neq(access(partial, F_OK), 0);
    rmdir(path);
    rmdir(dir);
    skein_kernel_free(&k);
    fake_kernel_free(f);
}

/* ORC's tables say the same in both of their versions. */
Test(orc, is_read_in_every_version) {
    for (int version = 0; version <= 1; version++) {
        struct fake_kernel *f =
            fake_kernel_make(&(struct fake_options){.module_memory = version == 1, .slide = SLIDE});
        struct skein_kernel k;
        struct skein_orc orc;
        find(f, &k);
        cr_assert_eq(skein_orc_read(&k, &orc), 0);
        cr_assert_eq(orc.count, 6);
        cr_assert_eq(orc.entries[0].address, f->text + 0x1000);
        cr_assert_eq(orc.entries[0].end, f->text + 0x1001);
        cr_assert_eq(orc.entries[1].sp_offset, 16);
        cr_assert_eq(orc.entries[1].bp_offset, -16);
        cr_assert_eq(orc.entries[1].bp, SKEIN_ORC_CALLER_SP);
        cr_assert_eq(orc.entries[2].sp, SKEIN_ORC_BP);
        cr_assert_eq(orc.entries[2].end, f->text + 0x1010);
        cr_assert_eq(orc.entries[3].type, SKEIN_ORC_REGS);
        cr_assert_eq(orc.entries[4].type, SKEIN_ORC_IRET);
        cr_assert_eq(orc.entries[5].type, SKEIN_ORC_END);
        cr_assert_eq(orc.entries[5].end, f->text + 0x2300);
        skein_orc_free(&orc);
        skein_kernel_free(&k);
        fake_kernel_free(f);
    }
}

/* The last description but one, byte by byte; then comes that of an interrupt. */
Test(frames, say_what_orc_says) {
    static const struct skein_orc_entry entries[] = {
        {0x1000, 0x1001, 8, 0, SKEIN_ORC_SP, 0, SKEIN_ORC_CALL},
        {0x1001, 0x1104, 16, -16, SKEIN_ORC_SP, SKEIN_ORC_CALLER_SP, SKEIN_ORC_CALL},
        {0x1104, 0x1110, 24, -16, SKEIN_ORC_BP, SKEIN_ORC_CALLER_SP, SKEIN_ORC_CALL},
        {0x1110, 0x1120, 8, 0, SKEIN_ORC_SP_INDIRECT, 0, SKEIN_ORC_CALL},
        {0x2000, 0x2010, 8, 0, SKEIN_ORC_SP, 0, SKEIN_ORC_REGS},
    };
    static const uint8_t wanted[] = {
        0x30, 0,    0,    0,    0x14, 0,    0,    0, /* length, which common description */
        0,    0x10, 0,    0,    0,    0,    0,    0, /* from 0x1000 … */
        0x20, 1,    0,    0,    0,    0,    0,    0, /* … 0x120 bytes */
        0,    0x41, 0x12, 7,    0x7e, 0x11, 6,    2, /* 1 on: CFA = rsp + 16, rbp at CFA - 16 */
        0x03, 0x03, 0x01, 0x12, 6,    0x7d,          /* 0x103 on: CFA = rbp + 24 */
        0x4c, 0x0f, 6,    0x77, 0,    0x06, 0x11, 8, 0x22, /* 12 on: CFA = *rsp + 8 */
        0x08, 6,                                           /* rbp is as it was */
        0,    0,    0,
    };
    const struct skein_orc orc = {.entries = (struct skein_orc_entry *)entries, .count = 5};
    struct skein_frames frames;
    size_t at, last;
    cr_assert_eq(skein_frames_make(&orc, &frames), 0);
    last = frames.bytes - 28; /* a description without instructions */
    at = last - sizeof(wanted);
    cr_assert_eq(memcmp(frames.data + at, wanted, sizeof(wanted)), 0);
    skein_frames_free(&frames);
}

/* A vmlinux with two symbols and a build id; returns its size. */
static size_t make_vmlinux(uint8_t *to, uint64_t text, uint8_t id) {
    static const char names[] = "\0_stext\0entry_SYSCALL_64";
    const Elf64_Sym symbols[] = {
        {.st_name = 0},
        {.st_name = 1, .st_shndx = 1, .st_value = text},
        {.st_name = 8, .st_shndx = 1, .st_value = text + FAKE_ENTRY},
    };
    uint32_t note[9] = {4, 20, 3, 0x00554e47};
    Elf64_Shdr sections[4] = {
        {0},
        {.sh_type = SHT_NOTE, .sh_offset = 0x400, .sh_size = sizeof(note)},
        {.sh_type = SHT_SYMTAB, .sh_offset = 0x500, .sh_size = sizeof(symbols), .sh_link = 3},
        {.sh_type = SHT_STRTAB, .sh_offset = 0x600, .sh_size = sizeof(names)},
    };
    const Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_machine = EM_X86_64,
        .e_shoff = 0x700,
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = 4,
    };
    for (uint8_t i = 0; i < 20; i++)
        ((uint8_t *)(note + 4))[i] = (uint8_t)(id + i);
    memset(to, 0, 0x800);
    memcpy(to, &header, sizeof(header));
    memcpy(to + 0x400, note, sizeof(note));
    memcpy(to + 0x500, symbols, sizeof(symbols));
    memcpy(to + 0x600, names, sizeof(names));
    memcpy(to + 0x700, sections, sizeof(sections));
    return 0x700 + sizeof(sections);
}

Test(vmlinux, gives_the_offset_of_its_own_kernel) {
    struct fake_kernel *f = fake_kernel_make(&(struct fake_options){.slide = 0x4e00000});
    uint8_t file[0x800];
    struct skein_vmlinux v;
    struct skein_error err = {""};
    struct skein_kernel k;
    uint64_t offset;
    size_t bytes = make_vmlinux(file, SKEIN_KERNEL_LINK_ADDRESS, 0xa0);
    find(f, &k);
    cr_assert_eq(skein_vmlinux_parse(file, bytes, "vmlinux", &v, &err), 0);
    cr_assert_eq(v.text, SKEIN_KERNEL_LINK_ADDRESS);
    cr_assert_eq(v.build_id_bytes, 20);
    cr_assert_eq(skein_vmlinux_match(&v, &k, "vmlinux", &offset, &err), 0);
    cr_assert_eq(offset, 0x4e00000);

    v.syscall_entry += 16;
    cr_assert_eq(skein_vmlinux_match(&v, &k, "vmlinux", &offset, &err), -ESTALE);
    cr_assert_not_null(strstr(err.text, "its symbols lie elsewhere"));
    make_vmlinux(file, SKEIN_KERNEL_LINK_ADDRESS, 0xb0);
    cr_assert_eq(skein_vmlinux_parse(file, bytes, "vmlinux", &v, &err), 0);
    cr_assert_eq(skein_vmlinux_match(&v, &k, "vmlinux", &offset, &err), -ESTALE);
    cr_assert_not_null(strstr(err.text, "its build id is b0b1b2"));
    skein_kernel_free(&k);
    fake_kernel_free(f);
}

Test(vmlinux, that_is_none_is_refused) {
    uint8_t file[0x800];
    struct skein_vmlinux v;
    struct skein_error err = {""};
    const size_t bytes = make_vmlinux(file, SKEIN_KERNEL_LINK_ADDRESS, 0xa0);
    cr_assert_eq(skein_vmlinux_parse(file, bytes - 1, "v", &v, &err), -ENOEXEC);
    cr_assert_str_eq(err.text, "v is cut off");
    for (size_t cut = 0; cut < bytes; cut++)
        cr_assert_eq(skein_vmlinux_parse(file, cut, "v", &v, NULL), -ENOEXEC);
    file[0x700 + 2 * sizeof(Elf64_Shdr) + 4] = SHT_NOBITS; /* stripped into a file of its own */
    cr_assert_eq(skein_vmlinux_parse(file, bytes, "v", &v, &err), -ENOEXEC);
    cr_assert_str_eq(err.text, "v has no symbols of a kernel (_stext): is it stripped?");
    file[0] = 'M';
    cr_assert_eq(skein_vmlinux_parse(file, bytes, "v", &v, &err), -ENOEXEC);
    cr_assert_eq(skein_vmlinux_read("/nonexistent/vmlinux", &v, &err), -ENOENT);
    cr_assert_eq(skein_vmlinux_read("/tmp", &v, &err), -ENOEXEC);
}
