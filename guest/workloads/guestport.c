/*
 * Starts and ends a recording from inside the guest: one byte to I/O port 0x5ce0, 1 to start and 2
 * to end. Without an argument: start, work, end, work on. With "1" or "2": only writes that. With
 * "exit N": reports N as the exit status, by a byte to port 0x5ce1.
 */
#include <string.h>
#include <sys/io.h>

#include "lib.h"

enum { SKEIN_PORT = 0x5ce0, EXIT_PORT = 0x5ce1, START = 1, END = 2 };

static void tell_recorder(unsigned char what) {
    CHECK(ioperm(SKEIN_PORT, 1, 1) == 0, "ioperm");
    outb(what, SKEIN_PORT);
}

static int report_exit(unsigned char status) {
    CHECK(ioperm(EXIT_PORT, 1, 1) == 0, "ioperm");
    outb(status, EXIT_PORT);
    return 0;
}

int workload_guestport(int argc, char **argv) {
    static char one_round[] = "1";
    char *demo[] = {argv[0], one_round, NULL};
    if (argc > 1 && strcmp(argv[1], "exit") == 0)
        return report_exit((unsigned char)arg_number(argc, argv, 2, 0));
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
