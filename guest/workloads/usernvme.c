/*
 * An NVMe controller driven from user mode: it identifies itself, some times, into fresh pages. The
 * argument is the serial number that it must have.
 */
#include <string.h>

#include "lib.h"
#include "pcidriver.h"

enum {
    CLASS = 0x010802,
    ROUNDS = 4,
    ENTRIES = 16,
    /* registers, in words of 32 bits */
    MASK_INTERRUPTS = 0x0c / 4,
    CONFIGURATION = 0x14 / 4,
    STATUS = 0x1c / 4,
    QUEUE_SIZES = 0x24 / 4,
    SUBMISSIONS = 0x28 / 4,
    COMPLETIONS = 0x30 / 4,
    SUBMITTED = 0x1000 / 4,
    COMPLETED = 0x1004 / 4,
    READY = 1,
    ENABLE = 1 | 6 << 16 | 4 << 20, /* entries of 64 and 16 bytes */
    IDENTIFY = 6,
    CONTROLLER = 1,
    SERIAL_AT = 4,
    SERIAL_BYTES = 20,
};

static volatile uint32_t *regs;
static uint32_t (*submissions)[16];
static volatile uint32_t (*completions)[4];

static void set_address(int reg, uint64_t at) {
    regs[reg] = (uint32_t)at;
    regs[reg + 1] = (uint32_t)(at >> 32);
}

static void start(void) {
    uint64_t submissions_at;
    uint64_t completions_at;
    submissions = dma_page(&submissions_at);
    completions = dma_page(&completions_at);
    regs[CONFIGURATION] = 0;
    await_bits(&regs[STATUS], READY, 0, "the controller's reset");
    regs[MASK_INTERRUPTS] = ~0u;
    regs[QUEUE_SIZES] = (ENTRIES - 1) << 16 | (ENTRIES - 1);
    set_address(SUBMISSIONS, submissions_at);
    set_address(COMPLETIONS, completions_at);
    regs[CONFIGURATION] = ENABLE;
    await_bits(&regs[STATUS], READY, READY, "the controller");
}

static void identify(uint32_t round, const char *serial) {
    uint64_t at;
    char *page = dma_page(&at);
    uint32_t *command = submissions[round];
    memset(command, 0, sizeof(submissions[0]));
    command[0] = IDENTIFY | round << 16;
    command[6] = (uint32_t)at;
    command[7] = (uint32_t)(at >> 32);
    command[10] = CONTROLLER;
    __sync_synchronize();
    regs[SUBMITTED] = round + 1;
    await_bits(&completions[round][3], 1u << 16, 1u << 16, "the answer");
    CHECK(completions[round][3] >> 17 == 0, "identify: status %#x", completions[round][3] >> 17);
    regs[COMPLETED] = round + 1;
    CHECK(strncmp(page + SERIAL_AT, serial, strlen(serial)) == 0, "the serial number is %.*s",
          SERIAL_BYTES, page + SERIAL_AT);
    kernel_takes(page + SERIAL_AT, page, PAGE_BYTES);
    dma_free(page);
}

int workload_usernvme(int argc, char **argv) {
    CHECK(argc == 2, "usernvme SERIAL");
    regs = pci_map(CLASS, 0);
    start();
    for (uint32_t round = 0; round < ROUNDS; round++) {
        identify(round, argv[1]);
    }
    ok("usernvme: identified from user mode");
    return 0;
}
