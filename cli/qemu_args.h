/* QEMU's command lines for recording and for replaying. */
#ifndef SKEIN_CLI_QEMU_ARGS_H
#define SKEIN_CLI_QEMU_ARGS_H

#include <stdint.h>

#include "cli/argv.h"

/*
 * The machine and the CPU of every recording, unless the user chooses another CPU. By its family
 * Linux takes the CPU for one whose string instructions are good, and copies and clears memory
 * with `rep movsq` and `rep stosq`, which our QEMU does a page at a time (qemu/src/string.c); with
 * ERMS it would be `rep movsb`, in user mode too, where QEMU goes byte by byte.
 */
#define SKEIN_DEFAULT_MACHINE "pc,smm=off,vmport=off"
#define SKEIN_DEFAULT_CPU "max,-erms,-fsrm,-monitor,-svm,family=26,model=1"
#define SKEIN_DEFAULT_MEMORY "512M"

/* The recorder and the replayer inside QEMU: the id of their object. */
#define SKEIN_OBJECT_ID "skein0"

struct skein_machine {
    const char *machine;
    const char *cpu;
    uint64_t memory_bytes;
    uint32_t vcpus;
};

/* The program, its firmware's folders, and the machine: common to both command lines. */
void skein_qemu_args_machine(struct skein_argv *a, const char *qemu, const struct skein_machine *m);

struct skein_guest {
    const char *kernel;
    const char *initrd; /* NULL: none */
    const char *append; /* NULL: none */
};

/* Multi-threaded TCG, the guest's console and QMP on inherited sockets, the kernel. */
void skein_qemu_args_record(struct skein_argv *a, const struct skein_guest *g, int console_fd,
                            int qmp_fd);

/* On stdout, for a shell: what a QEMU that is started by hand needs to be recorded. */
int skein_qemu_args_print(const struct skein_machine *m);

/* One thread, no devices that anybody could reach. */
void skein_qemu_args_replay(struct skein_argv *a);

#endif
