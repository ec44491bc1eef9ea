/* A file that a verb writes: under its name only once it is whole. */
#ifndef SKEIN_CLI_OUTFILE_H
#define SKEIN_CLI_OUTFILE_H

#include <stdbool.h>
#include <stdio.h>

struct skein_outfile {
    FILE *f;
    const char *path; /* "-": stdout */
    char *partial;    /* what it is called meanwhile; NULL: written in place */
};

/* 0 or -errno. A device or pipe is written in place, everything else as PATH.partial. */
int skein_outfile_open(struct skein_outfile *out, const char *path);

/* Flushes, and with `keep` gives it its name; else takes it away. 0 or -errno. */
int skein_outfile_close(struct skein_outfile *out, bool keep);

#endif
