#include "cli/qemu_args.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Debian's qemu-system-data, seabios and ipxe-qemu; QEMU ignores folders that do not exist. */
#define DEFAULT_FIRMWARE "/usr/share/qemu:/usr/share/seabios:/usr/lib/ipxe/qemu"

static void push_firmware(struct skein_argv *a) {
    const char *folders = getenv("SKEIN_FIRMWARE");
    if (folders == NULL || *folders == '\0')
        folders = DEFAULT_FIRMWARE;
    while (*folders != '\0') {
        size_t len = strcspn(folders, ":");
        skein_argv_push(a, "-L");
        skein_argv_push(a, "%.*s", (int)len, folders);
        folders += len + (folders[len] == ':');
    }
}

void skein_qemu_args_machine(struct skein_argv *a, const char *qemu,
                             const struct skein_machine *m) {
    skein_argv_push(a, "%s", qemu);
    push_firmware(a);
    skein_argv_push(a, "-machine");
    skein_argv_push(a, "%s", m->machine);
    skein_argv_push(a, "-cpu");
    skein_argv_push(a, "%s", m->cpu);
    skein_argv_push(a, "-smp");
    skein_argv_push(a, "%" PRIu32, m->vcpus);
    skein_argv_push(a, "-m");
    skein_argv_push(a, "%" PRIu64 "B", m->memory_bytes);
    skein_argv_push(a, "-nodefaults");
    skein_argv_push(a, "-vga");
    skein_argv_push(a, "none");
    skein_argv_push(a, "-display");
    skein_argv_push(a, "none");
    skein_argv_push(a, "-no-reboot");
    /* The TPR page of option ROMs: QEMU patches guest code for it. */
    skein_argv_push(a, "-global");
    skein_argv_push(a, "apic-common.vapic=off");
}

void skein_qemu_args_record(struct skein_argv *a, const struct skein_guest *g, int console_fd,
                            int qmp_fd) {
    skein_argv_push(a, "-accel");
    skein_argv_push(a, "tcg,thread=multi");
    skein_argv_push(a, "-chardev");
    skein_argv_push(a, "socket,id=skein-console,fd=%d", console_fd);
    skein_argv_push(a, "-serial");
    skein_argv_push(a, "chardev:skein-console");
    skein_argv_push(a, "-chardev");
    skein_argv_push(a, "socket,id=skein-qmp,fd=%d", qmp_fd);
    skein_argv_push(a, "-mon");
    skein_argv_push(a, "chardev=skein-qmp,mode=control");
    skein_argv_push(a, "-kernel");
    skein_argv_push(a, "%s", g->kernel);
    if (g->initrd != NULL) {
        skein_argv_push(a, "-initrd");
        skein_argv_push(a, "%s", g->initrd);
    }
    if (g->append != NULL) {
        skein_argv_push(a, "-append");
        skein_argv_push(a, "%s", g->append);
    }
}

static void print_quoted(const char *word) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=,./:+";
    if (*word != '\0' && word[strspn(word, plain)] == '\0') {
        fputs(word, stdout);
        return;
    }
    putchar('\'');
    for (; *word != '\0'; word++)
        fputs(*word == '\'' ? "'\\''" : (const char[]){*word, '\0'}, stdout);
    putchar('\'');
}

int skein_qemu_args_print(const struct skein_machine *m) {
    struct skein_argv a = {0};
    skein_qemu_args_machine(&a, "", m);
    skein_argv_push(&a, "-accel");
    skein_argv_push(&a, "tcg,thread=multi");
    for (char *const *arg = a.v + 1; *arg != NULL; arg++) {
        if (strcmp(*arg, "-no-reboot") == 0)
            continue; /* as its owner likes */
        if (arg != a.v + 1)
            putchar(' ');
        print_quoted(*arg);
    }
    putchar('\n');
    skein_argv_free(&a);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

void skein_qemu_args_replay(struct skein_argv *a) {
    skein_argv_push(a, "-accel");
    skein_argv_push(a, "tcg,thread=single");
}
