#include "cli/record_until.h"

#include <criterion/criterion.h>
#include <string.h>

#include "pipeline/event.h"

static struct skein_until until_of(const char *word) {
    struct skein_until u;
    cr_assert(skein_until_parse(word, &u), "%s", word);
    return u;
}

/* Fed in two pieces, cut anywhere: what is seen must not depend on it. */
static bool sees(const char *word, const char *console) {
    struct skein_until u = until_of(word);
    bool whole = false;
    for (size_t cut = 0; cut <= strlen(console); cut++) {
        struct skein_until_watch w;
        skein_until_watch_init(&w, &u);
        skein_until_watch_console(&w, console, cut);
        skein_until_watch_console(&w, console + cut, strlen(console) - cut);
        if (cut > 0)
            cr_assert_eq(w.seen, whole, "%s, cut at %zu", console, cut);
        whole = w.seen;
        cr_assert_eq(w.what[0] != '\0', w.seen);
    }
    return whole;
}

Test(record_until, takes_three_forms) {
    struct skein_until u = until_of("panic");
    cr_assert_eq(u.kind, SKEIN_UNTIL_PANIC);
    u = until_of("console:exit:1");
    cr_assert_eq(u.kind, SKEIN_UNTIL_CONSOLE);
    cr_assert_str_eq(u.text, "exit:1");
    u = until_of("exit:255");
    cr_assert_eq(u.kind, SKEIN_UNTIL_EXIT);
    cr_assert_eq(u.status, 255u);
}

Test(record_until, refuses_all_others) {
    static const char *const words[] = {"",         "panics",  "console", "console:",
                                        "exit",     "exit:",   "exit:x",  "exit:-1",
                                        "exit:256", "exit:1 ", "PANIC"};
    char longer[SKEIN_TEXT_MAX + 16] = "console:";
    struct skein_until u;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        cr_assert(!skein_until_parse(words[i], &u), "\"%s\"", words[i]);
    memset(longer + 8, 'x', SKEIN_TEXT_MAX + 1);
    cr_assert(!skein_until_parse(longer, &u));
    longer[8 + SKEIN_TEXT_MAX] = '\0';
    cr_assert(skein_until_parse(longer, &u));
}

Test(record_until, sees_a_broken_kernel) {
    cr_assert(sees("panic", "[ 1.0] Kernel panic - not syncing: Attempted to kill init!\r\n"));
    cr_assert(sees("panic", "[ 1.0] BUG: kernel NULL pointer dereference, address: 0\r\n"));
    cr_assert(sees("panic", "[ 1.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!\r\n"));
    cr_assert(sees("panic", "[ 1.0] kernel BUG at lib/list_debug.c:59!\r\n"));
    cr_assert(sees("panic", "[ 1.0] Oops: 0002 [#1] PREEMPT SMP NOPTI\r\n"));
    cr_assert(sees("panic", "[ 1.0] general protection fault, probably for non-canonical address "
                            "0xdead: 0000 [#1] PREEMPT SMP\r\n"));
}

Test(record_until, does_not_see_a_broken_program) {
    cr_assert(!sees("panic", "[ 1.0] traps: a[77] general protection fault ip:40 sp:7f error:0\n"));
    cr_assert(!sees("panic", "[ 1.0] a[77]: segfault at 0 ip 0000000000401136 sp 00007ffd\n"));
    cr_assert(!sees("panic", "[ 1.0] reboot: Power down\n"));
    cr_assert(!sees("exit:1", "Kernel panic - not syncing: exit:1\n"));
}

Test(record_until, sees_its_text_alone) {
    cr_assert(sees("console:lost wake-up", "a lost lost wake-up: 7"));
    cr_assert(!sees("console:lost wake-up", "Kernel panic - not syncing: lost\nwake-up"));
}

static bool sees_session(const char *word, const struct skein_session_header *h) {
    struct skein_until u = until_of(word);
    struct skein_until_watch w;
    skein_until_watch_init(&w, &u);
    skein_until_watch_session(&w, h);
    return w.seen;
}

Test(record_until, sees_an_exit_status) {
    struct skein_session_header h = {.state = SKEIN_STATE_RUNNING};
    cr_assert(!sees_session("exit:0", &h), "nothing was reported");
    h.exit_reported = 1;
    cr_assert(sees_session("exit:0", &h));
    cr_assert(!sees_session("exit:3", &h));
    h.exit_status = 3;
    cr_assert(sees_session("exit:3", &h));
    cr_assert(!sees_session("console:3", &h));
    cr_assert(!sees_session("panic", &h));
}

Test(record_until, sees_the_end_by_a_panic) {
    struct skein_session_header h = {.state = SKEIN_STATE_ENDED, .end = SKEIN_END_PANIC};
    cr_assert(sees_session("panic", &h));
    cr_assert(!sees_session("exit:0", &h));
    h.end = SKEIN_END_RESET;
    cr_assert(!sees_session("panic", &h));
}
