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
