#include "cli/record_until.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "pipeline/event.h"

/* What Linux prints when it finds itself broken. A user program's fault looks like none of them. */
static const char *const broken[] = {
    "Kernel panic - not syncing",
    "BUG: ",          /* a bad address, a lock-up, sleeping in atomic context, a sanitizer */
    "kernel BUG at ", /* BUG(), of which a corrupted list is one */
    " [#1] ",         /* an oops: what the first one is numbered by */
};
_Static_assert(sizeof(broken) / sizeof(broken[0]) <= SKEIN_UNTIL_TEXTS, "room for all");

/* The rest of the word behind its head; NULL: it has another. */
static const char *behind(const char *word, const char *head) {
    size_t len = strlen(head);
    return strncmp(word, head, len) == 0 ? word + len : NULL;
}

bool skein_until_parse(const char *word, struct skein_until *u) {
    const char *text = behind(word, "console:");
    const char *status = behind(word, "exit:");
    *u = (struct skein_until){.word = word, .text = text};
    if (strcmp(word, "panic") == 0) {
        u->kind = SKEIN_UNTIL_PANIC;
        return true;
    }
    if (text != NULL) {
        u->kind = SKEIN_UNTIL_CONSOLE;
        return *text != '\0' && strlen(text) <= SKEIN_TEXT_MAX;
    }
    u->kind = SKEIN_UNTIL_EXIT;
    return status != NULL && skein_parse_u32(status, 255, &u->status);
}

void skein_until_watch_init(struct skein_until_watch *w, const struct skein_until *u) {
    *w = (struct skein_until_watch){.until = u};
    if (u->kind == SKEIN_UNTIL_CONSOLE)
        skein_textmatch_init(&w->match[w->matches++], u->text);
    for (size_t i = 0; u->kind == SKEIN_UNTIL_PANIC && i < sizeof(broken) / sizeof(broken[0]); i++)
        skein_textmatch_init(&w->match[w->matches++], broken[i]);
}

void skein_until_watch_console(struct skein_until_watch *w, const char *bytes, size_t len) {
    size_t used;
    for (size_t i = 0; i < w->matches && !w->seen; i++) {
        w->seen = skein_textmatch_feed(&w->match[i], bytes, len, &used);
        if (w->seen)
            snprintf(w->what, sizeof(w->what), "the console showed \"%s\"", w->match[i].text);
    }
}

void skein_until_watch_session(struct skein_until_watch *w, const struct skein_session_header *h) {
    bool exited = __atomic_load_n(&h->exit_reported, __ATOMIC_ACQUIRE) != 0;
    bool ended = __atomic_load_n(&h->state, __ATOMIC_ACQUIRE) == SKEIN_STATE_ENDED;
    if (w->seen)
        return;
    if (w->until->kind == SKEIN_UNTIL_EXIT && exited && h->exit_status == w->until->status) {
        w->seen = true;
        snprintf(w->what, sizeof(w->what), "the workload ended with %u", (unsigned)h->exit_status);
    }
    if (w->until->kind == SKEIN_UNTIL_PANIC && ended && h->end == SKEIN_END_PANIC) {
        w->seen = true;
        snprintf(w->what, sizeof(w->what), "the guest said that it panicked");
    }
}
