/* One x86 instruction in words, and which memory it names. */
#ifndef SKEIN_REPLAY_DISASSEMBLER_H
#define SKEIN_REPLAY_DISASSEMBLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skein_disassembler;

#define SKEIN_INSN_MEMORY_MAX 2u

struct skein_insn_memory {
    uint64_t address;
    uint32_t bytes;
    bool reads;
    bool writes;
};

struct skein_insn_text {
    unsigned bytes; /* its length; 0: these bytes are no instruction */
    char text[192]; /* AT&T syntax */
    unsigned memory_count;
    struct skein_insn_memory memory[SKEIN_INSN_MEMORY_MAX];
};

/* 0 or -ENOMEM. */
int skein_disassembler_create(struct skein_disassembler **out);
void skein_disassembler_free(struct skein_disassembler *d);

/* regs: as in a trace (enum skein_trace_register), before the instruction. */
void skein_disassemble(struct skein_disassembler *d, const uint8_t *code, size_t bytes, uint64_t pc,
                       const uint64_t *regs, struct skein_insn_text *out);

#endif
