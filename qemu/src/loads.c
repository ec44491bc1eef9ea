/*
 * What the kernel loads from user-dirty pages: an input, gathered in runs of consecutive bytes, so
 * that a copy from user memory is few events. Replay takes the bytes from the log; as many at once
 * as one load of the recorder's had, or one of its string instructions (string.c).
 */
#include "accel/tcg/skein/state.h"

/* Record: a run that goes on at addr, with room for an element of that size. */
static size_t room_in_run(SkeinCPU *c, vaddr addr, unsigned size)
{
    if (c->run_len && (addr != c->run_va + c->run_len || c->run_len + size > SKEIN_RUN_MAX)) {
        skein_log_run_close(c);
    }
    if (!c->run_len) {
        c->run_va = addr;
    }
    return (SKEIN_RUN_MAX - c->run_len) / size * size;
}

static void next_run(SkeinCPU *c, vaddr addr)
{
    const struct skein_record *r = skein_replay_next(c, SKEIN_USER_READ);
    uint64_t va = *(const uint64_t *)(r + 1);

    if (va != addr || r->arg > sizeof(c->run)) {
        skein_diverged(c, SKEIN_USER_READ, va, addr, "address of a read from user memory");
    }
    c->run_va = va;
    c->run_len = r->arg;
    c->run_pos = 0;
    memcpy(c->run, (const uint8_t *)(r + 1) + sizeof(va), r->arg);
}

/* Replay: what is left of the run at addr, at least an element of that size. */
static size_t left_of_run(SkeinCPU *c, vaddr addr, unsigned size)
{
    size_t left;

    if (c->run_pos == c->run_len) {
        next_run(c, addr);
    }
    left = c->run_len - c->run_pos;
    if (addr != c->run_va + c->run_pos || size > left) {
        skein_diverged(c, SKEIN_USER_READ, c->run_va + c->run_pos, addr,
                       "address within a read from user memory");
    }
    return left / size * size;
}

/* At most so many bytes at addr, once: others may be writing them. Where they are now. */
static const uint8_t *take(SkeinCPU *c, vaddr addr, unsigned size, const void *from, size_t *bytes)
{
    const uint8_t *at;

    if (skein_replaying) {
        *bytes = MIN(*bytes, left_of_run(c, addr, size));
        at = c->run + c->run_pos;
        c->run_pos += *bytes;
        return at;
    }
    *bytes = MIN(*bytes, room_in_run(c, addr, size));
    at = memcpy(c->run + c->run_len, from, *bytes);
    c->run_len += *bytes;
    return at;
}

uint64_t skein_load(CPUState *cpu, vaddr addr, unsigned size, ram_addr_t ram0, ram_addr_t ram1,
                    uint64_t value)
{
    SkeinCPU *c = cpu->skein;
    size_t bytes = size;
    uint64_t loaded = 0;

    if (!c || !c->in_kernel || (!skein_page_dirty(ram0) && !skein_page_dirty(ram1))) {
        return value;
    }
    memcpy(&loaded, take(c, addr, size, &value, &bytes), size);
    return loaded;
}

void skein_load_bytes(SkeinCPU *c, vaddr addr, unsigned size, const uint8_t *from, uint8_t *to,
                      size_t bytes)
{
    for (size_t done = 0, n; done < bytes; done += n) {
        const uint8_t *at;

        n = bytes - done;
        at = take(c, addr + done, size, from + done, &n);
        memcpy(to + done, at, n);
    }
}
