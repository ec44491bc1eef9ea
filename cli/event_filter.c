#include "cli/event_filter.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1000000000u
static_assert(SKEIN_KIND_COUNT <= 32, "a bit for each kind");

void skein_event_filter_init(struct skein_event_filter *f) {
    const struct skein_range all = {0, UINT64_MAX};
    *f = (struct skein_event_filter){
        .kinds = UINT32_MAX, .devices = true, .tick = all, .slice = all, .time_ns = all};
    memset(f->vcpu, true, sizeof(f->vcpu));
}

/* The next word of a list with commas; its length. *text moves behind it, NULL: it was the last. */
static size_t next_word(const char **text, const char **word) {
    const char *comma = strchr(*text, ',');
    *word = *text;
    *text = comma != NULL ? comma + 1 : NULL;
    return comma != NULL ? (size_t)(comma - *word) : strlen(*word);
}

static bool is_word(const char *word, size_t length, const char *name) {
    return strlen(name) == length && memcmp(word, name, length) == 0;
}

bool skein_event_filter_kinds(struct skein_event_filter *f, const char *text) {
    const char *word;
    f->kinds = 0;
    while (text != NULL) {
        const uint32_t before = f->kinds;
        size_t length = next_word(&text, &word);
        for (uint8_t kind = SKEIN_TOKEN; kind < SKEIN_KIND_COUNT; kind++)
            if (is_word(word, length, skein_kind_name(kind)))
                f->kinds |= 1u << kind;
        if (f->kinds == before)
            return false;
    }
    return true;
}

/* Digits only; *end is behind the last one. */
static bool parse_u64(const char *text, char **end, uint64_t *value) {
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *value = strtoull(text, end, 10);
    return errno == 0;
}

bool skein_event_filter_vcpus(struct skein_event_filter *f, const char *text) {
    const char *word;
    memset(f->vcpu, false, sizeof(f->vcpu));
    f->devices = false;
    f->by_shard = true;
    while (text != NULL) {
        size_t length = next_word(&text, &word);
        uint64_t vcpu;
        char *end;
        if (is_word(word, length, "devices"))
            f->devices = true;
        else if (parse_u64(word, &end, &vcpu) && end == word + length && vcpu < SKEIN_MAX_VCPUS)
            f->vcpu[vcpu] = true;
        else
            return false;
    }
    return true;
}

static bool parse_seconds(const char *text, char **end, uint64_t *ns) {
    uint64_t seconds, digit_ns = NS_PER_S / 10;
    if (!parse_u64(text, end, &seconds) || seconds > UINT64_MAX / NS_PER_S - 1)
        return false;
    *ns = seconds * NS_PER_S;
    if (**end != '.' || !isdigit((unsigned char)(*end)[1]))
        return true;
    for (++*end; isdigit((unsigned char)**end); ++*end, digit_ns /= 10)
        *ns += (uint64_t)(**end - '0') * digit_ns;
    return true;
}

static bool parse_range(struct skein_range *range, const char *text,
                        bool (*parse)(const char *, char **, uint64_t *)) {
    char *end;
    *range = (struct skein_range){0, UINT64_MAX};
    if (strncmp(text, "..", 2) != 0) {
        if (!parse(text, &end, &range->first))
            return false;
        if (*end == '\0') {
            range->last = range->first;
            return true;
        }
        text = end;
    }
    if (strncmp(text, "..", 2) != 0)
        return false;
    text += 2;
    return *text == '\0' ||
           (parse(text, &end, &range->last) && *end == '\0' && range->first <= range->last);
}

bool skein_range_parse(struct skein_range *range, const char *text) {
    return parse_range(range, text, parse_u64);
}

bool skein_range_parse_seconds(struct skein_range *range, const char *text) {
    return parse_range(range, text, parse_seconds);
}

static bool is_all(const struct skein_range *r) {
    return r->first == 0 && r->last == UINT64_MAX;
}

bool skein_event_filter_skips(const struct skein_event_filter *f) {
    return f->by_shard || !is_all(&f->tick) || !is_all(&f->slice);
}

void skein_event_filter_want(const struct skein_event_filter *f, uint32_t shard_count,
                             struct skein_block_want *want) {
    *want = (struct skein_block_want){.first_tick = f->tick.first,
                                      .last_tick = f->tick.last,
                                      .first_slice = f->slice.first,
                                      .last_slice = f->slice.last};
    for (uint32_t shard = 0; shard < shard_count && shard < SKEIN_MAX_SHARDS; shard++)
        want->shard[shard] = skein_event_filter_shard(f, shard_count, shard);
}
