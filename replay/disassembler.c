#include "replay/disassembler.h"

#include <capstone/capstone.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/trace_record.h"

#define CR0_PE 1u
#define CS_64BIT 0x10u /* the selector of Linux's 64-bit kernel code */

struct skein_disassembler {
    csh handle;
    cs_insn *insn;
};

int skein_disassembler_create(struct skein_disassembler **out) {
    struct skein_disassembler *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return -ENOMEM;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &d->handle) != CS_ERR_OK) {
        free(d);
        return -ENOMEM;
    }
    cs_option(d->handle, CS_OPT_DETAIL, CS_OPT_ON);
    cs_option(d->handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
    d->insn = cs_malloc(d->handle);
    if (d->insn == NULL) {
        skein_disassembler_free(d);
        return -ENOMEM;
    }
    *out = d;
    return 0;
}

void skein_disassembler_free(struct skein_disassembler *d) {
    if (d == NULL)
        return;
    if (d->insn != NULL)
        cs_free(d->insn, 1);
    cs_close(&d->handle);
    free(d);
}

static const struct {
    x86_reg reg;
    uint64_t index;
} known_regs[] = {
    {X86_REG_RAX, 0},
    {X86_REG_RCX, 1},
    {X86_REG_RDX, 2},
    {X86_REG_RBX, 3},
    {X86_REG_RSP, 4},
    {X86_REG_RBP, 5},
    {X86_REG_RSI, 6},
    {X86_REG_RDI, 7},
    {X86_REG_R8, 8},
    {X86_REG_R9, 9},
    {X86_REG_R10, 10},
    {X86_REG_R11, 11},
    {X86_REG_R12, 12},
    {X86_REG_R13, 13},
    {X86_REG_R14, 14},
    {X86_REG_R15, 15},
    {X86_REG_FS, SKEIN_REG_FS_BASE},
    {X86_REG_GS, SKEIN_REG_GS_BASE},
};

/* False: a register whose value is not at hand. */
static bool value_of(x86_reg reg, const uint64_t *regs, uint64_t *value) {
    *value = 0;
    if (reg == X86_REG_INVALID)
        return true;
    for (size_t i = 0; i < sizeof(known_regs) / sizeof(known_regs[0]); i++)
        if (known_regs[i].reg == reg) {
            *value = regs[known_regs[i].index];
            return true;
        }
    return false;
}

static bool address_of(const x86_op_mem *m, uint64_t next_pc, const uint64_t *regs,
                       uint64_t *address) {
    bool segment_counts = m->segment == X86_REG_FS || m->segment == X86_REG_GS;
    uint64_t base, index, segment;
    if (!value_of(m->index, regs, &index) ||
        !value_of(segment_counts ? m->segment : X86_REG_INVALID, regs, &segment))
        return false;
    if (m->base == X86_REG_RIP)
        base = next_pc;
    else if (!value_of(m->base, regs, &base))
        return false;
    *address = segment + base + index * (uint64_t)m->scale + (uint64_t)m->disp;
    return true;
}

/* Names an address without using what is there. */
static bool only_names(const cs_insn *insn) {
    return insn->id == X86_INS_LEA || insn->id == X86_INS_NOP || insn->id == X86_INS_INVLPG;
}

static void find_memory(const cs_insn *insn, const uint64_t *regs, struct skein_insn_text *out) {
    const cs_x86 *x86 = &insn->detail->x86;
    for (uint8_t i = 0; i < x86->op_count && !only_names(insn); i++) {
        const cs_x86_op *op = &x86->operands[i];
        struct skein_insn_memory m = {.bytes = op->size,
                                      .reads = (op->access & CS_AC_READ) != 0,
                                      .writes = (op->access & CS_AC_WRITE) != 0};
        if (op->type == X86_OP_MEM && out->memory_count < SKEIN_INSN_MEMORY_MAX &&
            address_of(&op->mem, insn->address + insn->size, regs, &m.address))
            out->memory[out->memory_count++] = m;
    }
}

static cs_mode mode_of(const uint64_t *regs) {
    if ((regs[SKEIN_REG_CR0] & CR0_PE) == 0)
        return CS_MODE_16;
    return regs[SKEIN_REG_SEG + 1] == CS_64BIT ? CS_MODE_64 : CS_MODE_32;
}

void skein_disassemble(struct skein_disassembler *d, const uint8_t *code, size_t bytes, uint64_t pc,
                       const uint64_t *regs, struct skein_insn_text *out) {
    uint64_t address = pc;
    *out = (struct skein_insn_text){0};
    cs_option(d->handle, CS_OPT_MODE, mode_of(regs));
    if (!cs_disasm_iter(d->handle, &code, &bytes, &address, d->insn)) {
        snprintf(out->text, sizeof(out->text), "(no instruction)");
        return;
    }
    out->bytes = d->insn->size;
    snprintf(out->text, sizeof(out->text), "%s%s%s", d->insn->mnemonic,
             d->insn->op_str[0] != '\0' ? " " : "", d->insn->op_str);
    find_memory(d->insn, regs, out);
}
