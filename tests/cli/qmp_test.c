#include "cli/qmp.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int peer;

static void open_qmp(struct skein_qmp *q) {
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    skein_qmp_init(q, pair[0]);
    peer = pair[1];
}

static void answer(const char *text) {
    cr_assert_eq(write(peer, text, strlen(text)), (ssize_t)strlen(text));
}

Test(qmp, counts_answers_and_skips_events) {
    struct skein_qmp q;
    open_qmp(&q);
    cr_assert_eq(q.waiting, 1);
    answer("{\"QMP\": {\"version\": {}}}\r\n{\"return\": {}}\r\n{\"timestamp\": {}, \"event\": "
           "\"STOP\"}\r\n");
    cr_assert(skein_qmp_read(&q));
    cr_assert_eq(q.waiting, 0);
    cr_assert(!q.failed);
    skein_qmp_close(&q);
}

Test(qmp, keeps_the_first_refusal) {
    struct skein_qmp q;
    open_qmp(&q);
    answer("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no \\\"x\\\" here\"}}\r\n");
    answer("{\"error\": {\"class\": \"GenericError\", \"desc\": \"second\"}}\r\n");
    cr_assert(skein_qmp_read(&q));
    cr_assert(q.failed);
    cr_assert_str_eq(q.message, "no \"x\" here");
    skein_qmp_close(&q);
}

Test(qmp, puts_lines_together_and_survives_long_ones) {
    static char junk[3 * SKEIN_QMP_LINE_MAX];
    struct skein_qmp q;
    open_qmp(&q);
    answer("{\"retu");
    cr_assert(skein_qmp_read(&q));
    cr_assert_eq(q.waiting, 1);
    answer("rn\": {}}\r\n");
    cr_assert(skein_qmp_read(&q));
    cr_assert_eq(q.waiting, 0);
    memset(junk, 'j', sizeof(junk) - 1);
    answer(junk);
    answer("\n");
    cr_assert(skein_qmp_read(&q));
    cr_assert_eq(skein_qmp_send(&q, "{\"execute\":\"%s\"}", "quit"), 0);
    answer("{\"return\": {}}\n");
    cr_assert(skein_qmp_read(&q));
    cr_assert_eq(q.waiting, 0);
    skein_qmp_close(&q);
}

Test(qmp, finds_members_of_an_answer) {
    struct skein_qmp q;
    char value[16];
    open_qmp(&q);
    answer("{\"return\": {\"a\": \"x \\\"b\\\": \\\"no\\\"\", \"b\": 17, \"c\": true, \"long\": "
           "\"0123456789abcdef\"}}\n");
    cr_assert(skein_qmp_read(&q));
    cr_assert(skein_qmp_member(&q, "a", value, sizeof(value)));
    cr_assert_str_eq(value, "x \"b\": \"no\"");
    cr_assert(skein_qmp_member(&q, "b", value, sizeof(value)));
    cr_assert_str_eq(value, "17");
    cr_assert(skein_qmp_member(&q, "c", value, sizeof(value)));
    cr_assert_str_eq(value, "true");
    cr_assert(!skein_qmp_member(&q, "long", value, sizeof(value)));
    cr_assert(!skein_qmp_member(&q, "d", value, sizeof(value)));
    answer("{\"return\": {\"cut\": 1");
    answer("\n");
    cr_assert(skein_qmp_read(&q));
    cr_assert(!skein_qmp_member(&q, "cut", value, sizeof(value)));
    skein_qmp_close(&q);
}

Test(qmp, notices_the_end) {
    struct skein_qmp q;
    open_qmp(&q);
    close(peer);
    while (skein_qmp_read(&q))
        ;
    cr_assert_lt(skein_qmp_send(&q, "{}"), 0);
    skein_qmp_close(&q);
    cr_assert(!skein_qmp_read(&q));
}
