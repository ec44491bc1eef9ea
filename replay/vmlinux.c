#include "replay/vmlinux.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
    const uint8_t *data;
    size_t bytes;
    Elf64_Ehdr header;
};

/* Copies, since nothing says that it is aligned. False: the file has no such bytes. */
static bool take(const struct file *f, uint64_t at, void *to, size_t bytes) {
    if (at > f->bytes || bytes > f->bytes - at)
        return false;
    memcpy(to, f->data + at, bytes);
    return true;
}

static bool section(const struct file *f, unsigned i, Elf64_Shdr *s) {
    return i < f->header.e_shnum && f->header.e_shentsize == sizeof(*s) &&
           f->header.e_shoff <= f->bytes &&
           take(f, f->header.e_shoff + (uint64_t)i * sizeof(*s), s, sizeof(*s));
}

/* Of a section whose content is all there. */
static bool has_content(const struct file *f, const Elf64_Shdr *s) {
    return s->sh_type != SHT_NOBITS && s->sh_offset <= f->bytes &&
           s->sh_size <= f->bytes - s->sh_offset;
}

static bool is_named(const struct file *f, const Elf64_Shdr *names, uint32_t name,
                     const char *wanted) {
    const size_t bytes = strlen(wanted) + 1;
    return name < names->sh_size && bytes <= names->sh_size - name &&
           memcmp(f->data + names->sh_offset + name, wanted, bytes) == 0;
}

static void find_symbols(const struct file *f, const Elf64_Shdr *table, struct skein_vmlinux *v) {
    Elf64_Shdr names;
    if (!has_content(f, table) || !section(f, table->sh_link, &names) || !has_content(f, &names))
        return;
    for (uint64_t i = 0; i < table->sh_size / sizeof(Elf64_Sym); i++) {
        Elf64_Sym s;
        if (!take(f, table->sh_offset + i * sizeof(s), &s, sizeof(s)) || s.st_shndx == SHN_UNDEF)
            continue;
        if (is_named(f, &names, s.st_name, "_stext"))
            v->text = s.st_value;
        else if (is_named(f, &names, s.st_name, "entry_SYSCALL_64"))
            v->syscall_entry = s.st_value;
    }
}

int skein_vmlinux_parse(const uint8_t *data, size_t bytes, const char *path,
                        struct skein_vmlinux *v, struct skein_error *err) {
    struct file f = {.data = data, .bytes = bytes};
    bool symbols = false;
    *v = (struct skein_vmlinux){0};
    if (!take(&f, 0, &f.header, sizeof(f.header)) ||
        memcmp(f.header.e_ident, ELFMAG, SELFMAG) != 0 ||
        f.header.e_ident[EI_CLASS] != ELFCLASS64 || f.header.e_machine != EM_X86_64)
        return skein_error_set(
            err, -ENOEXEC, "%s is not an ELF file of x86-64 (a vmlinux is one, a vmlinuz is not)",
            path);
    for (unsigned i = 0; i < f.header.e_shnum; i++) {
        Elf64_Shdr s;
        if (!section(&f, i, &s))
            return skein_error_set(err, -ENOEXEC, "%s is cut off", path);
        if (s.sh_type == SHT_SYMTAB && !symbols) { /* there is one; more would cost time only */
            find_symbols(&f, &s, v);
            symbols = true;
        }
        if (s.sh_type == SHT_NOTE && has_content(&f, &s) && v->build_id_bytes == 0)
            v->build_id_bytes = skein_build_id_find(data + s.sh_offset, (size_t)s.sh_size,
                                                    v->build_id, sizeof(v->build_id));
    }
    return v->text != 0
               ? 0
               : skein_error_set(err, -ENOEXEC,
                                 "%s has no symbols of a kernel (_stext): is it stripped?", path);
}

int skein_vmlinux_read(const char *path, struct skein_vmlinux *v, struct skein_error *err) {
    struct stat st;
    void *data;
    int rc;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return skein_error_sys(err, -errno, "cannot read %s", path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
        close(fd);
        return skein_error_set(err, -ENOEXEC, "%s is not a file with a kernel in it", path);
    }
    data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    rc = data != MAP_FAILED ? 0 : -errno;
    close(fd);
    if (rc != 0)
        return skein_error_sys(err, rc, "cannot read %s", path);
    rc = skein_vmlinux_parse(data, (size_t)st.st_size, path, v, err);
    munmap(data, (size_t)st.st_size);
    return rc;
}

struct id_text {
    char text[2 * 64 + 1];
};

static struct id_text text_of(const uint8_t *id, size_t bytes) {
    struct id_text t = {""};
    for (size_t i = 0; i < bytes && i < 64; i++)
        snprintf(t.text + i * 2, 3, "%02x", id[i]);
    return t;
}

int skein_vmlinux_match(const struct skein_vmlinux *v, const struct skein_kernel *k,
                        const char *path, uint64_t *offset, struct skein_error *err) {
    const uint64_t text = skein_symbol_table_address(&k->table, "_stext");
    const uint64_t entry = skein_symbol_table_address(&k->table, "entry_SYSCALL_64");
    if (v->build_id_bytes > 0 && k->build_id_bytes > 0 &&
        (v->build_id_bytes != k->build_id_bytes ||
         memcmp(v->build_id, k->build_id, k->build_id_bytes) != 0))
        return skein_error_set(
            err, -ESTALE, "%s is not the guest's kernel: its build id is %s, the guest's %s (%s)",
            path, text_of(v->build_id, v->build_id_bytes).text,
            text_of(k->build_id, k->build_id_bytes).text, k->banner);
    *offset = text - v->text;
    if (text == 0 || (v->syscall_entry != 0 && entry != 0 && entry - v->syscall_entry != *offset))
        return skein_error_set(err, -ESTALE,
                               "%s is not the guest's kernel (%s): its symbols lie elsewhere", path,
                               k->banner);
    return 0;
}
