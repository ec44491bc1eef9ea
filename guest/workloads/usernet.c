/*
 * An e1000 driven from user mode: frames that its loopback brings back, each into a fresh page. The
 * argument is how many.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib.h"
#include "pcidriver.h"

enum {
    CLASS = 0x020000,
    ENTRIES = 8,
    FRAME_BYTES = 1024,
    NAME_AT = 16,
    /* registers, in words of 32 bits */
    MDIC = 0x20 / 4,
    MASK_INTERRUPTS = 0xd8 / 4,
    RCTL = 0x100 / 4,
    TCTL = 0x400 / 4,
    RDBAL = 0x2800 / 4,
    TDBAL = 0x3800 / 4,
    MDIC_WRITE = 1 << 26 | 1 << 21, /* to the PHY's control register, which is 0 */
    MDIC_READY = 1 << 28,
    PHY_LOOPBACK = 0x4140,
    RCTL_ANY = 0x801a, /* on, whatever the address */
    TCTL_ON = 0xa,
    SEND = 0xb << 24, /* one frame, with checksum, and say so */
    DONE = 1,
};

/* From a ring's address register on. */
enum { LOW = 0, HIGH = 1, LENGTH = 2, HEAD = 4, TAIL = 6 };

struct ring {
    volatile uint32_t (*entries)[4]; /* address, then: length and command; status */
    int reg;
    uint32_t tail;
};

static volatile uint32_t *regs;
static struct ring sent = {.reg = TDBAL};
static struct ring received = {.reg = RDBAL};

static void make(struct ring *r) {
    uint64_t at;
    r->entries = dma_page(&at);
    regs[r->reg + LOW] = (uint32_t)at;
    regs[r->reg + HIGH] = (uint32_t)(at >> 32);
    regs[r->reg + LENGTH] = ENTRIES * sizeof(r->entries[0]);
    regs[r->reg + HEAD] = 0;
    regs[r->reg + TAIL] = 0;
}

/* The status word of the entry, which says when it is done. */
static volatile uint32_t *give(struct ring *r, uint64_t at, uint32_t command) {
    volatile uint32_t *entry = r->entries[r->tail];
    entry[0] = (uint32_t)at;
    entry[1] = (uint32_t)(at >> 32);
    entry[2] = command;
    entry[3] = 0;
    r->tail = (r->tail + 1) % ENTRIES;
    __sync_synchronize();
    regs[r->reg + TAIL] = r->tail;
    return &entry[3];
}

static void start(void) {
    regs[MASK_INTERRUPTS] = ~0u;
    regs[MDIC] = MDIC_WRITE | PHY_LOOPBACK;
    await_bits(&regs[MDIC], MDIC_READY, MDIC_READY, "the loopback");
    make(&sent);
    make(&received);
    regs[RCTL] = RCTL_ANY;
    regs[TCTL] = TCTL_ON;
    sleep(2); /* QEMU's takes no frames in the first second */
}

static void round_trip(uint64_t round) {
    uint64_t out_at;
    uint64_t in_at;
    char *out = dma_page(&out_at);
    char *in = dma_page(&in_at);
    fill(out, FRAME_BYTES, round);
    snprintf(out + NAME_AT, 32, "frame-%u", (unsigned)round);
    volatile uint32_t *came = give(&received, in_at, 0);
    volatile uint32_t *went = give(&sent, out_at, SEND | FRAME_BYTES);
    await_bits(went, DONE, DONE, "the end of sending");
    await_bits(came, DONE, DONE, "the frame");
    CHECK(memcmp(in, out, FRAME_BYTES) == 0, "what came is not what was sent");
    kernel_takes(in + NAME_AT, in, FRAME_BYTES);
    dma_free(in);
    dma_free(out);
}

int workload_usernet(int argc, char **argv) {
    long rounds = arg_number(argc, argv, 1, 20);
    regs = pci_map(CLASS, 0);
    start();
    for (long round = 1; round <= rounds; round++) {
        round_trip((uint64_t)round);
    }
    ok("usernet: frames sent and received from user mode");
    return 0;
}
