#include "replay/console_check.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char recorded[] = "/tmp/skein-recorded-XXXXXX";
static char replayed[] = "/tmp/skein-replayed-XXXXXX";

static void append(const char *path, const char *text) {
    FILE *f = fopen(path, "a");
    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
}

static void open_check(struct skein_console_check *c, const char *text) {
    close(mkstemp(recorded));
    close(mkstemp(replayed));
    append(recorded, text);
    cr_assert_eq(skein_console_check_open(c, recorded, replayed, NULL), 0);
}

static void close_check(struct skein_console_check *c) {
    skein_console_check_close(c);
    unlink(recorded);
    unlink(replayed);
}

static size_t next(struct skein_console_check *c) {
    char bytes[16];
    return skein_console_check_next(c, bytes, sizeof(bytes));
}

Test(console_check, follows_a_growing_file) {
    struct skein_console_check c;
    open_check(&c, "one two three");
    cr_assert_eq(next(&c), 0);
    append(replayed, "one ");
    cr_assert_eq(next(&c), 4);
    append(replayed, "two three");
    cr_assert_eq(next(&c), 9);
    cr_assert_eq(next(&c), 0);
    skein_console_check_finish(&c);
    cr_assert(!c.differs);
    close_check(&c);
}

Test(console_check, names_the_first_wrong_byte) {
    struct skein_console_check c;
    open_check(&c, "one two");
    append(replayed, "one too");
    cr_assert_eq(next(&c), 5);
    cr_assert(c.differs);
    cr_assert_str_eq(c.difference.text, "console byte 5: expected 0x77, got 0x6f");
    cr_assert_eq(next(&c), 0);
    close_check(&c);
}

Test(console_check, sees_too_much_and_too_little) {
    struct skein_console_check c;
    open_check(&c, "one");
    append(replayed, "one!");
    cr_assert_eq(next(&c), 3);
    cr_assert(c.differs);
    cr_assert_not_null(strstr(c.difference.text, "expected the end, got 0x21"));
    close_check(&c);
    strcpy(recorded + strlen(recorded) - 6, "XXXXXX");
    strcpy(replayed + strlen(replayed) - 6, "XXXXXX");
    open_check(&c, "one");
    append(replayed, "on");
    cr_assert_eq(next(&c), 2);
    skein_console_check_finish(&c);
    cr_assert(c.differs);
    cr_assert_not_null(strstr(c.difference.text, "expected 0x65, got the end"));
    close_check(&c);
}

Test(console_check, no_console_is_an_empty_one) {
    struct skein_console_check c;
    cr_assert_eq(skein_console_check_open(&c, "/nonexistent/console.log", "/dev/null", NULL), 0);
    cr_assert_eq(next(&c), 0);
    skein_console_check_finish(&c);
    cr_assert(!c.differs);
    skein_console_check_close(&c);
}

Test(console_check, a_lost_end_is_not_compared) {
    struct skein_console_check c;
    open_check(&c, "one two");
    c.may_end_early = true;
    append(replayed, "one two three");
    cr_assert_eq(next(&c), 13);
    append(replayed, " four");
    cr_assert_eq(next(&c), 5);
    skein_console_check_finish(&c);
    cr_assert(!c.differs);
    close_check(&c);
    strcpy(recorded + strlen(recorded) - 6, "XXXXXX");
    strcpy(replayed + strlen(replayed) - 6, "XXXXXX");
    open_check(&c, "one two");
    c.may_end_early = true;
    append(replayed, "one too");
    cr_assert_eq(next(&c), 5);
    cr_assert(c.differs, "what is there is compared");
    close_check(&c);
}
