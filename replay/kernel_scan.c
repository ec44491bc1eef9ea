#include "replay/kernel_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (1u << 20)
#define STEP_BYTES (64u << 10) /* at the edge of a window */
#define MAX_TRIED 16u          /* each costs up to a second on memory made to cost it */
#define MAX_NEAR 4096u

int skein_kernel_scan_begin(struct skein_kernel_scan *s, const struct skein_guest_memory *physical,
                            uint64_t end, uint64_t from) {
    *s = (struct skein_kernel_scan){.physical = physical, .end = end};
    s->from = s->at = from < end ? from - from % CHUNK_BYTES : 0;
    s->chunk = malloc(CHUNK_BYTES + SKEIN_KALLSYMS_DIGITS_BYTES);
    s->room = malloc(SKEIN_KALLSYMS_BEFORE + SKEIN_KALLSYMS_AFTER);
    return s->chunk != NULL && s->room != NULL ? 0 : -ENOMEM;
}

void skein_kernel_scan_end(struct skein_kernel_scan *s) {
    free(s->chunk);
    free(s->room);
    *s = (struct skein_kernel_scan){0};
}

/*
 * What can be read without a gap from `before` bytes in front of a place to `after` bytes behind
 * it, as the window; *start is the physical address of its first byte.
 */
static size_t read_around(struct skein_kernel_scan *s, uint64_t place, size_t before, size_t after,
                          uint64_t *start) {
    const uint64_t edge = place - place % STEP_BYTES;
    const size_t most = before < edge ? before : (size_t)edge;
    size_t in_front = 0, bytes;
    while (in_front + STEP_BYTES <= most &&
           skein_guest_read(s->physical, edge - in_front - STEP_BYTES,
                            s->room + before - in_front - STEP_BYTES, STEP_BYTES) == 0)
        in_front += STEP_BYTES;
    bytes = in_front + skein_guest_read_some(s->physical, edge, s->room + before, after);
    s->window = s->room + before - in_front;
    *start = edge - in_front;
    return bytes;
}

static bool look_at(struct skein_kernel_scan *s, uint64_t digits, struct skein_kallsyms *k,
                    uint64_t *address) {
    uint64_t start;
    size_t bytes = read_around(s, digits, SKEIN_KALLSYMS_NEAR, SKEIN_KALLSYMS_NEAR * 2, &start);
    if (!skein_kallsyms_find_tokens(s->window, bytes, (size_t)(digits - start), k))
        return false;
    s->tried++;
    bytes = read_around(s, digits, SKEIN_KALLSYMS_BEFORE, SKEIN_KALLSYMS_AFTER, &start);
    if (!skein_kallsyms_find_tokens(s->window, bytes, (size_t)(digits - start), k) ||
        skein_kallsyms_find(s->window, bytes, k) != 0)
        return false;
    *address = start + k->token_table;
    return true;
}

/* Digits from s->at on, within the chunk that it lies in; s->at moves behind what was searched. */
static bool next_digits(struct skein_kernel_scan *s, uint64_t *digits) {
    const uint64_t chunk = s->at - s->at % CHUNK_BYTES;
    const size_t wanted = CHUNK_BYTES + SKEIN_KALLSYMS_DIGITS_BYTES - 1;
    const size_t skipped = (size_t)(s->at - chunk);
    for (size_t at = skipped; at < CHUNK_BYTES;) {
        const size_t bytes = skein_guest_read_some(s->physical, chunk + at, s->chunk, wanted - at);
        const uint8_t *found =
            memmem(s->chunk, bytes, SKEIN_KALLSYMS_DIGITS, SKEIN_KALLSYMS_DIGITS_BYTES);
        if (found != NULL) {
            *digits = chunk + at + (uint64_t)(found - s->chunk);
            s->at = *digits + 1;
            return true;
        }
        at += bytes; /* a gap: go on behind it */
        at = (at / SKEIN_GUEST_PAGE + 1) * SKEIN_GUEST_PAGE;
    }
    s->at = chunk + CHUNK_BYTES;
    return false;
}

int skein_kernel_scan_next(struct skein_kernel_scan *s, struct skein_kallsyms *k,
                           uint64_t *address) {
    unsigned near = 0;
    while (s->tried < MAX_TRIED && near < MAX_NEAR) {
        uint64_t digits;
        if (s->at >= s->end && !s->wrapped) {
            s->wrapped = true;
            s->at = 0;
        }
        if (s->at >= (s->wrapped ? s->from : s->end))
            break;
        if (!next_digits(s, &digits))
            continue;
        near++;
        if (look_at(s, digits, k, address))
            return 0;
    }
    return -ENOENT;
}
