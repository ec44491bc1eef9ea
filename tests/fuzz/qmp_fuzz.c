/* What QEMU may say on its QMP socket, in pieces: the first byte says how large they are. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/qmp.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct skein_qmp q;
    struct fuzz_input in = {bytes, size};
    const size_t piece = 1 + 64 * fuzz_take(&in, 1);
    int pair[2];

    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    skein_qmp_init(&q, pair[0]);
    while (in.left != 0) {
        const size_t n = in.left < piece ? in.left : piece;
        FUZZ_CHECK(write(pair[1], in.bytes, n) == (ssize_t)n);
        in.bytes += n;
        in.left -= n;
        FUZZ_CHECK(skein_qmp_read(&q));
        FUZZ_CHECK(q.len < sizeof(q.line) && q.waiting <= 1);
        FUZZ_CHECK(memchr(q.message, '\0', sizeof(q.message)) != NULL);
    }
    close(pair[1]);
    FUZZ_CHECK(!skein_qmp_read(&q));
    skein_qmp_close(&q);
    return 0;
}

void fuzz_seeds(fuzz_add add) {
    static const char text[] =
        "\001{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n{\"return\": {}}\r\n"
        "{\"timestamp\": {}, \"event\": \"STOP\"}\r\n"
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no \\\"x\\\" here\"}}\r\n";

    add((const uint8_t *)text, sizeof(text) - 1);
}
