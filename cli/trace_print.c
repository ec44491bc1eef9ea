#include "cli/trace_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CODE_WIDTH 24u
#define TEXT_WIDTH 44u

int skein_trace_print_open(struct skein_trace_print *p, uint32_t shard_count, bool json) {
    struct skein_event_names *names = NULL;
    *p = (struct skein_trace_print){0};
    int ret = skein_event_names_create(&names);
    if (ret == 0)
        ret = skein_disassembler_create(&p->disassembler);
    p->event = (struct skein_event_print){
        .names = names, .shard_count = shard_count, .json = json, .no_time = true};
    if (ret != 0)
        skein_trace_print_close(p);
    return ret;
}

void skein_trace_print_close(struct skein_trace_print *p) {
    skein_disassembler_free(p->disassembler);
    if (p->event.names != NULL)
        skein_event_names_free((struct skein_event_names *)p->event.names);
    *p = (struct skein_trace_print){0};
}

static void json_key(struct skein_out *out, const char *name) {
    skein_out_string(out, ",\"");
    skein_out_string(out, name);
    skein_out_string(out, "\":");
}

static void json_hex(struct skein_out *out, uint64_t value) {
    skein_out_char(out, '"');
    skein_out_hex(out, value);
    skein_out_char(out, '"');
}

static void json_registers(struct skein_out *out, const struct skein_trace_record *r) {
    const struct skein_trace_change *c = skein_trace_changes(r);
    json_key(out, "registers");
    skein_out_char(out, '{');
    for (uint16_t i = 0; i < r->count; i++) {
        skein_out_string(out, i == 0 ? "\"" : ",\"");
        skein_out_string(out, skein_trace_register_name(c[i].reg));
        skein_out_string(out, "\":");
        json_hex(out, c[i].value);
    }
    skein_out_char(out, '}');
}

static void json_memory(struct skein_out *out, const struct skein_insn_text *text) {
    json_key(out, "memory");
    skein_out_char(out, '[');
    for (unsigned i = 0; i < text->memory_count; i++) {
        const struct skein_insn_memory *m = &text->memory[i];
        skein_out_string(out, i == 0 ? "{\"address\":" : ",{\"address\":");
        json_hex(out, m->address);
        json_key(out, "bytes");
        skein_out_dec(out, m->bytes);
        json_key(out, "reads");
        skein_out_string(out, m->reads ? "true" : "false");
        json_key(out, "writes");
        skein_out_string(out, m->writes ? "true}" : "false}");
    }
    skein_out_char(out, ']');
}

static void json_insn(struct skein_out *out, const struct skein_trace_insn *insn,
                      const struct skein_insn_text *text) {
    skein_out_string(out, "{\"type\":\"insn\"");
    json_key(out, "icount");
    skein_out_dec(out, insn->icount);
    json_key(out, "slice");
    skein_out_dec(out, insn->slice);
    json_key(out, "pc");
    json_hex(out, insn->pc);
    json_key(out, "code");
    skein_out_char(out, '"');
    skein_out_bytes(out, insn->code, text->bytes);
    skein_out_char(out, '"');
    json_key(out, "text");
    skein_out_char(out, '"');
    skein_out_string(out, text->text);
    skein_out_char(out, '"');
    json_registers(out, &insn->head);
    json_memory(out, text);
    skein_out_char(out, '}');
}

static void text_registers(struct skein_out *out, const struct skein_trace_record *r) {
    const struct skein_trace_change *c = skein_trace_changes(r);
    for (uint16_t i = 0; i < r->count; i++) {
        skein_out_char(out, ' ');
        skein_out_string(out, skein_trace_register_name(c[i].reg));
        skein_out_char(out, '=');
        skein_out_hex(out, c[i].value);
    }
}

static void text_memory(struct skein_out *out, const struct skein_insn_text *text) {
    for (unsigned i = 0; i < text->memory_count; i++) {
        const struct skein_insn_memory *m = &text->memory[i];
        skein_out_string(out, m->reads && m->writes ? " update["
                              : m->writes           ? " store["
                                                    : " load[");
        skein_out_hex(out, m->address);
        skein_out_string(out, " ");
        skein_out_dec(out, m->bytes);
        skein_out_char(out, ']');
    }
}

static void text_insn(struct skein_out *out, const struct skein_trace_insn *insn,
                      const struct skein_insn_text *text) {
    skein_out_dec_aligned(out, insn->icount, 12);
    skein_out_string(out, "  ");
    skein_out_hex(out, insn->pc);
    skein_out_string(out, "  ");
    size_t start = out->used;
    skein_out_bytes(out, insn->code, text->bytes);
    skein_out_pad(out, start, CODE_WIDTH);
    start = out->used;
    skein_out_string(out, text->text);
    skein_out_pad(out, start, TEXT_WIDTH);
    skein_out_char(out, ';');
    text_registers(out, &insn->head);
    text_memory(out, text);
}

static void print_insn(const struct skein_trace_print *p, const struct skein_trace *trace,
                       struct skein_out *out) {
    const struct skein_trace_insn *insn = (const void *)trace->last;
    struct skein_insn_text text;
    skein_disassemble(p->disassembler, insn->code, 15, insn->pc, trace->regs, &text);
    if (p->event.json)
        json_insn(out, insn, &text);
    else
        text_insn(out, insn, &text);
}

static void print_event(const struct skein_trace_print *p, const struct skein_trace_record *record,
                        struct skein_out *out) {
    const struct skein_trace_event *e = (const void *)record;
    const struct skein_event event = {.shard = (uint32_t)e->shard,
                                      .tick = e->tick,
                                      .slice = e->slice,
                                      .record = skein_trace_event(record)};
    if (p->event.json) {
        skein_out_string(out, "{\"type\":\"event\"");
        json_key(out, "icount");
        skein_out_dec(out, e->icount);
        json_key(out, "event");
    } else {
        skein_out_char(out, '#');
    }
    skein_event_print(&p->event, out, &event, 0);
    if (p->event.json)
        skein_out_char(out, '}');
}

static void print_state(const struct skein_trace_print *p, const struct skein_trace_record *record,
                        struct skein_out *out) {
    const struct skein_trace_state *state = (const void *)record;
    bool all = record->kind == SKEIN_TRACE_STATE;
    if (p->event.json) {
        skein_out_string(out, all ? "{\"type\":\"state\"" : "{\"type\":\"change\"");
        json_key(out, "icount");
        skein_out_dec(out, state->icount);
        json_registers(out, record);
        skein_out_char(out, '}');
    } else {
        skein_out_string(out, all ? "# registers:" : "# changed:");
        text_registers(out, record);
    }
}

void skein_trace_print(const struct skein_trace_print *p, const struct skein_trace *trace,
                       struct skein_out *out) {
    switch (trace->last->kind) {
    case SKEIN_TRACE_INSN:
        print_insn(p, trace, out);
        break;
    case SKEIN_TRACE_EVENT:
        print_event(p, trace->last, out);
        break;
    case SKEIN_TRACE_STATE:
    case SKEIN_TRACE_CHANGE:
        print_state(p, trace->last, out);
        break;
    default:
        return;
    }
    skein_out_char(out, '\n');
}

void skein_trace_print_registers(const uint64_t *regs, FILE *out) {
    for (uint64_t i = 0; i < SKEIN_REG_XMM; i++)
        fprintf(out, "%s%-9s 0x%016" PRIx64 "%s", i % 3 == 0 ? "    " : "  ",
                skein_trace_register_name(i), regs[i],
                i % 3 == 2 || i + 1 == SKEIN_REG_XMM ? "\n" : "");
}
