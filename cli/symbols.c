/* skein symbols: what a debugger needs to know of the guest's kernel, without QEMU. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/report.h"
#include "pipeline/checkpoint.h"
#include "pipeline/recording.h"
#include "replay/kernel.h"
#include "replay/raw_memory.h"
#include "replay/symbol_elf.h"
#include "replay/vmlinux.h"

struct symbols {
    const char *dir;
    const char *output;  /* NULL: none */
    const char *vmlinux; /* NULL: none */
    uint32_t checkpoint; /* 0: the snapshot */
    struct skein_json_opt json;
    struct skein_kernel kernel;
    uint64_t offset; /* of the vmlinux */
};

struct hex {
    char text[32];
};

static struct hex hex_of(uint64_t value) {
    struct hex h;
    snprintf(h.text, sizeof(h.text), "0x%" PRIx64, value);
    return h;
}

static void put_id(const struct skein_kernel *k, char text[2 * sizeof(k->build_id) + 1]) {
    text[0] = '\0';
    for (size_t i = 0; i < k->build_id_bytes; i++)
        snprintf(text + i * 2, 3, "%02x", k->build_id[i]);
}

static void show(const struct symbols *s) {
    const struct skein_kernel *k = &s->kernel;
    char id[2 * sizeof(k->build_id) + 1];
    put_id(k, id);
    printf("%s\n", k->banner);
    printf("  address    %s (KASLR offset %s)\n", hex_of(k->text).text,
           hex_of((uint64_t)k->kaslr_offset).text);
    printf("  build id   %s\n", id[0] != '\0' ? id : "unknown");
    printf("  symbols    %zu, and %zu of %zu modules%s%s\n", k->own_symbols,
           k->table.count - k->own_symbols, k->modules.count, k->no_modules[0] != '\0' ? ": " : "",
           k->no_modules);
    if (s->vmlinux != NULL)
        printf("  in gdb     symbol-file -o %s %s\n", hex_of(s->offset).text, s->vmlinux);
    else if (s->output != NULL)
        printf("  in gdb     symbol-file %s\n", s->output);
}

static void json_modules(struct skein_json *j, const struct skein_kernel *k) {
    skein_json_open(j, "modules", '[');
    for (size_t i = 0; i < k->modules.count; i++) {
        const struct skein_module *m = &k->modules.modules[i];
        skein_json_open(j, NULL, '{');
        skein_json_string(j, "name", m->name);
        if (m->range_count > 0)
            skein_json_string(j, "address", hex_of(m->ranges[0].address).text);
        skein_json_close(j, '}');
    }
    skein_json_close(j, ']');
    if (k->no_modules[0] != '\0')
        skein_json_string(j, "modules_problem", k->no_modules);
}

static bool write_json(const struct symbols *s) {
    const struct skein_kernel *k = &s->kernel;
    char id[2 * sizeof(k->build_id) + 1];
    FILE *out = skein_json_begin(&s->json);
    struct skein_json j = {.out = out};
    if (out == NULL)
        return false;
    put_id(k, id);
    skein_json_open(&j, NULL, '{');
    skein_json_string(&j, "dir", s->dir);
    skein_json_string(&j, "kernel", k->banner);
    skein_json_string(&j, "address", hex_of(k->text).text);
    skein_json_string(&j, "kaslr_offset", hex_of((uint64_t)k->kaslr_offset).text);
    if (id[0] != '\0')
        skein_json_string(&j, "build_id", id);
    if (s->vmlinux != NULL)
        skein_json_string(&j, "vmlinux_offset", hex_of(s->offset).text);
    skein_json_u64(&j, "symbols", k->own_symbols);
    skein_json_u64(&j, "module_symbols", k->table.count - k->own_symbols);
    json_modules(&j, k);
    skein_json_close(&j, '}');
    return skein_json_end(out);
}

/* The machine's memory as it was there, in a file that is gone when it is closed. */
static int open_memory(const struct symbols *s, const struct skein_recording *rec,
                       struct skein_raw_memory *memory, struct skein_error *err) {
    char folder[] = "/dev/shm/skein-symbols-XXXXXX", path[sizeof(folder) + 8];
    int rc;
    if (mkdtemp(folder) == NULL)
        return skein_error_sys(err, -errno, "cannot make %s", folder);
    snprintf(path, sizeof(path), "%s/raw", folder);
    rc = skein_checkpoint_expand(rec, s->checkpoint, path, err);
    if (rc == 0)
        rc = skein_raw_memory_open(path, skein_recording_manifest(rec)->machine, memory, err);
    unlink(path);
    rmdir(folder);
    return rc;
}

static int find_kernel(struct symbols *s, const struct skein_recording *rec,
                       struct skein_error *err) {
    struct skein_raw_memory memory;
    struct skein_guest_memory reader;
    struct skein_kernel_hints hints = {0};
    int rc = open_memory(s, rec, &memory, err);
    if (rc != 0)
        return rc;
    reader = skein_raw_memory_reader(&memory);
    hints.physical_end = skein_raw_memory_end(&memory);
    rc = skein_kernel_find(&reader, &hints, &s->kernel, err);
    if (rc == 0 && s->output != NULL)
        rc = skein_symbol_elf_write(&s->kernel, s->output, err);
    skein_raw_memory_close(&memory);
    return rc;
}

static int with_recording(struct symbols *s, struct skein_error *err) {
    struct skein_vmlinux vmlinux;
    struct skein_recording *rec = NULL;
    int rc = s->vmlinux != NULL ? skein_vmlinux_read(s->vmlinux, &vmlinux, err) : 0;
    if (rc != 0)
        return rc;
    if (skein_recording_open(s->dir, SKEIN_READ_STRICT, &rec, err) != 0) {
        rc = skein_recording_open(s->dir, SKEIN_READ_SALVAGE, &rec, err);
        if (rc != 0)
            return rc;
    }
    rc = find_kernel(s, rec, err);
    if (rc == 0 && s->vmlinux != NULL)
        rc = skein_vmlinux_match(&vmlinux, &s->kernel, s->vmlinux, &s->offset, err);
    if (rc == -ENOENT && s->checkpoint == 0 &&
        strcmp(skein_recording_manifest(rec)->start, "boot") == 0)
        skein_error_set(err, rc,
                        "%s begins at boot, before there is a kernel: name a checkpoint behind it "
                        "(--checkpoint N; skein record --epoch makes them)",
                        s->dir);
    skein_recording_close(rec);
    return rc;
}

static int symbols(struct symbols *s) {
    struct skein_error err = {""};
    int code = SKEIN_EXIT_OK;
    if (with_recording(s, &err) != 0)
        code = skein_fail(SKEIN_EXIT_USAGE, "symbols: %s", err.text);
    else if (!s->json.on)
        show(s);
    else if (!write_json(s))
        code = skein_fail(SKEIN_EXIT_USAGE, "cannot write the JSON");
    skein_kernel_free(&s->kernel);
    return code;
}

int skein_cmd_symbols(int argc, char **argv) {
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"checkpoint", required_argument, NULL, 'c'},
        {"vmlinux", required_argument, NULL, 'v'},
        {"json", optional_argument, NULL, 'j'},
        {NULL, 0, NULL, 0},
    };
    struct symbols s = {0};
    int found;
    while ((found = getopt_long(argc, argv, ":o:", options, NULL)) != -1) {
        if (found == 'o') {
            s.output = optarg;
        } else if (found == 'v') {
            s.vmlinux = optarg;
        } else if (found == 'j') {
            s.json = (struct skein_json_opt){true, optarg};
        } else if (found != 'c') {
            return skein_fail_option("symbols", argv, found);
        } else if (!skein_parse_u32(optarg, UINT32_MAX, &s.checkpoint)) {
            return skein_fail(SKEIN_EXIT_USAGE, "symbols: %s is no checkpoint's number", optarg);
        }
    }
    if (optind + 1 != argc)
        return skein_fail(SKEIN_EXIT_USAGE, "symbols: which recording? One at a time");
    s.dir = argv[optind];
    return symbols(&s);
}
