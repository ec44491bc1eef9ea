/*
 * virtio-net driven from user mode: it asks QEMU's network for the address of 10.0.2.2, some times,
 * and each answer comes into a fresh page. The card's own address must be "virtio".
 */
#include <string.h>

#include "lib.h"
#include "pcidriver.h"

enum {
    CLASS = 0x020000,
    BAR = 4, /* where QEMU has all of it */
    ROUNDS = 8,
    ENTRIES = 16,
    /* the common configuration */
    FEATURE_SELECT = 8,
    FEATURES = 12,
    STATUS = 20,
    QUEUE_SELECT = 22,
    QUEUE_SIZE = 24,
    QUEUE_ENABLE = 28,
    QUEUE_ADDRESSES = 32, /* of 64 bits: descriptors, available, used */
    NOTIFY = 0x3000,
    NOTIFY_STEP = 4,
    VERSION_1 = 1, /* bit 32 */
    RECOGNIZED = 1 | 2,
    FEATURES_OK = 8,
    DRIVER_OK = 4,
    WRITABLE = 2,
    NO_INTERRUPT = 1,
    HEADER_BYTES = 12,
    FRAME_BYTES = 60,
};

struct descriptor {
    uint64_t at;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};

struct available {
    uint16_t flags;
    uint16_t index;
    uint16_t ring[ENTRIES];
};

struct queue {
    struct descriptor *descriptors;
    volatile struct available *available;
    volatile uint32_t *used; /* flags and index, in 16 bits each; then the entries */
    uint16_t number;
};

static volatile uint8_t *regs;

static void set16(int reg, uint16_t value) {
    *(volatile uint16_t *)(regs + reg) = value;
}

static void set32(int reg, uint32_t value) {
    *(volatile uint32_t *)(regs + reg) = value;
}

static void make(struct queue *q, uint16_t number) {
    uint64_t at[3];
    q->number = number;
    q->descriptors = dma_page(&at[0]);
    q->available = dma_page(&at[1]);
    q->used = dma_page(&at[2]);
    q->available->flags = NO_INTERRUPT;
    set16(QUEUE_SELECT, number);
    set16(QUEUE_SIZE, ENTRIES);
    for (int i = 0; i < 3; i++) {
        set32(QUEUE_ADDRESSES + 8 * i, (uint32_t)at[i]);
        set32(QUEUE_ADDRESSES + 8 * i + 4, (uint32_t)(at[i] >> 32));
    }
    set16(QUEUE_ENABLE, 1);
}

static void begin(void) {
    regs[STATUS] = 0;
    regs[STATUS] = RECOGNIZED;
    set32(FEATURE_SELECT, 1);
    set32(FEATURES, VERSION_1);
    regs[STATUS] = RECOGNIZED | FEATURES_OK;
    CHECK((regs[STATUS] & FEATURES_OK) != 0, "the card does not take the features");
}

static void give(struct queue *q, uint64_t at, uint32_t length, uint16_t flags) {
    uint16_t slot = q->available->index % ENTRIES;
    q->descriptors[slot] = (struct descriptor){.at = at, .length = length, .flags = flags};
    q->available->ring[slot] = slot;
    __sync_synchronize();
    q->available->index++;
    __sync_synchronize();
    set16(NOTIFY + NOTIFY_STEP * q->number, q->number);
}

static void await_all(const struct queue *q, const char *what) {
    await_bits(q->used, 0xffff0000, (uint32_t)q->available->index << 16, what);
}

static void fill_question(char *frame) {
    static const char question[] = "\xff\xff\xff\xff\xff\xff"
                                   "virtio"
                                   "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01"
                                   "virtio"
                                   "\x0a\x00\x02\x0f\x00\x00\x00\x00\x00\x00\x0a\x00\x02\x02";
    memset(frame, 0, HEADER_BYTES + FRAME_BYTES);
    memcpy(frame + HEADER_BYTES, question, sizeof(question) - 1);
}

static void ask(struct queue *in, struct queue *out) {
    uint64_t in_at;
    uint64_t out_at;
    char *answer = dma_page(&in_at);
    char *question = dma_page(&out_at);
    fill_question(question);
    give(in, in_at, PAGE_BYTES, WRITABLE);
    give(out, out_at, HEADER_BYTES + FRAME_BYTES, 0);
    await_all(out, "the end of sending");
    await_all(in, "the answer");
    CHECK(memcmp(answer + HEADER_BYTES, "virtio", 6) == 0, "the answer is for another card");
    kernel_takes(answer + HEADER_BYTES, answer, PAGE_BYTES);
    dma_free(answer);
    dma_free(question);
}

int workload_uservirtio(int argc, char **argv) {
    struct queue in;
    struct queue out;
    (void)argc;
    (void)argv;
    regs = pci_map(CLASS, BAR);
    begin();
    make(&in, 0);
    make(&out, 1);
    regs[STATUS] = RECOGNIZED | FEATURES_OK | DRIVER_OK;
    for (int round = 0; round < ROUNDS; round++) {
        ask(&in, &out);
    }
    ok("uservirtio: questions asked and answered from user mode");
    return 0;
}
