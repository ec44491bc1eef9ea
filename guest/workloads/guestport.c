/*
 * Starts and ends a recording from inside the guest: one byte to I/O port 0x5ce0, 1 to start and 2
 * to end. Without an argument: start, work, end, work on. With "1" or "2": only writes that.
 */
#include <sys/io.h>

#include "lib.h"

enum { SKEIN_PORT = 0x5ce0, START = 1, END = 2 };

static void tell_recorder(unsigned char what) {
    CHECK(ioperm(SKEIN_PORT, 1, 1) == 0, "ioperm");
    outb(what, SKEIN_PORT);
}

int workload_guestport(int argc, char **argv) {
    static char one_round[] = "1";
    char *demo[] = {argv[0], one_round, NULL};
    long what = arg_number(argc, argv, 1, 0);
    if (what != 0) {
        tell_recorder((unsigned char)what);
        return 0;
    }
    tell_recorder(START);
    workload_demo(2, demo);
    tell_recorder(END);
    workload_demo(2, demo);
    ok("guestport: worked on after the end");
    return 0;
}
