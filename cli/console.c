#include "cli/console.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved_terminal;

static void restore_terminal(void) {
    tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_terminal);
}

void skein_console_open(struct skein_console *c, struct skein_progress *progress, bool quiet,
                        bool keyboard) {
    *c = (struct skein_console){.progress = progress, .quiet = quiet};
    if (!keyboard || !isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &saved_terminal) != 0)
        return;
    struct termios raw = saved_terminal;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_iflag &= ~(tcflag_t)(ICRNL | IXON);
    c->keyboard = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
    if (c->keyboard)
        atexit(restore_terminal);
}

void skein_console_close(struct skein_console *c) {
    if (c->keyboard)
        restore_terminal();
    c->keyboard = false;
    fflush(stdout);
}

void skein_console_show(struct skein_console *c, const char *bytes, size_t len) {
    if (c->quiet || len == 0)
        return;
    skein_progress_clear(c->progress);
    fwrite(bytes, 1, len, stdout);
    fflush(stdout);
    c->progress->mid_line = bytes[len - 1] != '\n';
}

void skein_console_type(struct skein_console *c, int guest_fd) {
    char typed[256];
    ssize_t got = read(STDIN_FILENO, typed, sizeof(typed));
    if (got <= 0) {
        skein_console_close(c); /* nobody is there any more */
        return;
    }
    ssize_t sent = send(guest_fd, typed, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent;
}
