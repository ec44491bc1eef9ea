/* A file that is said to be a vmlinux. */
#include <elf.h>
#include <string.h>

#include "replay/vmlinux.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct skein_vmlinux v;
    struct skein_error err = {""};
    if (skein_vmlinux_parse(bytes, size, "vmlinux", &v, &err) == 0)
        FUZZ_CHECK(v.text != 0 && v.build_id_bytes <= sizeof(v.build_id));
    else
        FUZZ_CHECK(err.text[0] != '\0');
    return 0;
}

void fuzz_seeds(fuzz_add add) {
    static const char names[] = "\0_stext\0entry_SYSCALL_64";
    const uint32_t note[9] = {4, 20, 3, 0x00554e47, 1, 2, 3, 4, 5};
    struct {
        Elf64_Ehdr header;
        Elf64_Shdr sections[4];
        Elf64_Sym symbols[3];
        uint32_t note[9];
        char names[sizeof(names)];
    } file = {
        .header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB},
                   .e_machine = EM_X86_64,
                   .e_shoff = sizeof(Elf64_Ehdr),
                   .e_shentsize = sizeof(Elf64_Shdr),
                   .e_shnum = 4},
        .symbols = {{0},
                    {.st_name = 1, .st_shndx = 1, .st_value = 0xffffffff81000000u},
                    {.st_name = 8, .st_shndx = 1, .st_value = 0xffffffff81800080u}},
    };
    const size_t symbols = sizeof(file.header) + sizeof(file.sections);
    file.sections[1] = (Elf64_Shdr){
        .sh_type = SHT_SYMTAB, .sh_offset = symbols, .sh_size = sizeof(file.symbols), .sh_link = 2};
    file.sections[2] = (Elf64_Shdr){.sh_type = SHT_STRTAB,
                                    .sh_size = sizeof(names),
                                    .sh_offset = symbols + sizeof(file.symbols) + sizeof(note)};
    file.sections[3] = (Elf64_Shdr){
        .sh_type = SHT_NOTE, .sh_size = sizeof(note), .sh_offset = symbols + sizeof(file.symbols)};
    memcpy(file.note, note, sizeof(note));
    memcpy(file.names, names, sizeof(names));
    add((const uint8_t *)&file, sizeof(file));
}
