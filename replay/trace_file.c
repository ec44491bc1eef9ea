#include "replay/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int skein_trace_open(const char *path, struct skein_trace *trace, struct skein_error *err) {
    struct stat st;
    int ret = 0;
    memset(trace, 0, sizeof(*trace));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        ret = skein_error_set(err, -errno, "cannot read the trace %s: %s", path, strerror(errno));
    } else if (st.st_size > 0) {
        void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED)
            ret = skein_error_set(err, -errno, "cannot map the trace: %s", strerror(errno));
        else
            *trace = (struct skein_trace){.map = map, .bytes = (size_t)st.st_size};
    }
    if (fd >= 0)
        close(fd);
    return ret;
}

void skein_trace_close(struct skein_trace *trace) {
    if (trace->map != NULL)
        munmap((void *)trace->map, trace->bytes);
    trace->map = NULL;
}

void skein_trace_rewind(struct skein_trace *trace) {
    trace->at = 0;
    trace->ended = false;
    trace->last = NULL;
    memset(trace->regs, 0, sizeof(trace->regs));
}

static size_t fixed_bytes(uint16_t kind) {
    switch (kind) {
    case SKEIN_TRACE_STATE:
    case SKEIN_TRACE_CHANGE:
        return sizeof(struct skein_trace_state);
    case SKEIN_TRACE_INSN:
        return sizeof(struct skein_trace_insn);
    case SKEIN_TRACE_EVENT:
        return sizeof(struct skein_trace_event);
    case SKEIN_TRACE_END:
        return sizeof(struct skein_trace_record) + sizeof(uint64_t);
    default:
        return 0;
    }
}

static bool has_event(const struct skein_trace_record *r) {
    size_t room = r->size_bytes - sizeof(struct skein_trace_event);
    return room >= sizeof(struct skein_record) && skein_trace_event(r)->size_bytes == room;
}

static bool is_whole(const struct skein_trace_record *r, size_t room) {
    if (room < sizeof(*r) || r->size_bytes > room || r->size_bytes % 8 != 0)
        return false;
    size_t fixed = fixed_bytes(r->kind);
    if (fixed == 0 || r->size_bytes < fixed)
        return false;
    if (r->kind == SKEIN_TRACE_EVENT)
        return has_event(r);
    return r->size_bytes == fixed + r->count * sizeof(struct skein_trace_change);
}

static void apply(struct skein_trace *trace, const struct skein_trace_record *r) {
    const struct skein_trace_change *c = skein_trace_changes(r);
    for (uint16_t i = 0; c != NULL && i < r->count; i++)
        if (c[i].reg < SKEIN_REG_COUNT)
            trace->regs[c[i].reg] = c[i].value;
}

const struct skein_trace_record *skein_trace_next(struct skein_trace *trace) {
    if (trace->last != NULL)
        apply(trace, trace->last);
    const struct skein_trace_record *r = (const void *)(trace->map + trace->at);
    trace->last = NULL;
    if (trace->map == NULL || !is_whole(r, trace->bytes - trace->at))
        return NULL;
    trace->at += r->size_bytes;
    trace->last = r;
    trace->ended |= r->kind == SKEIN_TRACE_END;
    if (r->kind == SKEIN_TRACE_INSN)
        trace->regs[SKEIN_REG_RIP] = ((const struct skein_trace_insn *)r)->pc;
    return r;
}

const struct skein_trace_change *skein_trace_changes(const struct skein_trace_record *record) {
    switch (record->kind) {
    case SKEIN_TRACE_STATE:
    case SKEIN_TRACE_CHANGE:
        return ((const struct skein_trace_state *)record)->changes;
    case SKEIN_TRACE_INSN:
        return ((const struct skein_trace_insn *)record)->changes;
    default:
        return NULL;
    }
}

const struct skein_record *skein_trace_event(const struct skein_trace_record *record) {
    return (const void *)((const struct skein_trace_event *)record)->event;
}

bool skein_trace_within_insn(const struct skein_record *event) {
    switch (event->kind) {
    case SKEIN_VALUE:
    case SKEIN_USER_READ:
    case SKEIN_FPU:
    case SKEIN_PAGE_CLEAN:
        return true;
    case SKEIN_TOKEN:
    case SKEIN_MEM:
        return (event->flags & SKEIN_F_AT_IO) != 0;
    default:
        return false;
    }
}

const char *skein_trace_register_name(uint64_t reg) {
    static const char *const names[SKEIN_REG_COUNT] = {
        "rax",        "rcx",     "rdx",        "rbx",   "rsp",        "rbp",
        "rsi",        "rdi",     "r8",         "r9",    "r10",        "r11",
        "r12",        "r13",     "r14",        "r15",   "rip",        "rflags",
        "es",         "cs",      "ss",         "ds",    "fs",         "gs",
        "fs.base",    "gs.base", "kgs.base",   "cr0",   "cr2",        "cr3",
        "cr4",        "xmm0",    "xmm0.high",  "xmm1",  "xmm1.high",  "xmm2",
        "xmm2.high",  "xmm3",    "xmm3.high",  "xmm4",  "xmm4.high",  "xmm5",
        "xmm5.high",  "xmm6",    "xmm6.high",  "xmm7",  "xmm7.high",  "xmm8",
        "xmm8.high",  "xmm9",    "xmm9.high",  "xmm10", "xmm10.high", "xmm11",
        "xmm11.high", "xmm12",   "xmm12.high", "xmm13", "xmm13.high", "xmm14",
        "xmm14.high", "xmm15",   "xmm15.high",
    };
    return reg < SKEIN_REG_COUNT ? names[reg] : "?";
}
