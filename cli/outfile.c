#include "cli/outfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool in_place(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

int skein_outfile_open(struct skein_outfile *out, const char *path) {
    *out = (struct skein_outfile){.path = path};
    if (strcmp(path, "-") == 0) {
        out->f = stdout;
        return 0;
    }
    if (!in_place(path) && asprintf(&out->partial, "%s.partial", path) < 0) {
        out->partial = NULL;
        return -ENOMEM;
    }
    out->f = fopen(out->partial != NULL ? out->partial : path, "we");
    if (out->f != NULL)
        return 0;
    const int rc = -errno;
    free(out->partial);
    return rc;
}

int skein_outfile_close(struct skein_outfile *out, bool keep) {
    errno = 0;
    int rc = ferror(out->f) != 0 || fflush(out->f) != 0 ? -(errno != 0 ? errno : EIO) : 0;
    if (out->f != stdout && fclose(out->f) != 0 && rc == 0)
        rc = -errno;
    if (out->partial == NULL)
        return rc;
    if (!keep || rc != 0)
        unlink(out->partial);
    else if (rename(out->partial, out->path) != 0)
        rc = -errno;
    free(out->partial);
    out->partial = NULL;
    return rc;
}
