#include "cli/gdb.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int skein_gdb_listen(struct skein_gdb *g, uint32_t port, struct skein_error *err) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int on = 1;
    g->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (g->fd < 0 || setsockopt(g->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(g->fd, (struct sockaddr *)&at, len) != 0 || listen(g->fd, 1) != 0 ||
        getsockname(g->fd, (struct sockaddr *)&at, &len) != 0)
        return skein_error_sys(err, -errno, "cannot listen for gdb on port %u of 127.0.0.1", port);
    g->port = ntohs(at.sin_port);
    return 0;
}

void skein_gdb_args(const struct skein_gdb *g, struct skein_argv *a) {
    skein_argv_push(a, "-S");
    skein_argv_push(a, "-chardev");
    skein_argv_push(a, "socket,id=skein-gdb,fd=%d,server=on,wait=off,nodelay=on", g->fd);
    skein_argv_push(a, "-gdb");
    skein_argv_push(a, "chardev:skein-gdb");
}

static int check_vmlinux(const char *path, char full[PATH_MAX], struct skein_error *err) {
    if (realpath(path, full) == NULL || access(full, R_OK) != 0)
        return skein_error_sys(err, -errno, "cannot read %s", path);
    if (strpbrk(full, " \t\n") != NULL)
        return skein_error_set(err, -EINVAL, "%s: gdb takes no path with spaces", path);
    return 0;
}

/* The kernel may not be there yet where a recording begins: the command can be given again. */
static void write_symbols(FILE *f, const struct skein_gdb *g, const char *vmlinux) {
    fprintf(f, "define skein-symbols\n");
    if (vmlinux != NULL)
        fprintf(f, "monitor skein vmlinux %s %s\nsource %s\n", vmlinux, g->symbols, g->symbols);
    else
        fprintf(f, "monitor skein symbols %s\nsymbol-file %s\n", g->symbols, g->symbols);
    fprintf(f, "end\n"
               "document skein-symbols\n"
               "The symbols of the guest's kernel and modules, as they are now.\n"
               "end\n"
               "skein-symbols\n");
}

int skein_gdb_write_script(struct skein_gdb *g, const char *base, const char *vmlinux,
                           struct skein_error *err) {
    char full[PATH_MAX];
    int ret = vmlinux != NULL ? check_vmlinux(vmlinux, full, err) : 0;
    if (ret != 0)
        return ret;
    snprintf(g->script, sizeof(g->script), "%s.gdb", base);
    snprintf(g->symbols, sizeof(g->symbols), "%s.symbols", base);
    FILE *f = fopen(g->script, "we");
    if (f == NULL)
        return skein_error_sys(err, -errno, "cannot write %s", g->script);
    fprintf(f,
            "set architecture i386:x86-64\n"
            "set tcp auto-retry off\n"
            "# The far end of a recording may be minutes away.\n"
            "set remotetimeout 86400\n"
            "# monitor skein goto moves the machine behind gdb's back.\n"
            "define hookpost-monitor\n"
            "maintenance flush register-cache\n"
            "maintenance flush dcache\n"
            "end\n"
            "target remote 127.0.0.1:%u\n",
            g->port);
    write_symbols(f, g, vmlinux != NULL ? full : NULL);
    if (ferror(f) | fclose(f))
        return skein_error_sys(err, -errno, "cannot write %s", g->script);
    return 0;
}

void skein_gdb_announce(const struct skein_gdb *g) {
    fprintf(stderr, "skein: the replay waits for gdb: gdb -x %s\n", g->script);
}

void skein_gdb_close(struct skein_gdb *g) {
    if (g->fd >= 0)
        close(g->fd);
    g->fd = -1;
    if (g->script[0] != '\0')
        unlink(g->script);
    if (g->symbols[0] != '\0')
        unlink(g->symbols);
}
