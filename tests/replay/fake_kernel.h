/*
 * A guest's memory with a Linux kernel in it: none that could run, but with everything that
 * replay/kernel.h looks for, in the forms that it had in several versions.
 */
#ifndef SKEIN_TESTS_REPLAY_FAKE_KERNEL_H
#define SKEIN_TESTS_REPLAY_FAKE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replay/kernel.h"
#include "replay/orc.h"

#define FAKE_RAM_BYTES (12u << 20)
#define FAKE_MODULES_PHYSICAL (10u << 20)
#define FAKE_MODULE_START 0xffffffffc0200000u
#define FAKE_MODULE_STEP 0x10000u
#define FAKE_BANNER "Linux version 6.1.0-fake (builder@host) #1 SMP\n"

/* Places in the image, from _text on. */
#define FAKE_ENTRY 0x100080u
#define FAKE_TEXT_END 0x180000u
#define FAKE_LINUX_BANNER 0x181000u
#define FAKE_NOTES 0x182000u
#define FAKE_ORC_IPS 0x190000u
#define FAKE_ORC 0x1a0000u
#define FAKE_KALLSYMS 0x200000u
#define FAKE_BTF 0x300000u
#define FAKE_TOP_TABLE 0x380000u
#define FAKE_MODULES_LIST 0x390000u
#define FAKE_INIT_TEXT 0x3a0000u
#define FAKE_INIT_TEXT_END 0x3b0000u
#define FAKE_END 0x3f0000u

enum fake_tables { FAKE_TABLES_6_1, FAKE_TABLES_6_2, FAKE_TABLES_6_4 };

struct fake_options {
    enum fake_tables tables;
    bool no_percpu_addresses; /* as from Linux 6.15 on */
    bool five_levels;
    bool module_memory; /* struct module of Linux 6.4 and later, and its ORC */
    bool no_btf;
    uint64_t slide;    /* KASLR; a multiple of 2 MiB */
    uint64_t physical; /* where the image is; 0: at 2 MiB */
    unsigned fillers;  /* functions; 0: 1000 */
    unsigned modules;
};

struct fake_symbol {
    uint64_t address;
    char type;
    char name[400];
};

struct fake_kernel {
    uint8_t *ram;
    struct fake_options options;
    uint64_t text;               /* address of _text */
    struct fake_symbol *symbols; /* the kernel's own, in order of address */
    size_t count;
    size_t kallsyms_end; /* in the image */
    uint64_t reads;
};

struct fake_kernel *fake_kernel_make(const struct fake_options *options);
void fake_kernel_free(struct fake_kernel *fake);

/* Its physical memory. */
struct skein_guest_memory fake_kernel_memory(struct fake_kernel *fake);

/* At a place in the image, or at an address of a module. */
uint8_t *fake_kernel_at(struct fake_kernel *fake, uint64_t place);
uint8_t *fake_module_at(struct fake_kernel *fake, uint64_t address);

int fake_kernel_find(struct fake_kernel *fake, struct skein_kernel *kernel,
                     struct skein_error *err);

/* What fake_kernel_make() is made of: each returns how many bytes it has written. */
size_t fake_kallsyms_write(const struct fake_kernel *fake, uint8_t *to);
size_t fake_btf_write(const struct fake_options *options, uint8_t *to);
void fake_modules_write(struct fake_kernel *fake);

/* Where fake_btf_write() says that things are. */
enum {
    FAKE_MODULE_LIST = 8,
    FAKE_MODULE_NAME = 24,
    FAKE_MODULE_RANGES = 80, /* up to 7 times 16 bytes */
    FAKE_MODULE_KALLSYMS = 200,
    FAKE_MODULE_ARCH = 208,
    FAKE_MODULE_BYTES = 256,
};

#endif
